"""Errors, keys and rate limits are the same as in the reference."""

from typing import Any

import pytest

from tests.ops.reference.contract import API_KEYS, BURST, CHAT, CHAT_BODY, REQUESTS_PER_MINUTE
from tests.support.api_client import Api, error_of
from tests.support.gateway import Gateway
from tests.support.sockets import SocketClient, hanging_up

ERRORS: list[tuple[str, str, Any, tuple[int, str]]] = [
    ("POST", CHAT, {}, (400, "missing_messages")),
    ("POST", CHAT, {"messages": [{"role": "user", "content": " "}]}, (400, "missing_user_message")),
    ("POST", CHAT, {**CHAT_BODY, "model": "gpt-4o"}, (400, "model_not_supported")),
    ("POST", CHAT, {**CHAT_BODY, "temperature": "warm"}, (400, "invalid_request")),
    ("POST", CHAT, {**CHAT_BODY, "session_id": "sess_x"}, (404, "session_not_found")),
    ("POST", CHAT, {**CHAT_BODY, "project_id": "proj_x"}, (404, "project_not_found")),
    ("GET", f"{CHAT}/sess_x/status", None, (404, "session_not_found")),
    ("DELETE", f"{CHAT}/sess_x", None, (404, "session_not_found")),
    ("GET", "/v1/models/gpt-4o", None, (404, "model_not_found")),
    ("GET", "/v1/projects/proj_x", None, (404, "project_not_found")),
    ("DELETE", "/v1/projects/proj_x", None, (404, "project_not_found")),
    ("POST", "/v1/projects", {}, (400, "invalid_request")),
    ("GET", "/v1/sessions/sess_x", None, (404, "session_not_found")),
    ("DELETE", "/v1/sessions/sess_x", None, (404, "session_not_found")),
    ("POST", "/v1/sessions", {"project_id": "proj_x"}, (404, "project_not_found")),
    ("POST", CHAT, {"messages": [{"role": "user", "content": "BROKENFIRST"}]}, (502, "upstream_error")),
    ("POST", CHAT, {"messages": [{"role": "user", "content": "HANGFIRST"}]}, (504, "timeout")),
]


@pytest.mark.parametrize(("method", "url", "body", "expected"), ERRORS)
def test_error_has_the_status_and_code_of_the_reference(
    api: Api, method: str, url: str, body: Any, expected: tuple[int, str]
) -> None:
    assert error_of(api.request(method, url, json=body))[:2] == expected


@pytest.mark.parametrize(("header", "form"), [("Authorization", "Bearer {}"), ("x-api-key", "{}")])
def test_every_configured_key_is_accepted(reference_gateway: Gateway, header: str, form: str) -> None:
    api = reference_gateway.api
    assert error_of(api.get("/v1/models"))[:2] == (401, "missing_api_key")
    assert error_of(api.get("/v1/models", headers={header: form.format("no")}))[:2] == (
        401,
        "invalid_api_key",
    )
    for key in (API_KEYS[0], API_KEYS[-1]):
        assert api.get("/v1/models", headers={header: form.format(key)}).status_code == 200
    for public in ("/", "/health", "/openapi.json"):
        assert api.get(public).status_code == 200


def test_session_runs_one_answer_at_a_time_and_can_be_stopped(
    reference_gateway: Gateway, api: Api, key: str
) -> None:
    session = api.create_session()
    client = SocketClient(reference_gateway, "WAIT", key=key, stream=True, session_id=session)
    with hanging_up(client):
        client.read_until(b"so far")
        assert api.chat_status(session)["is_running"] is True
        assert api.session_stats()["claude_sessions"] == [session]
        assert api.health()["active_sessions"] >= 1
        assert error_of(api.chat(session_id=session))[:2] == (409, "session_busy")
        assert api.stop_chat(session) == {"session_id": session, "status": "stopped"}
        client.read_until(b'"stopped"')
    assert api.chat_status(session)["is_running"] is False


def test_rate_limited_key_is_told_when_to_retry_and_not_locked_out(api: Api) -> None:
    first = api.chat()
    assert first.headers["x-ratelimit-limit-requests"] == str(REQUESTS_PER_MINUTE)
    for _ in range(REQUESTS_PER_MINUTE + BURST - 1):
        assert api.post(CHAT, json={}).status_code == 400
    responses = [api.post(CHAT, json={}) for _ in range(4)]
    rejected = [response for response in responses if response.status_code != 400]  # time may let one in
    assert rejected
    for response in rejected:
        assert error_of(response)[:2] == (429, "rate_limit_exceeded")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert response.headers["x-ratelimit-remaining-requests"] == "0"
    assert api.get("/v1/models").status_code == 200

"""Errors, keys and limits are those of the reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.reference.contract import (
    API_KEYS,
    BURST,
    CHAT,
    CHAT_BODY,
    REQUESTS_PER_MINUTE,
    Client,
    status_and_code,
)
from tests.support.sockets import SocketClient, hanging_up

REFUSALS: list[tuple[str, str, Any, tuple[int, str]]] = [
    ("POST", CHAT, {}, (400, "missing_messages")),
    ("POST", CHAT, {"messages": [{"role": "system", "content": "x"}]}, (400, "missing_user_message")),
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
    ("POST", CHAT, {"messages": [{"role": "user", "content": "BROKENFIRST"}]}, (500, "internal_error")),
    ("POST", CHAT, {"messages": [{"role": "user", "content": "HANGFIRST"}]}, (504, "timeout")),
]


@pytest.mark.parametrize(("method", "url", "body", "expected"), REFUSALS)
def test_error_has_the_status_and_code_of_the_reference(
    client: Client, method: str, url: str, body: Any, expected: tuple[int, str]
) -> None:
    assert status_and_code(client.call(method, url, json=body)) == expected


@pytest.mark.parametrize("name", ["Authorization", "x-api-key"])
def test_every_configured_key_is_accepted(client: Client, name: str) -> None:
    http, value = client.gateway.api, "Bearer {}" if name == "Authorization" else "{}"
    assert status_and_code(http.get("/v1/models")) == (401, "missing_api_key")
    assert status_and_code(http.get("/v1/models", headers={name: value.format("no")})) == (
        401,
        "invalid_api_key",
    )
    for key in (API_KEYS[0], API_KEYS[-1]):
        assert http.get("/v1/models", headers={name: value.format(key)}).status_code == 200
    for public in ("/", "/health", "/openapi.json"):
        assert http.get(public).status_code == 200


def test_session_runs_one_answer_at_a_time_and_can_be_stopped(client: Client) -> None:
    session = client.json("POST", "/v1/sessions", {})["id"]
    caller = SocketClient(client.gateway, "WAIT", key=client.key, stream=True, session_id=session)
    with hanging_up(caller):
        caller.read_until(b"so far")
        assert client.json("GET", f"{CHAT}/{session}/status")["is_running"] is True
        assert client.json("GET", "/v1/sessions/stats")["claude_sessions"] == [session]
        assert client.gateway.api.health()["active_sessions"] >= 1
        assert status_and_code(client.call("POST", CHAT, json={**CHAT_BODY, "session_id": session})) == (
            409,
            "session_busy",
        )
        stopped = client.json("DELETE", f"{CHAT}/{session}")
        assert stopped == {"session_id": session, "status": "stopped"}
        caller.read_until(b'"stopped"')
    assert client.json("GET", f"{CHAT}/{session}/status")["is_running"] is False


def test_rate_limited_key_is_told_when_to_retry_and_not_locked_out(client: Client) -> None:
    first = client.call("POST", CHAT, json=CHAT_BODY)
    assert first.headers["x-ratelimit-limit-requests"] == str(REQUESTS_PER_MINUTE)
    for _ in range(REQUESTS_PER_MINUTE + BURST - 1):
        assert client.call("POST", CHAT, json={}).status_code == 400
    for _ in range(3):  # no refusal puts the next chance off
        refused = client.call("POST", CHAT, json=CHAT_BODY)
        if refused.status_code == 200:
            continue  # a second has passed, and lets one in
        assert status_and_code(refused) == (429, "rate_limit_exceeded")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert client.call("GET", "/v1/models").status_code == 200

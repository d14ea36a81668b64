"""Errors over HTTP: every rejected request gets one JSON shape, a status, a code and a request id."""

import json
from typing import Any

import httpx2 as httpx
import pytest

from tests.support.api_client import Api, ErrorBody, chat_body, error_of
from tests.support.apps import MakeApi, MakeApp

PATH = "/v1/chat/completions"
CHAT = chat_body()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api()


def error_with_id(answer: httpx.Response) -> ErrorBody:
    """Return the error of a response, which must have a request id."""
    assert answer.headers["x-request-id"]
    return error_of(answer)


@pytest.mark.parametrize(
    "url", ["/nothing", "/v1", "/v1/chat", "/v1/chat/completion", "/v2/models", "/%00", "/health//"]
)
def test_unknown_url_is_a_json_404(api: Api, url: str) -> None:
    error = error_with_id(api.get(url))
    assert error.status == 404
    assert error.code in ("unknown_url", "model_not_found")


@pytest.mark.parametrize("name", ["gpt-4o", "anthropic%2Fclaude-nonexistent", "anthropic/claude/x"])
def test_unknown_model_is_a_json_404_that_names_it(api: Api, name: str) -> None:
    error = error_of(api.get(f"/v1/models/{name}"))
    assert error[:2] == (404, "model_not_found")
    assert name.replace("%2F", "/") in error.message


@pytest.mark.parametrize(
    ("method", "url"),
    [("PATCH", PATH), ("PUT", PATH), ("DELETE", "/v1/models"), ("POST", "/health"), ("POST", "/")],
)
def test_wrong_method_is_a_json_405(api: Api, method: str, url: str) -> None:
    assert error_with_id(api.request(method, url))[:2] == (405, "method_not_allowed")


def test_wrong_method_names_the_allowed_ones(api: Api) -> None:
    answer = api.put("/v1/sessions")
    allowed = {method.strip() for method in answer.headers["allow"].split(",")}
    assert (answer.status_code, allowed) == (405, {"GET", "HEAD", "OPTIONS", "POST"})


INVALID_JSON = {
    "broken": b'{"messages": [',
    "empty": b"",
    "white space": b" \n",
    "no object": b"[1, 2]",
    "a string": b'"hi"',
    "null": b"null",
    "NaN": b'{"messages": [{"role": "user", "content": "hi"}], "temperature": NaN}',
    "no UTF-8": b'{"messages": "\xff\xfe"}',
    "deep": b"[" * 200_000,
    "two": json.dumps(CHAT).encode() * 2,
}


@pytest.mark.parametrize("body", INVALID_JSON.values(), ids=INVALID_JSON)
def test_body_that_is_not_a_json_object_is_a_json_400(api: Api, body: bytes) -> None:
    error = error_with_id(api.post(PATH, content=body, headers={"content-type": "application/json"}))
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.message


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_messages", "messages"),
        ({"messages": []}, "missing_messages", "messages"),
        ({"messages": None}, "missing_messages", "messages"),
        ({"messages": "hi"}, "invalid_request", "messages"),
        ({"messages": [{"content": "hi"}]}, "invalid_request", "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "invalid_request", "messages[0].role"),
        ({"messages": [{"role": "user", "content": " "}]}, "missing_user_message", "messages"),
        ({**CHAT, "model": 5}, "invalid_request", "model"),
        ({**CHAT, "stream": "yes"}, "invalid_request", "stream"),
    ],
)
def test_invalid_field_is_named(api: Api, body: dict[str, Any], code: str, param: str) -> None:
    assert error_of(api.post(PATH, json=body))[:3] == (400, code, param)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/sessions", {"title": "\ud800"}),
        ("/v1/projects", {"name": "\ud800"}),
        ("/v1/responses", {"input": "hi", "previous_response_id": "\ud800"}),
    ],
)
def test_half_a_surrogate_pair_in_a_stored_field_is_no_failure(
    make_api: MakeApi, tmp_path: Any, path: str, body: dict[str, Any]
) -> None:
    api = make_api(project_root=tmp_path / "projects")
    assert api.post(path, content=json.dumps(body)).status_code in (200, 400)


def test_body_over_the_limit_is_a_json_413_that_names_the_setting(make_api: MakeApi) -> None:
    api = make_api(max_request_bytes=1000)
    error = error_with_id(api.chat("x" * 2000))
    assert error[:2] == (413, "request_too_large")
    assert "MAX_REQUEST_BYTES" in error.message


def test_unexpected_failure_is_a_json_500_with_details_in_the_log_only(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app()

    @app.get("/_fail")
    def fail() -> str:
        raise RuntimeError("a secret detail")

    answer = Api.of_app(app).get("/_fail")
    error = error_with_id(answer)
    assert (error.status, error.type, error.code) == (500, "server_error", "internal_error")
    assert "a secret detail" not in answer.text
    log = capsys.readouterr().err
    assert "a secret detail" in log
    assert answer.headers["x-request-id"] in log

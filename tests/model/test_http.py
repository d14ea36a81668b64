"""HTTP around the answers: errors in one shape, CORS, health, models, the API's description, streams' headers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.standin import StandIn, text
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.sockets import wait_until_idle
from tests.support.wide import wide, wide_except

PATH = "/v1/chat/completions"
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
UNKNOWN_URLS = ["/nothing", "/v1", "/v1/chat", "/v1/chat/completions/", "/v2/models", "/%00", "/v1/models/"]


def problem(body: Any) -> dict[str, Any]:
    """The error object, which is all there is."""
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


# Errors


@pytest.mark.parametrize("url", UNKNOWN_URLS)
def test_an_unknown_url_is_a_json_404(gateway: Gateway, url: str) -> None:
    answer = gateway.api.get(url)
    assert answer.status_code == 404
    assert problem(answer.json())["code"] in ("unknown_url", "model_not_found")
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", PATH), ("PUT", PATH), ("DELETE", "/v1/models"), ("POST", "/health"), ("POST", "/")],
)
def test_a_wrong_method_is_a_json_405(gateway: Gateway, method: str, url: str) -> None:
    answer = gateway.api.request(method, url)
    assert answer.status_code == 405
    assert problem(answer.json())["code"] == "method_not_allowed"
    assert answer.headers["x-request-id"]


BAD_BODIES = {
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


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_request_is_a_json_400(gateway: Gateway, standin: StandIn, body: bytes) -> None:
    answer = gateway.api.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = problem(answer.json())
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert answer.headers["x-request-id"]
    assert not standin.messages


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_messages", "messages"),
        ({"messages": []}, "missing_messages", "messages"),
        ({"messages": None}, "missing_messages", "messages"),
        ({"messages": "hi"}, "invalid_request", "messages"),
        ({"messages": [{"content": "hi"}]}, "invalid_request", "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "invalid_request", "messages[0].role"),
        ({"messages": [{"role": "system", "content": "hi"}]}, "missing_user_message", "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "missing_user_message", "messages"),
        ({**CHAT, "model": 5}, "invalid_request", "model"),
        ({**CHAT, "stream": "yes"}, "invalid_request", "stream"),
    ],
)
def test_a_wrong_field_is_named(gateway: Gateway, body: dict[str, Any], code: str, param: str) -> None:
    answer = gateway.api.post(PATH, json=body)
    assert answer.status_code == 400
    error = problem(answer.json())
    assert (error["code"], error["param"]) == (code, param)


@pytest.mark.parametrize(
    "content_type",
    wide_except(
        ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None], "text/plain", None
    ),
)
def test_json_is_json_whatever_it_is_called(
    gateway: Gateway, standin: StandIn, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = gateway.api.post(PATH, content=json.dumps(CHAT).encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert len(standin.messages) == 1


def test_a_body_over_the_limit_is_a_json_413(start_gateway: Callable[..., Gateway], standin: StandIn) -> None:
    gateway = start_gateway(**NOTHING_KEPT, MAX_REQUEST_BYTES="1000", WARM_PROCESSES="1")
    large = json.dumps({"messages": [{"role": "user", "content": "x" * 2000}]}).encode()
    for body in (large, (part for part in (large[:500], large[500:]))):  # with a length, and in chunks
        answer = gateway.api.post(PATH, content=body)
        assert answer.status_code == 413
        assert problem(answer.json())["code"] == "request_too_large"
        assert "MAX_REQUEST_BYTES" in problem(answer.json())["message"]
        assert answer.headers["x-request-id"]
    assert gateway.api.post(PATH, json=CHAT).status_code == 200
    assert len(standin.messages) == 1


def test_an_unforeseen_failure_is_a_json_500(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(wsgi="tests.support.failing_wsgi:app", CLAUDE_BINARY_PATH="/nonexistent")
    answer = gateway.api.get("/_fail")
    assert answer.status_code == 500
    error = problem(answer.json())
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert "a secret detail" not in answer.text
    assert "a secret detail" in gateway.log
    assert answer.headers["x-request-id"] in gateway.log


# Ids and CORS


@pytest.mark.parametrize(("offered", "is_taken"), [("my-id.1:2_3", True), ("x" * 129, False), ("a b", False)])
def test_a_requests_id_is_its_clients_where_it_is_fit(gateway: Gateway, offered: str, is_taken: bool) -> None:
    given = gateway.api.get("/health", headers={"x-request-id": offered}).headers["x-request-id"]
    assert (given == offered) == is_taken
    assert given


def test_every_answer_has_an_id_of_its_own(gateway: Gateway) -> None:
    answers = [
        gateway.api.get("/"),
        gateway.api.get("/v1/models"),
        gateway.api.chat(),
        gateway.api.chat(stream=True),
    ]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


def test_a_browsers_preflight_is_answered(gateway: Gateway) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }
    answer = gateway.api.options(PATH, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example")
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed == "*" or {name.strip().lower() for name in allowed.split(",")} >= {
        "authorization",
        "content-type",
        "x-stainless-lang",
    }


def test_a_browser_may_read_errors_and_headers(gateway: Gateway) -> None:
    answer = gateway.api.post(PATH, json={}, headers={"origin": "https://app.example"})
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example")
    assert "x-request-id" in answer.headers["access-control-expose-headers"]


def test_other_origins_are_kept_out_where_the_operator_says_so(start_gateway: Callable[..., Gateway]) -> None:
    origins = "https://app.example,https://b.example"
    gateway = start_gateway(ALLOWED_ORIGINS=origins, CLAUDE_BINARY_PATH="/nonexistent")
    for origin, is_allowed in (("https://b.example", True), ("https://evil.example", False)):
        answer = gateway.api.get("/", headers={"origin": origin})
        assert answer.headers.get("access-control-allow-origin") == (origin if is_allowed else None)


# What is there besides answers


def test_the_root_says_what_is_where(gateway: Gateway) -> None:
    body = gateway.api.get("/").json()
    assert body.keys() >= {"name", "version", "description"}
    for url in body["endpoints"].values():
        assert gateway.api.get(url).status_code in (200, 405)


def test_health_tells_the_figures(gateway: Gateway) -> None:
    assert gateway.api.chat().status_code == 200
    answer = gateway.api.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "healthy"
    assert body["active_sessions"] == 0
    assert body["claude_version"].startswith("2.1.")
    assert body["version"] == gateway.api.get("/").json()["version"]
    assert body["claude"]["logged_in"] is True


def test_health_counts_running_answers(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("a b c", delay=0.2))
    stream = gateway.api.stream_chat()
    next(stream)
    assert gateway.api.health()["active_sessions"] == 1
    assert list(stream)[-1] == "[DONE]"
    assert gateway.api.health()["active_sessions"] == 0


def test_the_models_are_listed(gateway: Gateway) -> None:
    gateway.await_warm(1)
    body = gateway.api.get("/v1/models").json()
    assert body["object"] == "list"
    ids = [entry["id"] for entry in body["data"]]
    assert len(set(ids)) == len(ids)
    assert {"claude-opus-4-6-20260205", "claude-opus-4-6", "sonnet", "haiku", "claude-opus-5-5"} <= set(ids)
    for entry in body["data"]:
        assert entry.keys() == {"id", "object", "created", "owned_by"}
        assert entry["object"] == "model"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-opus-4-6-20260205", "claude-opus-4-6-20260205"),
        ("claude-opus-4-6", "claude-opus-4-6-20260205"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("opus", "claude-opus-5-5"),
    ],
)
def test_a_model_is_found_by_id_and_alias(gateway: Gateway, name: str, model: str) -> None:
    gateway.await_warm(1)
    answer = gateway.api.get(f"/v1/models/{name}")
    assert answer.status_code == 200
    assert answer.json() == {"id": model, "object": "model", "created": 0, "owned_by": "anthropic"}


@pytest.mark.parametrize("name", ["gpt-4o", "anthropic%2Fclaude-nonexistent", "anthropic/claude/x"])
def test_an_unknown_model_is_a_404(gateway: Gateway, name: str) -> None:
    answer = gateway.api.get(f"/v1/models/{name}")
    assert answer.status_code == 404
    error = problem(answer.json())
    assert error["code"] == "model_not_found"
    assert name.replace("%2F", "/") in error["message"]


def test_capabilities_are_not_taken_for_a_model(gateway: Gateway) -> None:
    gateway.await_warm(1)
    body = gateway.api.get("/v1/models/capabilities").json()
    assert (body["provider"], body["total"]) == ("anthropic", len(body["models"]))
    models = {model["id"]: model for model in body["models"]}
    shipped, reported = models["claude-opus-4-6-20260205"], models["claude-opus-5-5"]
    assert shipped.keys() >= {"name", "description", "supports_streaming", "supports_tools", "features"}
    assert shipped["max_tokens"] == 128_000
    assert shipped["pricing"] == {
        "input_cost_per_1k_tokens": 0.005,
        "output_cost_per_1k_tokens": 0.025,
        "currency": "USD",
    }
    assert reported["pricing"]["input_cost_per_1k_tokens"] > 0
    assert "default" in reported["aliases"]


def test_the_api_describes_itself(gateway: Gateway) -> None:
    body = gateway.api.get("/openapi.json").json()
    assert body["openapi"].startswith("3.")
    assert {PATH, "/v1/models", "/v1/models/capabilities", "/health", "/"} <= body["paths"].keys()
    references = json.dumps(body).split('"#/components/schemas/')[1:]
    assert references
    known = body["components"]["schemas"]
    assert {reference.partition('"')[0] for reference in references} <= known.keys()
    assert "messages" in known["ChatCompletion"]["properties"]


def test_nothing_but_answers_starts_a_process(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="1")
    wait_until_idle(gateway, 1)
    started = gateway.api.health()["claude"]["starts"]
    began = time.monotonic()
    for url in ("/", "/health", "/v1/models", "/v1/models/opus", "/v1/models/capabilities", "/openapi.json"):
        assert gateway.api.get(url).status_code == 200
    assert gateway.api.post(PATH, json={**CHAT, "model": "gpt-4o"}).status_code == 400
    assert gateway.api.post(PATH, json={**CHAT, "n": 99}).status_code == 400
    assert time.monotonic() - began < 10  # in which a process would have started
    status = gateway.api.health()["claude"]
    assert (status["starts"], status["starting"], status["warm"]) == (started, 0, 1)


# Streams


def test_a_stream_has_the_headers_of_one(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("a b", head_delay=0.5))
    began = time.monotonic()
    with gateway.api.stream("POST", PATH, json={**CHAT, "stream": True}) as answer:
        assert time.monotonic() - began >= 0.5  # the 200 waits for the model
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        lines = list(answer.iter_lines())
    assert all(line == "" or line.startswith("data: ") for line in lines)
    assert [line for line in lines if line][-1] == "data: [DONE]"


@wide  # and at a quicker pulse among the tests of the scripted CLI
def test_a_silent_stream_is_kept_alive(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("late", first_delay=12))
    with gateway.api.stream("POST", PATH, json={**CHAT, "stream": True}) as answer:
        lines = answer.iter_lines()
        began = time.monotonic()
        comment = next(line for line in lines if line.startswith(":"))
        assert 9 < time.monotonic() - began < 30
        assert comment == ": keep-alive"
        assert "late" in "".join(lines)

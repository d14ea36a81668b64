"""Each failure of the API, the login and the CLI has its own error for the client, and the next request works."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.standin import Reply, StandIn, blocks, cut, error, hang, raw, stream_error, text
from tests.support.api_client import error_of, reply_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.logins import SUBSCRIPTION
from tests.support.recorded import Body, chunks_of, streamed_text
from tests.support.single_answer import single_answer
from tests.support.wide import wide, wide_cases_except, wide_except

HOURS = 5 * 3600
SLOW = text("one two three four five six seven eight", delay=0.05)
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def _gateway_without_retries(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, "CLAUDE_MAX_RETRIES": "1"})
    yield gateway
    gateway.close()


@pytest.fixture
def gateway_without_retries(_gateway_without_retries: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway whose CLI does not retry failed requests, which would take seconds."""
    return _gateway_without_retries


def message_of_error(answer: httpx.Response, status: int, code: str) -> str:
    """Assert that the response is this error, in the shape of OpenAI, and return its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = error_of(answer)
    assert error.code == code
    assert error.message
    return error.message


def assert_next_request_works(gateway: Gateway, standin: StandIn) -> None:
    """Send a request and assert that it is answered."""
    standin.reset()
    standin.default(text("All is well."))
    assert reply_of(gateway.api.chat()) == "All is well."


def read_broken_stream(gateway: Gateway, **fields: Any) -> tuple[str, Body]:
    """Return the text and the error of a stream whose last event is the error, without `[DONE]`."""
    *events, last = gateway.api.stream_chat(**fields)
    parsed = [json.loads(event) for event in events]
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in parsed)
    assert json.loads(last).keys() == {"error"}
    return streamed_text(parsed), json.loads(last)["error"]


# Failures before the first byte

Expected = tuple[int, str, dict[str, str]]
NOT_LOGGED_IN: Expected = (503, "claude_not_logged_in", {"x-should-retry": "false"})
BILLING: Expected = (503, "billing_problem", {"x-should-retry": "false"})
UPSTREAM: Expected = (502, "upstream_error", {})
RETRYING = ("retry-after", "x-should-retry")

REFUSED: dict[str, tuple[Reply, Expected]] = {
    "400": (error(400, message="something odd"), (400, "invalid_request", {})),
    "400 credit": (error(400, message="Your credit balance is too low to access the API."), BILLING),
    "401": (error(401), NOT_LOGGED_IN),
    "402": (error(402, message="Payment required"), BILLING),
    "403": (error(403), NOT_LOGGED_IN),
    "404": (error(404), (400, "model_not_supported", {})),
    "413": (error(413), (413, "request_too_large", {})),
    "429": (error(429), (429, "account_limit_reached", {"retry-after": "1"})),
    "500": (error(500), UPSTREAM),
    "504": (error(504), UPSTREAM),
    "529": (error(529), (503, "overloaded", {"retry-after": "5"})),
    "no answer": (cut(-1), UPSTREAM),
    "no events": (raw([b"event: odd\ndata: {}\n\n"]), UPSTREAM),
    "no JSON": (raw([b"event: message_start\ndata: {oops\n\n"]), UPSTREAM),
}


@pytest.mark.parametrize(
    ("reply", "expected"),
    wide_cases_except(REFUSED, *(case for case in REFUSED if case not in ("402", "413", "504", "no events"))),
)
def test_failure_before_the_first_byte_has_a_real_status(
    gateway_without_retries: Gateway, standin: StandIn, reply: Reply, expected: Expected
) -> None:
    status, code, headers = expected
    standin.default(reply)
    answer = gateway_without_retries.api.chat(stream=True)
    message_of_error(answer, status, code)
    assert {name: answer.headers[name] for name in RETRYING if name in answer.headers} == headers


@pytest.mark.parametrize("case", wide_except(REFUSED, "400", "401", "500", "no answer"))
def test_next_request_works_after_a_failure(
    gateway_without_retries: Gateway, standin: StandIn, case: str
) -> None:
    standin.default(REFUSED[case][0])
    assert gateway_without_retries.api.chat().status_code == REFUSED[case][1][0]
    assert_next_request_works(gateway_without_retries, standin)


@pytest.mark.parametrize("case", ["401", "429", "529"])
def test_complete_answer_fails_with_the_same_status(
    gateway_without_retries: Gateway, standin: StandIn, case: str
) -> None:
    reply, (status, code, headers) = REFUSED[case]
    standin.default(reply)
    answer = gateway_without_retries.api.chat()
    message_of_error(answer, status, code)
    assert {name: answer.headers[name] for name in RETRYING if name in answer.headers} == headers


@pytest.mark.parametrize(
    "message", ["prompt is too long: 210000 tokens > 200000 maximum", "prompt is too long"]
)
def test_too_long_prompt_is_reported_in_the_words_clients_search_for(
    gateway_without_retries: Gateway, standin: StandIn, message: str
) -> None:
    standin.default(error(400, message=message))
    answer = gateway_without_retries.api.chat(stream=True)
    message = message_of_error(answer, 400, "context_length_exceeded")
    assert "maximum context length" in message
    assert answer.json()["error"]["param"] == "messages"


def test_prompt_larger_than_the_context_window_is_rejected(gateway_without_retries: Gateway) -> None:
    answer = gateway_without_retries.api.chat("word " * 170_000, model="claude-haiku-4-5")
    assert "maximum context length" in message_of_error(answer, 400, "context_length_exceeded")


def test_short_overload_is_retried(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("There you are."))
    standin.reply(error(529), times=1)
    assert reply_of(gateway.api.chat()) == "There you are."
    assert [record.status for record in standin.messages] == [529, 200]


def test_short_rate_limit_is_left_to_the_client(gateway: Gateway, standin: StandIn) -> None:
    standin.default(error(429, headers={"retry-after": "7"}))
    answer = gateway.api.chat()
    message_of_error(answer, 429, "account_limit_reached")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert 7 <= int(answer.headers["retry-after"]) <= 12
    assert "x-should-retry" not in answer.headers
    assert len(standin.messages) == 1


def test_rate_limit_that_resets_in_hours_forbids_a_retry(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="1", **SUBSCRIPTION)
    limit = {
        "retry-after": str(HOURS),
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(int(time.time()) + HOURS),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    standin.default(error(429, headers=limit))
    answer = gateway.api.chat()
    message_of_error(answer, 429, "account_limit_reached")
    assert HOURS - 60 < int(answer.headers["retry-after"]) <= HOURS
    assert answer.headers["x-should-retry"] == "false"
    assert len(standin.messages) == 1
    assert_next_request_works(gateway, standin)


def test_rejected_login_shows_in_health_until_an_answer_succeeds(
    gateway_without_retries: Gateway, standin: StandIn
) -> None:
    standin.default(error(401))
    message_of_error(gateway_without_retries.api.chat(), 503, "claude_not_logged_in")
    answer = gateway_without_retries.api.get("/health")
    assert answer.status_code == 503
    assert "/claude auth login`" in answer.json()["error"]
    assert_next_request_works(gateway_without_retries, standin)
    assert gateway_without_retries.api.get("/health").status_code == 200


# Failures after the first byte

MIDWAY: dict[str, tuple[Reply, str]] = {
    "overloaded": (stream_error(3, reply=SLOW), "overloaded"),
    "limited": (stream_error(3, type="rate_limit_error", reply=SLOW), "account_limit_reached"),
    "internal": (stream_error(3, type="api_error", reply=SLOW), "upstream_error"),
    "cut": (cut(3, reply=SLOW), "upstream_error"),
}


@pytest.mark.parametrize(("reply", "code"), MIDWAY.values(), ids=MIDWAY)
def test_failure_in_mid_stream_is_the_last_event(
    gateway: Gateway, standin: StandIn, reply: Reply, code: str
) -> None:
    standin.default(reply)
    written, problem = read_broken_stream(gateway)
    assert written
    assert SLOW.blocks[0].text.startswith(written)
    assert problem["code"] == code
    assert problem.keys() == {"message", "type", "param", "code"}
    assert len(standin.messages) == 1


@pytest.mark.parametrize(("case", "status"), [("overloaded", 503), ("cut", 502)])
def test_failure_in_mid_answer_fails_a_complete_answer(
    gateway_without_retries: Gateway, standin: StandIn, case: str, status: int
) -> None:
    reply, code = MIDWAY[case]
    standin.default(reply)
    message_of_error(gateway_without_retries.api.chat(), status, code)


def test_dropped_connection_without_retries_is_an_error(
    gateway_without_retries: Gateway, standin: StandIn
) -> None:
    standin.default(cut(3, reply=SLOW))
    written, problem = read_broken_stream(gateway_without_retries)
    assert written.startswith("one")
    assert problem["code"] == "upstream_error"


# Unusual stop reasons

ENDINGS: dict[str, tuple[Reply, str, str]] = {
    "refusal": (text("I would rather not", stop_reason="refusal"), "I would rather not", "content_filter"),
    "refusal without a word": (blocks(stop_reason="refusal"), "", "content_filter"),
    "nothing": (blocks(), "", "stop"),
    "an empty block": (text(""), "", "stop"),
    "a pause": (text("a b", stop_reason="pause_turn"), "a b", "stop"),
    "the window is full": (text("a b", stop_reason="model_context_window_exceeded"), "a b", "length"),
    "something new": (text("a b", stop_reason="brand_new"), "a b", "stop"),
}


@pytest.mark.parametrize(
    ("reply", "content", "reason"),
    wide_cases_except(ENDINGS, "refusal", "nothing", "the window is full", "something new"),
)
def test_unusual_stop_reasons_end_a_stream_after_one_request(
    gateway: Gateway, standin: StandIn, reply: Reply, content: str, reason: str
) -> None:
    with single_answer(gateway, standin, reply):
        answer = chunks_of(gateway.api.stream_chat())
        assert (streamed_text(answer), answer[-1]["choices"][0]["finish_reason"]) == (content, reason)


@pytest.mark.parametrize("case", ["refusal", "nothing"])
def test_unusual_stop_reasons_end_a_complete_answer_after_one_request(
    gateway: Gateway, standin: StandIn, case: str
) -> None:
    reply, content, reason = ENDINGS[case]
    with single_answer(gateway, standin, reply):
        choice = gateway.api.chat().json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (content, reason)
        assert choice["message"]["refusal"] is None


# Silence


def assert_stream_times_out(
    gateway: Gateway, standin: StandIn, reply: Reply, start: str, message: str
) -> None:
    """Require that an answer that begins with `start` ends with an error, and that the next one works."""
    gateway.await_warm(1)
    standin.default(reply)
    written, problem = read_broken_stream(gateway)
    assert written.startswith(start)
    assert problem["code"] == "timeout"
    assert message in problem["message"]
    standin.wait_for(lambda: all(record.aborted for record in standin.messages))
    gateway.await_warm(1)
    assert_next_request_works(gateway, standin)


def test_silence_is_an_error_and_never_a_normal_end(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="1", STREAMING_TIMEOUT_SECONDS="1.5")
    gateway.await_warm(1)
    standin.default(hang(-1))
    began = time.monotonic()
    assert "silent for 1.5 seconds" in message_of_error(gateway.api.chat(), 504, "timeout")
    assert 1.4 < time.monotonic() - began < 20
    assert_stream_times_out(gateway, standin, hang(3, reply=SLOW), "one two three", "silent for 1.5 seconds")


@wide
def test_long_answer_is_an_error_and_never_a_normal_end(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    """The limit of silence is the default here: a busy machine may well be silent for some seconds."""
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="1", TURN_TIMEOUT_SECONDS="4")
    endless = text("word " * 1000, delay=0.1)
    assert_stream_times_out(gateway, standin, endless, "word word", "longer than 4 seconds")


# Missing login or CLI


def test_missing_login_is_reported(start_gateway: Callable[..., Gateway], standin: StandIn) -> None:
    gateway = start_gateway(ANTHROPIC_API_KEY=None, **NOTHING_KEPT, WARM_PROCESSES="1")
    wait_for(lambda: gateway.api.health()["claude"]["logged_in"] is False, 30)
    for stream in (False, True):
        answer = gateway.api.chat(stream=stream)
        assert "/claude auth login`" in message_of_error(answer, 503, "claude_not_logged_in")
        assert answer.headers["x-should-retry"] == "false"
    health = gateway.api.get("/health")
    assert health.status_code == 503
    assert health.json()["status"] == "unhealthy"
    assert "CLAUDE_API_KEY" in health.json()["error"]
    assert "is not logged in" in gateway.log
    assert not standin.messages


def write_program(folder: Path, script: str) -> str:
    """Write a program to use instead of the CLI, and return its path."""
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "problem"),
    wide_cases_except(
        {
            "missing": (None, "not working"),
            "too old": ('echo "2.0.1 (Claude Code)"', "2.0.1"),
            "broken": ("echo Segmentation fault; exit 139", "not working"),
        },
        "too old",
    ),
)
def test_missing_or_unusable_cli_is_reported(
    start_gateway: Callable[..., Gateway], standin: StandIn, tmp_path: Path, script: str | None, problem: str
) -> None:
    path = write_program(tmp_path, script) if script else str(tmp_path / "nowhere")
    gateway = start_gateway(CLAUDE_BINARY_PATH=path)
    for stream in (False, True):
        began = time.monotonic()
        answer = gateway.api.chat(stream=stream)
        message = message_of_error(answer, 503, "claude_unavailable")
        assert time.monotonic() - began < 10
        assert answer.headers["x-should-retry"] == "false"
        assert all(part in message for part in (path, problem, "make install", "CLAUDE_BINARY_PATH"))
    health = gateway.api.get("/health")
    assert health.status_code == 503
    assert problem in health.json()["error"]
    assert "CLAUDE_BINARY_PATH" in gateway.log
    assert gateway.api.get("/v1/models").status_code == 200
    assert not gateway.cli_processes()

"""The transport of requests and responses: content types, body limits, stream headers and keep-alives."""

import json
import time
from collections.abc import Callable

import pytest

from tests.standin import StandIn, text
from tests.support.api_client import chat_body, error_of
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.wide import wide, wide_except

PATH = "/v1/chat/completions"
CONTENT_TYPES = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None]


@pytest.mark.parametrize("content_type", wide_except(CONTENT_TYPES, "text/plain", None))
def test_json_is_accepted_with_any_content_type(
    gateway: Gateway, standin: StandIn, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = gateway.api.post(PATH, content=json.dumps(chat_body()).encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert len(standin.messages) == 1


def test_body_over_the_limit_is_rejected_with_a_length_and_in_chunks(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    gateway = start_gateway(**NOTHING_KEPT, MAX_REQUEST_BYTES="1000", WARM_PROCESSES="1")
    large = json.dumps(chat_body("x" * 2000)).encode()
    for body in (large, (part for part in (large[:500], large[500:]))):
        answer = gateway.api.post(PATH, content=body)
        assert error_of(answer)[:2] == (413, "request_too_large")
        assert "MAX_REQUEST_BYTES" in error_of(answer).message
        assert answer.headers["x-request-id"]
    assert gateway.api.chat().status_code == 200
    assert len(standin.messages) == 1


def test_stream_waits_for_the_model_and_has_the_headers_of_one(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("a b", head_delay=0.5))
    began = time.monotonic()
    with gateway.api.stream("POST", PATH, json=chat_body(stream=True)) as answer:
        assert time.monotonic() - began >= 0.5  # the 200 is sent when the model has begun
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        lines = list(answer.iter_lines())
    assert all(line == "" or line.startswith("data: ") for line in lines)
    assert [line for line in lines if line][-1] == "data: [DONE]"


@wide  # the tests with the scripted CLI check the same with a shorter interval
def test_silent_stream_is_kept_alive_every_ten_seconds(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("late", first_delay=12))
    with gateway.api.stream("POST", PATH, json=chat_body(stream=True)) as answer:
        lines = answer.iter_lines()
        began = time.monotonic()
        comment = next(line for line in lines if line.startswith(":"))
        assert 9 < time.monotonic() - began < 30
        assert comment == ": keep-alive"
        assert "late" in "".join(lines)

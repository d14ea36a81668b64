"""Whole answers that take long begin with white space, so that a tunnel does not cut the connection."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.model.test_upstream_errors import SLOW
from tests.standin import StandIn, error, stream_error
from tests.support.api_client import Api
from tests.support.gateway import NOTHING_KEPT, Gateway

Ask = Callable[..., Any]
ASKS = [Api.chat, Api.create_completion, Api.create_response, Api.create_message]


@pytest.fixture(scope="module")
def impatient_gateway(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    """Return a gateway that sends white space after a tenth of a second."""
    settings = {"KEEPALIVE_WHOLE_ANSWERS_SECONDS": "0.1", "WARM_PROCESSES": "1", "CLAUDE_MAX_RETRIES": "1"}
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, **settings})
    yield gateway
    gateway.close()


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
def test_slow_answer_begins_with_white_space(impatient_gateway: Gateway, standin: StandIn, ask: Ask) -> None:
    standin.default(SLOW)
    answer = ask(impatient_gateway.api)
    assert answer.status_code == 200
    assert answer.content.startswith(b"  ")
    assert "eight" in json.dumps(answer.json())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
def test_late_error_is_the_body_in_the_shape_of_the_dialect(
    impatient_gateway: Gateway, standin: StandIn, ask: Ask
) -> None:
    standin.default(stream_error(6, reply=SLOW))
    answer = ask(impatient_gateway.api)
    assert answer.status_code == 200
    body = answer.json()
    if ask is Api.create_message:
        assert (body["type"], body["error"]["type"]) == ("error", "overloaded_error")
    else:
        assert (body["error"]["code"], body["error"]["type"]) == ("overloaded", "server_error")


def test_early_error_keeps_its_status(impatient_gateway: Gateway, standin: StandIn) -> None:
    standin.default(error(401))
    assert impatient_gateway.api.chat().status_code == 503


def test_quick_answer_has_no_white_space(gateway: Gateway) -> None:
    answer = gateway.api.chat()
    assert answer.content.startswith(b"{")
    assert int(answer.headers["content-length"]) == len(answer.content)

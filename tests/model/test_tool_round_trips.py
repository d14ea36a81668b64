"""A process waits for the results of its calls, and a seeded one sends the same request."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.standin import StandIn
from tests.support.api_client import body_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.logins import LOGINS
from tests.support.recorded import process_of
from tests.support.sockets import kill_all_processes
from tests.support.tool_bodies import (
    ANSWERED,
    ASKED,
    CLOCK,
    MODELS,
    WEATHER,
    Body,
    comparable_body,
    script_weather,
    two_calls,
)


def waiting_processes(gateway: Gateway) -> int:
    count: int = gateway.api.health()["claude"]["waiting_for_tools"]
    return count


def choice_for(gateway: Gateway, key: str, **body: Any) -> Body:
    """Ask with this API key and return the first choice."""
    choice: Body = body_of(gateway.api.with_key(key).chat(**body))["choices"][0]
    return choice


@pytest.mark.parametrize("model", MODELS)
def test_live_and_seeded_tool_rounds_send_the_same_request(
    gateway: Gateway, standin: StandIn, model: str | None
) -> None:
    fields = {"tools": [WEATHER, CLOCK], "model": model, "max_tokens": 9000, "system_prompt": "Be brief."}
    records = []
    for second in ("ann", "bob"):  # the waiting process belongs to Ann, so Bob gets another one
        script_weather(standin)
        assert choice_for(gateway, "ann", messages=ASKED, **fields)["finish_reason"] == "tool_calls"
        choice = choice_for(gateway, second, messages=ANSWERED, **fields)
        assert choice["message"]["content"] == "Sun in Rome, snow in Oslo."
        first, last = process_of(standin.messages[-2]), process_of(standin.messages.last)
        assert (first == last) == (second == "ann")
        records.append(comparable_body(standin.messages.last))
    live, seeded = records
    if seeded["thinking" if "thinking" in seeded else "model"] == {"type": "disabled"}:
        for changed in ("thinking", "temperature", "context_management"):
            live.pop(changed, None)
            seeded.pop(changed, None)
    assert live == seeded


def test_tool_results_go_to_the_waiting_process(gateway: Gateway, standin: StandIn) -> None:
    script_weather(standin)
    first = gateway.api.chat(messages=ASKED, tools=[WEATHER], system_prompt="Live.").json()["usage"]
    second = gateway.api.chat(messages=ANSWERED, tools=[WEATHER], system_prompt="Live.").json()["usage"]
    assert second["prompt_tokens"] < 2 * first["prompt_tokens"]  # the usage of this round only
    assert process_of(standin.messages[0]) == process_of(standin.messages.last)


def test_process_killed_between_call_and_result_is_replaced(gateway: Gateway, standin: StandIn) -> None:
    script_weather(standin)
    gateway.api.chat(messages=ASKED, tools=[WEATHER])
    kill_all_processes(gateway)
    answer = gateway.api.chat(messages=ANSWERED, tools=[WEATHER])
    assert answer.json()["choices"][0]["message"]["content"] == "Sun in Rome, snow in Oslo."


def test_tool_results_may_be_sent_to_another_gateway(
    gateway: Gateway,
    start_gateway: Callable[..., Gateway],
    standin: StandIn,
    request: pytest.FixtureRequest,
) -> None:
    other = start_gateway(**NOTHING_KEPT, **LOGINS[request.node.callspec.params["gateway"]])
    records = []
    for second in (gateway, other):
        script_weather(standin)
        (choice,) = gateway.api.chat(messages=ASKED, tools=[WEATHER]).json()["choices"]
        assert choice["finish_reason"] == "tool_calls"
        answer = second.api.chat(messages=ANSWERED, tools=[WEATHER])
        assert answer.json()["choices"][0]["message"]["content"] == "Sun in Rome, snow in Oslo."
        records.append(comparable_body(standin.messages.last))
    assert records[0] == records[1]


def test_parameters_may_change_between_tool_rounds(gateway: Gateway, standin: StandIn) -> None:
    script_weather(standin)
    gateway.api.chat(messages=ASKED, tools=[WEATHER], max_tokens=5000)
    answer = gateway.api.chat(messages=ANSWERED, tools=[WEATHER], max_tokens=6000, tool_choice="none")
    assert answer.status_code == 200
    body = standin.messages.last.body
    assert (body["max_tokens"], body["tool_choice"]) == (6000, {"type": "none"})


@pytest.mark.wide
def test_process_stops_waiting_for_tool_results_after_a_while(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    gateway = start_gateway(**NOTHING_KEPT, TOOL_WAIT_SECONDS="3", WARM_PROCESSES="1")
    standin.default(two_calls())
    gateway.api.chat(messages=ASKED, tools=[WEATHER])
    wait_for(lambda: waiting_processes(gateway) == 1, 2)
    wait_for(lambda: waiting_processes(gateway) == 0, 10)
    wait_for(lambda: gateway.api.health()["claude"]["processes"] == 1, 10)

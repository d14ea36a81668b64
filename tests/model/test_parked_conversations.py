"""A conversation keeps its CLI process: it is found again, never shared, and ended at the process limit."""

import functools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.standin import StandIn, error, hang, text, tool_calls
from tests.support.api_client import reply_of
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import (
    Body,
    assert_prompts_grow,
    assistant,
    process_of,
    system,
    turns_of,
    user,
)
from tests.support.scripted import ScriptedCli
from tests.support.sockets import kill_all_processes
from tests.support.tool_bodies import CLOCK, assistant_calls, tool_call, tool_result
from tests.support.wide import wide, wide_cases_except, wide_except

pytestmark = pytest.mark.usefixtures("echoing_model")

Start = Callable[..., Gateway]

HAIKU = "claude-haiku-4-5"
MODELS = wide_except(
    [None, "claude-opus-4-6", "claude-haiku-4-5", "claude-3-5-haiku-20241022"], None, "claude-haiku-4-5"
)


@pytest.fixture
def start_scripted(start_gateway: Start, tmp_path: Path) -> Start:
    """Return a function that starts a gateway with the scripted CLI, for tests that only count processes."""
    return functools.partial(start_gateway, **ScriptedCli(tmp_path).environ)


def ask(gateway: Gateway, messages: list[Body], **fields: Any) -> str:
    """Send a conversation and return the text of the answer."""
    return reply_of(gateway.api.chat(messages=messages, **fields))


def count_reuses(gateway: Gateway) -> int:
    """Return how often a turn found a parked process."""
    count: int = gateway.api.health()["claude"]["kept_hits"]
    return count


def count_conversations(gateway: Gateway) -> int:
    """Return how many processes are parked with a conversation. Others have forgotten it."""
    claude = gateway.api.health()["claude"]
    return int(claude["kept"] - claude["prepared"])


@pytest.mark.parametrize("model", MODELS)
def test_ten_turns_share_one_process_and_one_growing_prompt(
    keeping_gateway: Gateway, standin: StandIn, model: str | None
) -> None:
    messages = [system("Be brief.")]
    for turn in range(10):
        messages.append(user(f"turn {turn} @/etc/hostname"))
        messages.append(assistant(ask(keeping_gateway, messages, model=model)))
        assert messages[-1]["content"] == f"You said turn {turn} @/etc/hostname"
    records = list(standin.messages)
    assert len(records) == 10
    assert len({process_of(record) for record in records}) == 1
    assert_prompts_grow(records)
    assert [texts for _, texts in turns_of(records[-1])] == [[m["content"]] for m in messages[1:-1]]


def test_parameters_may_change_between_turns(keeping_gateway: Gateway, standin: StandIn) -> None:
    messages = [user("a")]
    messages.append(assistant(ask(keeping_gateway, messages, model=HAIKU, temperature=0.5, max_tokens=900)))
    messages.append(user("b"))
    ask(keeping_gateway, messages, model=HAIKU, reasoning_effort="low", stop="X")
    first, second = standin.messages
    assert process_of(first) == process_of(second)
    assert (first.body["temperature"], first.body["max_tokens"]) == (0.5, 900)
    assert "temperature" not in second.body
    assert second.body["max_tokens"] > 900
    assert second.body["thinking"]["budget_tokens"] == 4096
    assert second.body["stop_sequences"] == ["X"]


PARAMETERS: list[Body] = [
    {},
    {"reasoning_effort": "low", "max_tokens": 7000},
    {"reasoning_effort": "high", "stop": ["X"]},
    {"reasoning_effort": "none", "temperature": 0.5, "tool_choice": "none"},
    {"max_tokens": 900, "parallel_tool_calls": False},
    {},
]


@pytest.mark.parametrize("model", MODELS)
def test_changed_parameters_add_nothing_to_the_prompt(
    keeping_gateway: Gateway, standin: StandIn, model: str | None
) -> None:
    messages = [system("Be brief.")]
    for turn, fields in enumerate(PARAMETERS):
        messages.append(user(f"turn {turn}"))
        messages.append(assistant(ask(keeping_gateway, messages, model=model, tools=[CLOCK], **fields)))
    records = list(standin.messages)
    assert len({process_of(record) for record in records}) == 1
    assert_prompts_grow(records)
    assert [texts for _, texts in turns_of(records[-1])] == [[m["content"]] for m in messages[1:-1]]


def test_another_model_gets_another_process(keeping_gateway: Gateway, standin: StandIn) -> None:
    """After a change of the model, the CLI would write "Set model to …" into the prompt."""
    messages = [system("Models."), user("a")]
    for model in ("claude-opus-4-6", HAIKU, "claude-opus-4-6", None):
        messages.append(assistant(ask(keeping_gateway, messages, model=model)))
        messages.append(user("b"))
        record = standin.messages.last
        assert [texts for _, texts in turns_of(record)] == [[m["content"]] for m in messages[1:-2]]
    first, _, third, _ = processes = [process_of(record) for record in standin.messages]
    assert first == third  # it is given the turn of the other model as history
    assert len(set(processes)) == len({record.body["model"] for record in standin.messages}) == 3


@pytest.mark.parametrize(
    "rewritten",
    [
        pytest.param({"role": "assistant", "content": [{"type": "text", "text": "You said a"}]}, marks=wide),
        {"role": "assistant", "content": "You said a\n", "tool_calls": [], "refusal": None, "name": None},
        {"role": "assistant", "content": " You said a", "reasoning_content": "hm", "annotations": []},
    ],
)
def test_harmless_rewriting_of_an_answer_still_finds_the_process(
    keeping_gateway: Gateway, standin: StandIn, rewritten: Body
) -> None:
    assert ask(keeping_gateway, [user("a")]) == "You said a"
    ask(keeping_gateway, [user("a"), rewritten, user("b")])
    assert process_of(standin.messages[0]) == process_of(standin.messages[1])


def test_reserialized_tool_arguments_still_find_the_process(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    standin.reply(tool_calls([("now", {"a": 1, "b": [2]}, "toolu_k")]), times=1)
    body = {"messages": [user("t")], "tools": [CLOCK]}
    keeping_gateway.api.post("/v1/chat/completions", json=body)
    again = assistant_calls(tool_call("now", '{ "b":[2],  "a":1 }', "toolu_k"), content="")
    ask(keeping_gateway, [user("t"), again, tool_result("toolu_k", "noon")], tools=[CLOCK])
    assert process_of(standin.messages[0]) == process_of(standin.messages[1])


FOLLOW_UP = [user("a"), assistant("You said a"), user("b")]
CHANGED: dict[str, Body] = {
    "answer": {"messages": [user("a"), assistant("Something else"), user("b")]},
    "question": {"messages": [user("A"), assistant("You said a"), user("b")]},
    "system": {"messages": [system("new"), *FOLLOW_UP]},
    "tools": {"messages": FOLLOW_UP, "tools": [CLOCK]},
    "schema": {"messages": FOLLOW_UP, "response_format": {"type": "json_object"}},
}


@pytest.mark.parametrize("changed", wide_cases_except(CHANGED, "answer", "system", "tools"))
def test_changed_conversation_does_not_reuse_the_process(
    keeping_gateway: Gateway, standin: StandIn, changed: Body
) -> None:
    ask(keeping_gateway, [user("a")])
    before = count_reuses(keeping_gateway)
    standin.reset()
    answer = keeping_gateway.api.post("/v1/chat/completions", json=changed)
    assert answer.status_code == 200
    assert count_reuses(keeping_gateway) == before


def test_two_simultaneous_branches_get_two_processes(keeping_gateway: Gateway, standin: StandIn) -> None:
    ask(keeping_gateway, [user("a")])
    before = count_reuses(keeping_gateway)
    history = [user("a"), assistant("You said a")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda text: ask(keeping_gateway, [*history, user(text)]), ["b", "c"]))
    assert answers == ["You said b", "You said c"]
    assert count_reuses(keeping_gateway) == before + 1
    first, *branches = standin.messages
    assert sorted(turns_of(record)[-1][1] for record in branches) == [["b"], ["c"]]
    assert [process_of(record) for record in branches].count(process_of(first)) == 1
    assert all(len(turns_of(record)) == 3 for record in branches)


def test_branch_from_an_earlier_message_is_seeded(keeping_gateway: Gateway, standin: StandIn) -> None:
    history = [user("a")]
    history.append(assistant(ask(keeping_gateway, history)))
    ask(keeping_gateway, [*history, user("b")])
    assert ask(keeping_gateway, [*history, user("c")]) == "You said c"
    assert [texts for _, texts in turns_of(standin.messages.last)] == [["a"], ["You said a"], ["c"]]


def test_several_new_messages_continue_in_the_parked_process(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    ask(keeping_gateway, [user("a")])
    before = count_reuses(keeping_gateway)
    messages = [user("a"), assistant("You said a"), user("b"), assistant("elsewhere"), user("c")]
    ask(keeping_gateway, messages)
    assert count_reuses(keeping_gateway) == before + 1
    assert [texts for _, texts in turns_of(standin.messages.last)] == [[m["content"]] for m in messages]


def test_two_keys_never_share_a_process(keeping_gateway: Gateway, standin: StandIn) -> None:
    """Keys share neither parked conversations nor processes that were set up in advance."""
    apis = [keeping_gateway.api.with_key(key) for key in ("alice", "bob", None, "Alice")]
    for api in apis:
        reply_of(api.chat(messages=[system("s"), user("a")]))
    owners = [process_of(record) for record in standin.messages]
    assert len(set(owners)) == len(apis)
    standin.reset()
    follow_up = [system("s"), user("a"), assistant("You said a"), user("b")]
    others = [keeping_gateway.api.with_key(key) for key in ("mallory", "ALICE")]
    for api in (*others, *apis):
        reply_of(api.chat(messages=follow_up))
    assert [process_of(record) in owners for record in standin.messages[:2]] == [False, False]
    wait_for(lambda: keeping_gateway.api.health()["claude"]["warm"] > 0, 10)
    own = [process_of(record) for record in standin.messages[2:]]
    assert all(one == other or one not in owners for one, other in zip(own, owners, strict=True))
    assert own[-1] == owners[-1]


def test_failed_and_truncated_answers_are_not_parked(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(WARM_PROCESSES="1", MAX_WARM_PROCESSES="1")
    standin.reply(error(400), when="bad")
    standin.reply(text("one two three"), when="long")
    standin.reply(hang(after=1), when="hang")
    gateway.api.chat("bad")
    gateway.api.chat("long", max_tokens=2)
    stream = gateway.api.stream_chat("hang")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    wait_for(lambda: gateway.api.health()["claude"]["running"] == 0)
    assert count_conversations(gateway) == 0
    gateway.api.chat("good")
    assert count_conversations(gateway) == 1


def test_dead_parked_process_is_replaced(keeping_gateway: Gateway, standin: StandIn) -> None:
    ask(keeping_gateway, [user("a")])
    kill_all_processes(keeping_gateway)
    assert ask(keeping_gateway, [user("a"), assistant("You said a"), user("b")]) == "You said b"
    assert len({process_of(record) for record in standin.messages}) == 2


def test_parked_process_ends_after_keep_seconds(start_scripted: Start) -> None:
    gateway = start_scripted(KEEP_SECONDS="3", WARM_PROCESSES="1", MAX_WARM_PROCESSES="1")
    gateway.api.chat("a")
    assert gateway.api.health()["claude"]["kept"] == 1
    wait_for(lambda: gateway.api.health()["claude"]["kept"] == 0, 10)


def test_parking_can_be_turned_off(gateway: Gateway, standin: StandIn) -> None:
    ask(gateway, [user("a"), assistant(ask(gateway, [user("a")])), user("b")])
    first, second = standin.messages
    assert process_of(first) != process_of(second)


def test_least_recently_used_conversation_gives_way_at_the_process_limit(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_PROCESSES="4", WARM_PROCESSES="1", MAX_WARM_PROCESSES="1")
    for name in "abcdefgh":
        ask(gateway, [system(name), user(name)])
        assert len(gateway.cli_processes()) <= 4 + 1  # one may be ending
    wait_for(lambda: gateway.api.health()["claude"]["warm"] == 1, 20)
    wait_for(lambda: gateway.api.health()["claude"]["processes"] <= 4, 20)
    ask(gateway, [system("h"), user("h"), assistant("You said: h"), user("again")])
    assert count_reuses(gateway) == 1
    ask(gateway, [system("a"), user("a"), assistant("You said: a"), user("again")])
    assert count_reuses(gateway) == 1  # its process was ended, so the conversation is seeded


def test_running_turns_take_precedence_over_parked_conversations(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_PROCESSES="3", WARM_PROCESSES="0", MAX_CONCURRENT_SESSIONS="9")
    for name in "abc":
        gateway.api.chat(name)
    assert gateway.api.health()["claude"]["kept"] >= 2
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(gateway.api.chat, [f"SLOW {i}" for i in range(5)]))
    assert [answer.status_code for answer in answers] == [200] * 5
    wait_for(lambda: gateway.api.health()["claude"]["processes"] <= 3, 20)


@pytest.mark.wide
def test_warm_pool_grows_with_demand(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_PROCESSES="12", WARM_PROCESSES="1", KEEP_SECONDS="0")
    gateway.await_warm(1)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(gateway.api.chat, [f"SLOW {i}" for i in range(5)]))
    wait_for(lambda: gateway.api.health()["claude"]["warm"] >= 5, 30)


def test_repeated_setup_is_prepared_in_advance(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(MAX_WARM_PROCESSES="1")
    fields: Body = {"tools": [CLOCK], "model": "claude-haiku-4-5"}
    for name in ("a", "b"):
        ask(gateway, [system("You are a clock."), user(name)], **fields)
    wait_for(lambda: gateway.api.health()["claude"]["prepared"] == 1, 20)
    before = count_reuses(gateway)
    ask(gateway, [system("You are a clock."), user("c")], **fields)
    assert count_reuses(gateway) == before + 1
    body = standin.messages.last.body
    assert turns_of(standin.messages.last) == [("user", ["c"])]
    assert [block["text"] for block in body["system"]][-1] == "You are a clock."
    assert [tool["name"] for tool in body["tools"]] == ["now"]
    assert json.dumps(body).count("You said") == 0


@pytest.mark.parametrize("used", [165_000, 195_000], ids=["getting full", "full"])
def test_long_conversation_is_never_summarized(keeping_gateway: Gateway, standin: StandIn, used: int) -> None:
    """The model reports that its window is (almost) full, after which the CLI would shorten the conversation."""
    standin.reply(text("You said a", usage={"input_tokens": used}), times=1)
    messages = [user("a"), assistant(ask(keeping_gateway, [user("a")], model="claude-haiku-4-5")), user("b")]
    body = {"messages": messages, "model": "claude-haiku-4-5"}
    answer = keeping_gateway.api.post("/v1/chat/completions", json=body)
    if answer.status_code == 200:
        assert [texts for _, texts in turns_of(standin.messages.last)] == [["a"], ["You said a"], ["b"]]
        assert len(standin.messages) == 2
    else:
        assert answer.json()["error"]["code"] == "context_length_exceeded"
        assert len(standin.messages) == 1

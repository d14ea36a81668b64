"""A conversation keeps its process: found again, never shared, never beyond the budget."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.standin import Recorded, StandIn, error, hang, text, tool_calls
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import Body, assistant, system, turns_of, user
from tests.support.scripted import ScriptedCli
from tests.support.sockets import kill_all_processes
from tests.support.tool_bodies import CLOCK, assistant_calls, tool_call, tool_result
from tests.support.wide import wide, wide_cases_except, wide_except

pytestmark = pytest.mark.usefixtures("echoing_model")

Start = Callable[..., Gateway]

MODELS = wide_except(
    [None, "claude-opus-4-6", "claude-haiku-4-5", "claude-3-5-haiku-20241022"], None, "claude-haiku-4-5"
)


@pytest.fixture
def start_scripted(start_gateway: Start, tmp_path: Path) -> Start:
    """Starts a gateway in front of the scripted CLI, where it is processes that count and not what they say."""
    return functools.partial(start_gateway, **ScriptedCli(tmp_path).environ)


def said(gateway: Gateway, messages: list[Body], key: str | None = None, **fields: Any) -> str:
    """The answer to a conversation."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"messages": messages, **fields}
    answer = gateway.api.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def session(record: Recorded) -> str:
    """The CLI process that made a request."""
    return record.headers["x-claude-code-session-id"]


def hits(gateway: Gateway) -> int:
    count: int = gateway.api.health()["claude"]["kept_hits"]
    return count


def unmarked(value: Any) -> Any:
    """Without cache marks, which move on with the conversation."""
    if isinstance(value, dict):
        return {key: unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


def as_blocks(messages: list[Body]) -> list[Body]:
    """Messages with their content as blocks: the CLI writes a lone text either way."""
    return [
        {
            **m,
            "content": [{"type": "text", "text": m["content"]}]
            if isinstance(m["content"], str)
            else m["content"],
        }
        for m in messages
    ]


@pytest.mark.parametrize("model", MODELS)
def test_ten_turns_share_one_process_and_one_growing_prompt(
    keeping_gateway: Gateway, standin: StandIn, model: str | None
) -> None:
    messages = [system("Be brief.")]
    for turn in range(10):
        messages.append(user(f"turn {turn} @/etc/hostname"))
        messages.append(assistant(said(keeping_gateway, messages, model=model)))
        assert messages[-1]["content"] == f"You said turn {turn} @/etc/hostname"
    records = list(standin.messages)
    assert len(records) == 10
    assert len({session(record) for record in records}) == 1
    for earlier, later in itertools.pairwise(records):
        before = unmarked(as_blocks(earlier.body["messages"]))
        assert unmarked(as_blocks(later.body["messages"]))[: len(before)] == before
        assert unmarked(later.body["system"]) == unmarked(earlier.body["system"])
    assert [texts for _, texts in turns_of(records[-1])] == [[m["content"]] for m in messages[1:-1]]


def test_parameters_may_change_between_turns(keeping_gateway: Gateway, standin: StandIn) -> None:
    messages = [user("a")]
    messages.append(
        assistant(said(keeping_gateway, messages, model="claude-opus-4-6", temperature=0.5, max_tokens=900))
    )
    messages.append(user("b"))
    said(keeping_gateway, messages, model="claude-haiku-4-5", reasoning_effort="low", stop="X")
    first, second = standin.messages
    assert session(first) == session(second)
    assert (first.body["temperature"], first.body["max_tokens"]) == (0.5, 900)
    assert second.body["model"] == "claude-haiku-4-5-20251001"
    assert "temperature" not in second.body
    assert second.body["max_tokens"] > 900
    assert second.body["thinking"]["budget_tokens"] == 4096
    assert second.body["stop_sequences"] == ["X"]


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
    assert said(keeping_gateway, [user("a")]) == "You said a"
    said(keeping_gateway, [user("a"), rewritten, user("b")])
    assert session(standin.messages[0]) == session(standin.messages[1])


def test_reserialized_tool_arguments_still_find_the_process(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    standin.reply(tool_calls([("mcp__client__now", {"a": 1, "b": [2]}, "toolu_k")]), times=1)
    body = {"messages": [user("t")], "tools": [CLOCK]}
    keeping_gateway.api.post("/v1/chat/completions", json=body)
    again = assistant_calls(tool_call("now", '{ "b":[2],  "a":1 }', "toolu_k"), content="")
    said(keeping_gateway, [user("t"), again, tool_result("toolu_k", "noon")], tools=[CLOCK])
    assert session(standin.messages[0]) == session(standin.messages[1])


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
    said(keeping_gateway, [user("a")])
    before = hits(keeping_gateway)
    standin.reset()
    answer = keeping_gateway.api.post("/v1/chat/completions", json=changed)
    assert answer.status_code == 200
    assert hits(keeping_gateway) == before


def test_two_simultaneous_branches_get_two_processes(keeping_gateway: Gateway, standin: StandIn) -> None:
    said(keeping_gateway, [user("a")])
    before = hits(keeping_gateway)
    history = [user("a"), assistant("You said a")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda text: said(keeping_gateway, [*history, user(text)]), ["b", "c"]))
    assert answers == ["You said b", "You said c"]
    assert hits(keeping_gateway) == before + 1
    first, *branches = standin.messages
    assert sorted(turns_of(record)[-1][1] for record in branches) == [["b"], ["c"]]
    assert [session(record) for record in branches].count(session(first)) == 1
    assert all(len(turns_of(record)) == 3 for record in branches)


def test_branch_from_an_earlier_message_is_seeded(keeping_gateway: Gateway, standin: StandIn) -> None:
    history = [user("a")]
    history.append(assistant(said(keeping_gateway, history)))
    said(keeping_gateway, [*history, user("b")])
    assert said(keeping_gateway, [*history, user("c")]) == "You said c"
    assert [texts for _, texts in turns_of(standin.messages.last)] == [["a"], ["You said a"], ["c"]]


def test_several_new_messages_continue_in_the_parked_process(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    said(keeping_gateway, [user("a")])
    before = hits(keeping_gateway)
    messages = [user("a"), assistant("You said a"), user("b"), assistant("elsewhere"), user("c")]
    said(keeping_gateway, messages)
    assert hits(keeping_gateway) == before + 1
    assert [texts for _, texts in turns_of(standin.messages.last)] == [[m["content"]] for m in messages]


def test_two_keys_never_share_a_process(keeping_gateway: Gateway, standin: StandIn) -> None:
    """Neither a kept conversation, nor one that is set up ahead."""
    del keeping_gateway.api.headers["Authorization"]
    keys = ("alice", "bob", None, "Alice")
    for key in keys:
        said(keeping_gateway, [system("s"), user("a")], key)
    owners = [session(record) for record in standin.messages]
    assert len(set(owners)) == len(keys)
    standin.reset()
    follow_up = [system("s"), user("a"), assistant("You said a"), user("b")]
    for key in ("mallory", "ALICE", *keys):
        said(keeping_gateway, follow_up, key)
    assert [session(record) in owners for record in standin.messages[:2]] == [False, False]
    wait_for(lambda: keeping_gateway.api.health()["claude"]["warm"] > 0, 10)
    own = [session(record) for record in standin.messages[2:]]
    assert all(one == other or one not in owners for one, other in zip(own, owners, strict=True))
    assert own[-1] == owners[-1]


def test_failed_and_truncated_answers_are_not_parked(start_gateway: Start, standin: StandIn) -> None:
    keeper = start_gateway(WARM_PROCESSES="1", MAX_WARM_PROCESSES="1")
    standin.reply(error(400), when="bad")
    standin.reply(text("one two three"), when="long")
    standin.reply(hang(after=1), when="hang")
    keeper.api.chat("bad")
    keeper.api.chat("long", max_tokens=2)
    stream = keeper.api.stream_chat("hang")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    wait_for(lambda: keeper.api.health()["claude"]["running"] == 0)
    assert keeper.api.health()["claude"]["kept"] == 0
    keeper.api.chat("good")
    assert keeper.api.health()["claude"]["kept"] == 1


def test_dead_parked_process_is_replaced(keeping_gateway: Gateway, standin: StandIn) -> None:
    said(keeping_gateway, [user("a")])
    kill_all_processes(keeping_gateway)
    assert said(keeping_gateway, [user("a"), assistant("You said a"), user("b")]) == "You said b"
    assert len({session(record) for record in standin.messages}) == 2


def test_parked_process_ends_after_keep_seconds(start_scripted: Start) -> None:
    gateway = start_scripted(KEEP_SECONDS="3", WARM_PROCESSES="1", MAX_WARM_PROCESSES="1")
    gateway.api.chat("a")
    assert gateway.api.health()["claude"]["kept"] == 1
    wait_for(lambda: gateway.api.health()["claude"]["kept"] == 0, 10)


def test_parking_can_be_turned_off(gateway: Gateway, standin: StandIn) -> None:
    said(gateway, [user("a"), assistant(said(gateway, [user("a")])), user("b")])
    first, second = standin.messages
    assert session(first) != session(second)


def test_least_recently_used_conversation_gives_way_at_the_process_limit(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_PROCESSES="4", WARM_PROCESSES="1", MAX_WARM_PROCESSES="1")
    for name in "abcdefgh":
        said(gateway, [system(name), user(name)])
        assert len(gateway.cli_processes()) <= 4 + 1  # one may be on its way out
    wait_for(lambda: gateway.api.health()["claude"]["warm"] == 1, 20)
    wait_for(lambda: gateway.api.health()["claude"]["processes"] <= 4, 20)
    said(gateway, [system("h"), user("h"), assistant("You said: h"), user("again")])
    assert hits(gateway) == 1
    said(gateway, [system("a"), user("a"), assistant("You said: a"), user("again")])
    assert hits(gateway) == 1  # long gone, and seeded


def test_running_turns_take_precedence_over_parked_conversations(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_PROCESSES="3", WARM_PROCESSES="0", MAX_CONCURRENT_SESSIONS="9")
    for name in "abc":
        gateway.api.chat(name)
    assert gateway.api.health()["claude"]["kept"] >= 2
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(gateway.api.chat, [f"SLOW {i}" for i in range(5)]))
    assert [answer.status_code for answer in answers] == [200] * 5
    wait_for(lambda: gateway.api.health()["claude"]["processes"] <= 3, 20)


def test_warm_pool_grows_with_demand(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_PROCESSES="12", WARM_PROCESSES="1", KEEP_SECONDS="0")
    gateway.await_warm(1)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(gateway.api.chat, [f"SLOW {i}" for i in range(5)]))
    wait_for(lambda: gateway.api.health()["claude"]["warm"] >= 5, 30)


def test_repeated_setup_is_prepared_in_advance(start_gateway: Start, standin: StandIn) -> None:
    keeper = start_gateway(MAX_WARM_PROCESSES="1")
    fields: Body = {"tools": [CLOCK], "model": "claude-haiku-4-5"}
    for name in ("a", "b"):
        said(keeper, [system("You are a clock."), user(name)], **fields)
    wait_for(lambda: keeper.api.health()["claude"]["prepared"] == 1, 20)
    before = hits(keeper)
    said(keeper, [system("You are a clock."), user("c")], **fields)
    assert hits(keeper) == before + 1
    body = standin.messages.last.body
    assert turns_of(standin.messages.last) == [("user", ["c"])]
    assert [block["text"] for block in body["system"]][-1] == "You are a clock."
    assert [tool["name"] for tool in body["tools"]] == ["mcp__client__now"]
    assert json.dumps(body).count("You said") == 0


@pytest.mark.parametrize("used", [165_000, 195_000], ids=["getting full", "full"])
def test_long_conversation_is_never_summarized(keeping_gateway: Gateway, standin: StandIn, used: int) -> None:
    """By the model's own count the window is (almost) full: the CLI would shorten the conversation by itself."""
    standin.reply(text("You said a", usage={"input_tokens": used}), times=1)
    messages = [user("a"), assistant(said(keeping_gateway, [user("a")], model="claude-haiku-4-5")), user("b")]
    body = {"messages": messages, "model": "claude-haiku-4-5"}
    answer = keeping_gateway.api.post("/v1/chat/completions", json=body)
    if answer.status_code == 200:
        assert [texts for _, texts in turns_of(standin.messages.last)] == [["a"], ["You said a"], ["b"]]
        assert len(standin.messages) == 2
    else:
        assert answer.json()["error"]["code"] == "context_length_exceeded"
        assert len(standin.messages) == 1

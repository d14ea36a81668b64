"""A process whose turn is over forgets it and serves another turn: it sends what a fresh process would send."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin import Recorded, Reply, StandIn, text, thinking, tool_calls
from tests.support.api_client import bearer, reply_of
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import Body, assistant, process_of, system, turns_of, user
from tests.support.sockets import SocketClient, cli_figures
from tests.support.tool_bodies import CLOCK, assistant_calls, tool_call, tool_result
from tests.support.wide import wide_cases_except, wide_except

OPUS = "claude-opus-4-6"  # thinks without a budget
SLOW = text(chunks=["word "] * 400, delay=0.05)
ONE_OFFS = 12

# For each moment at which the client leaves: the model's reply, and what the stream has sent by then.
MOMENTS: dict[str, tuple[Reply, bytes]] = {
    "in-a-text": (SLOW, b"word"),
    "before-a-text": (text("late", first_delay=60), b'"role"'),
    "in-thinking": (thinking("hm " * 400, SLOW, chunks=400), b'"role"'),
    "in-a-call": (tool_calls([("now", {"zone": "x" * 2000})], fragments=200, delay=0.05), b'"now"'),
}


@pytest.fixture(scope="module")
def kept(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, "MAX_PROCESSES": "12", "MAX_WARM_PROCESSES": "2"})
    yield gateway
    gateway.close()


@pytest.fixture
def gateway(kept: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway that keeps processes."""
    return kept


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return the key of this test, so that it finds no process of another test."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()


def leave(gateway: Gateway, messages: list[Body], seen: bytes, key: str, **fields: Any) -> None:
    """Ask, leave when the stream has sent `seen`, and wait until the process is fit again."""
    before = cli_figures(gateway)["recycled"]
    client = SocketClient(gateway, key=key, messages=messages, stream=True, **fields)
    client.read_until(seen)
    client.hang_up()
    wait_for(lambda: cli_figures(gateway)["recycled"] == before + 1, 10)


def sent(record: Recorded) -> Body:
    """Return everything that the model gets, without the session's id."""
    return {name: value for name, value in record.body.items() if name != "metadata"}


def ask_with_key(gateway: Gateway, key: str, messages: list[Body], **fields: Any) -> str:
    """Ask as the client with this key."""
    body = {"messages": messages, **fields}
    return reply_of(gateway.api.post("/v1/chat/completions", json=body, headers=bearer(key)))


@pytest.mark.parametrize(("reply", "seen"), wide_cases_except(MOMENTS, "in-a-text", "in-a-call"))
@pytest.mark.parametrize("history", wide_except([2, 0], 2))
def test_client_that_leaves_gives_its_process_back(
    gateway: Gateway,
    standin: StandIn,
    key: str,
    reply: Reply,
    seen: bytes,
    history: int,
) -> None:
    fields = {"model": OPUS, "tools": [CLOCK]}
    before = [system("Be brief."), user("one"), assistant("1")][: 1 + history]
    standin.reply(reply, when="never mind")
    leave(gateway, [*before, user("never mind")], seen, key, **fields)
    assert standin.messages.last.aborted or standin.messages.last.finished
    for other in (key, f"{key}-fresh"):
        assert ask_with_key(gateway, other, [*before, user("two")], **fields)
    left, again, fresh = standin.messages
    assert process_of(left) == process_of(again) != process_of(fresh)
    assert sent(again) == sent(fresh)


def test_client_that_leaves_after_its_tools_gives_its_process_back(
    gateway: Gateway, standin: StandIn, key: str
) -> None:
    fields = {"model": OPUS, "tools": [CLOCK]}
    standin.reply(thinking("Hm.", tool_calls([("now", {"zone": "UTC"}, "toolu_1")])), times=1)
    messages = [user("What time is it?")]
    ask_with_key(gateway, key, messages, **fields)
    standin.reply(SLOW, times=1)
    results = [
        assistant_calls(tool_call("now", {"zone": "UTC"}, "toolu_1")),
        tool_result("toolu_1", "noon"),
    ]
    leave(gateway, [*messages, *results], b"word", key, **fields)
    for other in (key, f"{key}-fresh"):
        assert ask_with_key(gateway, other, [user("And now?")], **fields)
    *_, left, again, fresh = standin.messages
    assert process_of(left) == process_of(again) != process_of(fresh)
    assert sent(again) == sent(fresh)


@pytest.mark.wide
def test_conversations_that_never_go_on_share_a_process(gateway: Gateway, standin: StandIn, key: str) -> None:
    """After a few, the gateway knows that titles are asked for once."""
    standin.default(lambda body: text("A title"))
    before, hits = (cli_figures(gateway)[name] for name in ("recycled", "kept_hits"))
    for number in range(ONE_OFFS):
        messages = [system("Write a title."), user(f"### A chat about the number {number}")]
        assert ask_with_key(gateway, key, messages) == "A title"
    last = list(standin.messages)[-4:]
    assert cli_figures(gateway)["recycled"] >= before + 4
    assert cli_figures(gateway)["kept_hits"] >= hits + 3
    assert f"number {ONE_OFFS - 2}" not in str(last[-1].body)
    assert sent(last[0])["system"] == sent(last[-1])["system"]


def test_another_key_never_gets_a_recycled_process(gateway: Gateway, standin: StandIn, key: str) -> None:
    standin.reply(SLOW, when="secret")
    leave(gateway, [user("secret")], b"word", key)
    ask_with_key(gateway, "another key", [user("hi")])
    assert process_of(standin.messages[0]) != process_of(standin.messages[1])
    assert "secret" not in str(standin.messages.last.body)


def test_answer_that_ends_at_a_stop_sequence_keeps_its_process(
    gateway: Gateway, standin: StandIn, key: str
) -> None:
    """The API knows no stop sequences of white space, so the gateway itself ends the answer."""
    standin.reply(text(chunks=["one", "\n\n", "two "] + ["word "] * 200, delay=0.02))
    messages = [user("Count.")]
    before = cli_figures(gateway)["recycled"]
    answer = ask_with_key(gateway, key, messages, stop="\n\n")
    wait_for(lambda: cli_figures(gateway)["recycled"] == before + 1, 10)
    messages += [assistant(answer), user("Go on.")]
    ask_with_key(gateway, key, messages)
    first, second = standin.messages
    assert answer == "one"
    assert process_of(first) == process_of(second)
    assert turns_of(second) == [("user", ["Count."]), ("assistant", ["one"]), ("user", ["Go on."])]
    assert first.deltas < 150

"""Agents that ask for permission: the real CLI with a scripted model, and the decisions of a person."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.approvals import ApprovalRequest, Decision, decision_block
from gateway.claude.service import Claude
from gateway.settings import Settings
from gateway.turn import Batch, Block, Done, Event, Message, Turn
from gateway.workspace import AgentWorkspace
from tests.standin import StandIn, text, tool_calls
from tests.support.recorded import last_user_text

RUN = ("Bash", {"command": "python3 -c 'print(6 * 7)'"})
WRITE = ("Write", {"file_path": "note.txt", "content": "done"})


@pytest.fixture
def claude(cli_environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Claude]:
    """Return a facade of the CLI without warm processes."""
    home = tmp_path / "home"
    home.mkdir()
    environ = {**cli_environ, "HOME": str(home), "PATH": "/usr/bin:/bin"}
    settings = Settings(
        environ=environ,
        claude_binary_path=cli_environ["CLAUDE_BINARY_PATH"],
        claude_work_dir=tmp_path / "empty",
        warm_processes=0,
        allow_agent_projects=True,  # so that it is known whether this host has a sandbox
        agent_tools=("Bash", "Write"),
    )
    claude = Claude(settings)
    claude.open()
    yield claude
    claude.close()


@pytest.fixture
def ask(claude: Claude, tmp_path: Path) -> Callable[..., list[Event]]:
    """Return a function that answers a turn of an agent that asks, and returns the events of the answer."""
    folder = tmp_path / "project"
    folder.mkdir()
    workspace = AgentWorkspace(str(folder), ("Bash", "Write"), asks=True)

    def answer(*messages: Message, owner: str = "key_1") -> list[Event]:
        claude.await_ready()
        turn = Turn(messages, owner=owner, project="p", agent_workspace=workspace)
        runs = claude.answer(replace(turn, model=claude.catalog.resolve(None)))
        try:
            return [event for _, batch in runs for event in batch]
        finally:
            runs.close()

    return answer


def user(*blocks: Block) -> Message:
    return Message("user", blocks or ({"type": "text", "text": "Go"},))


def asked(events: Batch) -> list[ApprovalRequest]:
    return [event for event in events if isinstance(event, ApprovalRequest)]


def calls(events: Batch) -> Message:
    """Return the answer as a client sends it back."""
    return Message(
        "assistant",
        tuple(
            {"type": "tool_use", "id": one.id, "name": one.call_name, "input": dict(one.arguments)}
            for one in asked(events)
        ),
    )


def results(standin: StandIn) -> list[tuple[str, bool]]:
    """Return the tool results in the last request: their texts, and whether they are errors."""
    found: list[tuple[str, bool]] = []
    for message in standin.messages.last.body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else []:
            if block["type"] == "tool_result":
                content: Any = block["content"]
                shown = content if isinstance(content, str) else content[0]["text"]
                found.append((shown, bool(block.get("is_error"))))
    return found


@pytest.mark.parametrize("is_approved", [True, pytest.param(False, marks=pytest.mark.wide)])
def test_decision_reaches_the_waiting_agent(
    ask: Callable[..., list[Event]], claude: Claude, standin: StandIn, is_approved: bool
) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN]), times=1)
    first = ask(user())
    (request,) = asked(first)
    assert (request.name, request.arguments) == RUN
    assert isinstance(first[-1], Done)
    assert first[-1].stop_reason == "tool_use"
    assert claude.status()["waiting_for_tools"] == 1
    decision = Decision(approved=is_approved, reason="Too loud.")
    second = ask(user(), calls(first), user(decision_block(request.id, decision)))
    assert claude.status()["kept_hits"] == 1
    assert not asked(second)
    expected = ("42", False) if is_approved else ("The user did not approve this call. Too loud.", True)
    assert results(standin) == [expected]


@pytest.mark.wide
def test_two_calls_are_asked_about_one_after_the_other(
    ask: Callable[..., list[Event]], standin: StandIn
) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN, WRITE]), times=1)
    history = [user()]
    for decision in (Decision(approved=False), Decision(approved=True)):
        events = ask(*history)
        (request,) = asked(events)
        history += [calls(events), user(decision_block(request.id, decision))]
    events = ask(*history)
    assert not asked(events)
    assert [failed for _, failed in results(standin)] == [True, False]


@pytest.mark.wide
def test_other_owner_does_not_find_the_waiting_agent(
    ask: Callable[..., list[Event]], claude: Claude, standin: StandIn
) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN]), times=1)
    first = ask(user())
    (request,) = asked(first)
    ask(
        user(),
        calls(first),
        user(decision_block(request.id, Decision(approved=True))),
        owner="key_2",
    )
    assert claude.status()["kept_hits"] == 0
    assert claude.status()["waiting_for_tools"] == 1


@pytest.mark.wide
def test_approval_counts_once_after_the_process_was_lost(
    ask: Callable[..., list[Event]], claude: Claude, standin: StandIn
) -> None:
    standin.default(lambda body: text(f"Finished: {last_user_text(body)}"))
    standin.reply(tool_calls([RUN]), times=1)
    first = ask(user())
    (request,) = asked(first)
    claude._fleet._parked.clear()
    standin.reply(tool_calls([RUN]), times=1)
    second = ask(user(), calls(first), user(decision_block(request.id, Decision(approved=True))))
    assert not asked(second)
    told, ran = results(standin)
    assert "Make exactly the same call again" in told[0]
    assert ran == ("42", False)

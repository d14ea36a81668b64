"""Decisions about tool calls: only requests that a client was sent can be answered, unchanged and in time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.answering.approvals import TOO_LATE, check_decisions, record_request
from gateway.approvals import ApprovalRequest, Decision, decision_block, find_decision
from gateway.errors import InvalidRequest
from gateway.store.approvals import Approvals
from gateway.store.database import Store
from gateway.turn import Message, Turn

REQUEST = ApprovalRequest("toolu_1", "search", {"query": "x"}, "docs")
YES = Decision(approved=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/gateway.db")
    store.open()
    yield store
    store.close()


@pytest.fixture
def approvals(store: Store) -> Approvals:
    approvals = Approvals(store, timedelta(minutes=5))
    record_request(REQUEST, owner="me", project="p", approvals=approvals)
    return approvals


def decided(call_id: str = "toolu_1", name: str = "mcp__docs__search", query: str = "x") -> Turn:
    call = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {"query": query}}
    go = Message("user", ({"type": "text", "text": "Go"},))
    return Turn((go, Message("assistant", (call,)), Message("user", (decision_block(call_id, YES),))))


def decision_of(approvals: Approvals) -> str | None:
    """Return the decision about the request that was stored."""
    asked = approvals.find("me", "toolu_1")
    assert asked is not None
    return asked.decision


def test_decision_about_own_request_counts(approvals: Approvals) -> None:
    assert decision_of(approvals) is None
    turn = decided()
    assert check_decisions(turn, "me", approvals) == turn
    assert decision_of(approvals) == "approved"


@pytest.mark.parametrize(
    ("owner", "turn"),
    [
        ("you", decided()),
        ("me", decided("toolu_2")),
        ("me", decided(name="mcp__docs__delete")),
        ("me", decided(query="y")),
    ],
    ids=["another key's", "forged id", "another tool", "other arguments"],
)
def test_other_decisions_are_rejected(approvals: Approvals, owner: str, turn: Turn) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_decisions(turn, owner, approvals)
    assert caught.value.param == "approval"
    assert decision_of(approvals) is None


def test_late_decision_means_no(store: Store) -> None:
    approvals = Approvals(store, timedelta(seconds=-1))
    record_request(REQUEST, owner="me", project=None, approvals=approvals)
    checked = check_decisions(decided(), "me", approvals)
    assert find_decision(checked.messages[-1].content[0]) == TOO_LATE
    assert approvals.delete_expired() == 0
    late = Approvals(store, timedelta(days=-8))
    record_request(REQUEST, owner="me", project=None, approvals=late)
    assert late.delete_expired() == 1


def test_turn_without_decisions_needs_no_database(store: Store) -> None:
    store.close()
    turn = Turn((Message("user", ({"type": "text", "text": "Go"},)),))
    assert check_decisions(turn, "me", Approvals(store, timedelta(1))) is turn


@pytest.mark.parametrize(
    ("decision", "arguments"),
    [
        (Decision(approved=True, reason="Blue"), {"answers": {"Which?": "Blue"}}),
        (Decision(approved=True, arguments={"answers": {"Which?": "Red"}}), {"answers": {"Which?": "Red"}}),
        (Decision(approved=True), None),
        (Decision(approved=False, reason="Blue"), None),
    ],
)
def test_text_answers_the_questions_of_the_model(
    store: Store, decision: Decision, arguments: dict[str, object] | None
) -> None:
    approvals = Approvals(store, timedelta(minutes=5))
    asked = {"questions": [{"question": "Which?"}]}
    request = ApprovalRequest("toolu_1", "AskUserQuestion", asked, kind="question")
    record_request(request, owner="me", project="p", approvals=approvals)
    call = {"type": "tool_use", "id": "toolu_1", "name": "AskUserQuestion", "input": asked}
    go = Message("user", ({"type": "text", "text": "Go"},))
    turn = Turn((go, Message("assistant", (call,)), Message("user", (decision_block("toolu_1", decision),))))
    checked = find_decision(check_decisions(turn, "me", approvals).messages[-1].content[0])
    assert checked is not None
    assert checked.arguments == arguments

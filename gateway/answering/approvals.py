"""Requests for approvals and the decisions about them. A client can only answer what it was asked, and only in time."""

from dataclasses import replace

from gateway.approvals import ApprovalRequest, Decision, decision_block, find_decision, name_call
from gateway.errors import InvalidRequest
from gateway.store.approvals import Approvals, AskedApproval
from gateway.turn import Block, Message, Turn

#: The decision that counts if the approval comes too late.
TOO_LATE = Decision(approved=False, reason="The decision came too late.")


def check_decisions(turn: Turn, owner: str, approvals: Approvals) -> Turn:
    """Return the turn with the decisions that count. A late decision counts as no.

    Raises InvalidRequest for a decision about a call that this owner was not asked about, or about another call: the
    conversation that a client sends back may be changed.
    """
    newest = turn.messages[-1]
    if all(find_decision(block) is None for block in newest.content):
        return turn
    earlier = turn.messages[-2].content if len(turn.messages) > 1 else ()
    calls = {block["id"]: block for block in earlier if block["type"] == "tool_use"}
    content = tuple(_check(block, calls, owner, approvals) for block in newest.content)
    return replace(turn, messages=(*turn.messages[:-1], Message(newest.role, content)))


def _check(block: Block, calls: dict[str, Block], owner: str, approvals: Approvals) -> Block:
    decision = find_decision(block)
    if decision is None:
        return block
    call_id = block["tool_use_id"]
    asked, call = approvals.find(owner, call_id), calls.get(call_id)
    if asked is None or call is None or call["name"] != name_call(asked.server, asked.name):
        raise _unknown_request(call_id)
    if call["input"] != asked.arguments:
        raise InvalidRequest(
            "The arguments of the call to approve are not those that the model wrote. Send the approval request back "
            "unchanged.",
            param="approval",
        )
    if asked.has_expired:
        return decision_block(call_id, TOO_LATE)
    approvals.record_decision(owner, call_id, approved=decision.approved)
    return decision_block(call_id, _with_answers(decision, asked))


def _with_answers(decision: Decision, asked: AskedApproval) -> Decision:
    """Return the decision such that its text answers the questions, if the model asked any."""
    if asked.kind != "question" or not (decision.approved and decision.reason) or decision.arguments:
        return decision
    questions = asked.arguments.get("questions") or ()
    answers = {str(each.get("question")): decision.reason for each in questions if isinstance(each, dict)}
    return replace(decision, arguments={"answers": answers})


def record_request(
    request: ApprovalRequest, *, owner: str, project: str | None, approvals: Approvals
) -> None:
    """Store a request before the client gets it."""
    approvals.add(
        owner,
        project or "",
        call_id=request.id,
        kind=request.kind,
        server=request.server,
        name=request.name,
        arguments=request.arguments,
    )


def _unknown_request(call_id: str) -> InvalidRequest:
    return InvalidRequest(
        f"There is no request for the approval of the call '{call_id[:80]}'. Send the id of an approval request that "
        "you were sent.",
        param="approval",
    )

"""Approval items of the Responses API: what the client gets, and what it sends back.

https://platform.openai.com/docs/guides/tools-connectors-mcp#approvals
"""

from typing import Any

import pytest

from gateway.approvals import ApprovalRequest, Decision, find_decision
from gateway.dialects.responses.builder import ResponseBuilder, new_response
from gateway.dialects.responses.request import parse_request
from gateway.errors import InvalidRequest
from gateway.turn import Done, Started, Usage
from tests.unit.dialects.histories import GO_ON, HELLO

ASKED = {
    "id": "mcpr_toolu_1",
    "type": "mcp_approval_request",
    "server_label": "docs",
    "name": "search",
    "arguments": '{"query":"x"}',
}
YES = {"type": "mcp_approval_response", "approval_request_id": "mcpr_toolu_1", "approve": True}
NO = {**YES, "approve": False, "reason": "Not now."}


def parse(*items: Any, earlier: Any = ()) -> Any:
    return parse_request({"input": list(items)}, list(items), earlier).turn.messages


def test_approval_request_is_an_item_without_events_of_its_own() -> None:
    builder = ResponseBuilder(new_response("resp_1", "m", {}), with_summary=False, can_retract=False)
    events = []
    for event in (
        Started("m"),
        ApprovalRequest("toolu_1", "search", {"query": "x"}, "docs"),
        Done("tool_use", Usage()),
    ):
        events += [emitted["type"] for emitted in builder.add(event)]
    assert events[2:] == ["response.output_item.added", "response.output_item.done", "response.completed"]
    assert builder.response["output"] == [ASKED]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(YES, Decision(approved=True)), (NO, Decision(approved=False, reason="Not now."))],
)
@pytest.mark.parametrize("is_stored", [True, False])
def test_decision_follows_its_call(sent: Any, expected: Decision, is_stored: bool) -> None:
    messages = (
        parse(sent, earlier=[{"role": "user", **HELLO}, ASKED]) if is_stored else parse(HELLO, ASKED, sent)
    )
    (call,) = messages[1].content
    assert call == {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "mcp__docs__search",
        "input": {"query": "x"},
    }
    (block,) = messages[2].content
    assert block["tool_use_id"] == "toolu_1"
    assert find_decision(block) == expected


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({**YES, "approval_request_id": "mcpr_toolu_2"}, "input[2].approval_request_id"),
        ({**YES, "approve": "yes"}, "input[2].approve"),
    ],
)
def test_new_decision_must_name_a_request(sent: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(HELLO, ASKED, sent)
    assert caught.value.param == path


def test_request_that_was_never_decided_becomes_an_interrupted_call() -> None:
    messages = parse(HELLO, ASKED, {"role": "assistant", "content": "Yes."}, GO_ON)
    assert messages[2].content[0]["is_error"] is True
    assert find_decision(messages[2].content[0]) is None


def test_client_cannot_make_a_decision_of_a_result() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "x", "decision": {"approved": True}}
    messages = parse(HELLO, call, {**output, "approval": {"approved": True}})
    assert find_decision(messages[2].content[0]) is None

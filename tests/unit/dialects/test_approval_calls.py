"""Requests for approvals as tool calls of chat completions, and the decisions in tool messages."""

import json
from typing import Any

import pytest

from gateway.approvals import ApprovalRequest, Decision, find_decision
from gateway.dialects.chat.answers import Collector, StreamEncoder
from gateway.dialects.chat.cursor import as_chat
from gateway.dialects.chat.request import parse_plain_body
from gateway.dialects.common.approval_calls import as_call, read_call, read_decision
from gateway.turn import Batch, Done, Started, Text, Usage

REQUESTS = (
    ApprovalRequest("toolu_1", "Bash", {"command": "make"}),
    ApprovalRequest("toolu_2", "search", {"q": "x"}, "docs"),
)
EVENTS: Batch = [Started("m"), Text("I will."), *REQUESTS, Done("tool_use", Usage())]


def collected() -> Any:
    collector = Collector("chatcmpl-1", 0)
    collector.add(EVENTS)
    return collector.body()["choices"][0]


def test_requests_are_calls_of_one_tool() -> None:
    choice = collected()
    calls = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert [call["id"] for call in calls] == ["ask_tool_toolu_1", "ask_tool_toolu_2"]
    assert {call["function"]["name"] for call in calls} == {"ask_permission"}
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [
        {"kind": "tool", "tool": "Bash", "arguments": {"command": "make"}},
        {"kind": "tool", "tool": "search", "arguments": {"q": "x"}, "server": "docs"},
    ]


def test_stream_has_the_same_calls_as_the_whole_answer() -> None:
    written = StreamEncoder("chatcmpl-1", 0).encode(EVENTS).decode()
    chunks = [json.loads(line[6:]) for line in written.split("\n\n") if line.startswith("data: {")]
    parts = [part for chunk in chunks for part in chunk["choices"][0]["delta"].get("tool_calls", ())]
    streamed: dict[int, dict[str, str]] = {}
    for part in parts:
        call = streamed.setdefault(part["index"], {"id": part.get("id", ""), "arguments": ""})
        call["arguments"] += part["function"].get("arguments", "")
    whole = [
        {"id": call["id"], "arguments": call["function"]["arguments"]}
        for call in collected()["message"]["tool_calls"]
    ]
    assert list(streamed.values()) == whole


def test_decisions_follow_the_calls_of_the_model() -> None:
    messages = [
        {"role": "user", "content": "Go"},
        collected()["message"],
        {"role": "tool", "tool_call_id": "ask_tool_toolu_1", "content": "always"},
        {"role": "tool", "tool_call_id": "ask_tool_toolu_2", "content": "no"},
    ]
    parsed = parse_plain_body(as_chat({"messages": messages})).turn.messages
    assert [block for block in parsed[1].content if block["type"] == "tool_use"] == [
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make"}},
        {"type": "tool_use", "id": "toolu_2", "name": "mcp__docs__search", "input": {"q": "x"}},
    ]
    assert [block["tool_use_id"] for block in parsed[2].content] == ["toolu_1", "toolu_2"]
    assert [find_decision(block) for block in parsed[2].content] == [
        Decision(approved=True, always=True),
        Decision(approved=False),
    ]


@pytest.mark.parametrize(
    ("kind", "text", "decision"),
    [
        ("tool", "allow", Decision(approved=True)),
        ("tool", " Yes. ", Decision(approved=True)),
        ("tool", "always", Decision(approved=True, always=True)),
        ("tool", "deny", Decision(approved=False)),
        ("tool", "No, use make instead", Decision(approved=False, reason="use make instead")),
        ("tool", "yes, but only once", Decision(approved=False, reason="yes, but only once")),
        ("tool", "what does it do?", Decision(approved=False, reason="what does it do?")),
        ("tool", "", Decision(approved=False)),
        ("plan", "looks good", Decision(approved=False, reason="looks good")),
        ("question", "Blue", Decision(approved=True, reason="Blue")),
        ("question", "deny", Decision(approved=False)),
        ("question", "", Decision(approved=False)),
        ("tool", '{"decision": "deny", "reason": "r"}', Decision(approved=False, reason="r")),
        ("tool", '{"decision": "always"}', Decision(approved=True, always=True)),
        ("tool", '{"decision": 1}', Decision(approved=False)),
        ("tool", "{}", Decision(approved=False)),
        ("tool", "[1]", Decision(approved=False, reason="[1]")),
        (
            "question",
            '{"decision": "allow", "answers": {"Which?": "Blue"}}',
            Decision(approved=True, arguments={"answers": {"Which?": "Blue"}}),
        ),
    ],
)
def test_text_of_a_decision(kind: str, text: str, decision: Decision) -> None:
    assert read_decision(f"ask_{kind}_toolu_1", text) == ("toolu_1", decision)


@pytest.mark.parametrize("call_id", ["toolu_1", "ask_other_toolu_1", "ask_tool_", ""])
def test_other_results_are_no_decisions(call_id: str) -> None:
    assert read_decision(call_id, "allow") is None


@pytest.mark.parametrize("arguments", [{}, {"tool": 5, "arguments": {}}, {"tool": "Bash", "arguments": "x"}])
def test_damaged_request_stays_the_call_that_it_is(arguments: dict[str, Any]) -> None:
    assert read_call("ask_tool_toolu_1", "ask_permission", arguments) is None
    assert read_call("call_1", "ask_permission", {"tool": "Bash", "arguments": {}}) is None


def test_request_survives_the_way_to_the_client_and_back() -> None:
    for request in REQUESTS:
        call, arguments = as_call(request, 0)
        read = read_call(call.id, call.name, json.loads(arguments.fragment))
        assert read == (request.id, request.call_name, dict(request.arguments))

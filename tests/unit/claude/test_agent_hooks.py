"""The hooks with which the CLI reports the actions of an agent."""

from typing import cast

from gateway.claude.cli.agent_hooks import answer_hook, hooks_request, record_denial
from gateway.claude.cli.protocol import CliControlRequest, HookInput, SystemMessage
from gateway.workspace import AgentAction, AgentWorkspace

CALL = {"tool_name": "Read", "tool_use_id": "toolu_1", "tool_input": {"file_path": "a"}}


def recorded(hook: dict[str, object]) -> list[AgentAction]:
    actions: list[AgentAction] = []
    workspace = AgentWorkspace("/p", ("Read",), record=actions.append)
    answer = answer_hook({"subtype": "hook_callback", "input": cast(HookInput, {**CALL, **hook})}, workspace)
    assert answer == {"subtype": "success", "response": {}}
    return actions


def test_hooks_report_the_start_and_the_outcome_of_a_call() -> None:
    arguments = {"file_path": "a"}
    assert recorded({"hook_event_name": "PreToolUse", "agent_type": "tester"}) == [
        AgentAction("toolu_1", "Read", "started", arguments, subagent="tester")
    ]
    assert recorded({"hook_event_name": "PostToolUse", "tool_response": {"x": 1}, "duration_ms": 3}) == [
        AgentAction("toolu_1", "Read", "completed", arguments, {"x": 1}, milliseconds=3)
    ]
    assert recorded({"hook_event_name": "PostToolUseFailure", "error": "no file"}) == [
        AgentAction("toolu_1", "Read", "failed", arguments, "no file")
    ]
    assert recorded({"hook_event_name": "SomethingNew"}) == []


def test_tool_does_not_run_if_its_hook_cannot_be_answered() -> None:
    assert {matcher["onFailure"] for (matcher,) in hooks_request().values()} == {"block"}


def test_denial_is_recorded() -> None:
    actions: list[AgentAction] = []
    workspace = AgentWorkspace("/p", ("Read",), record=actions.append)
    denial: SystemMessage = {
        "type": "system",
        "subtype": "permission_denied",
        "tool_name": "Write",
        "tool_use_id": "toolu_1",
        "message": "not granted",
    }
    record_denial(denial, workspace)
    assert actions == [AgentAction("toolu_1", "Write", "denied", result="not granted")]


def test_subagents_get_the_model_of_the_request() -> None:
    hook = {"hook_event_name": "PreToolUse", "tool_name": "Agent", "tool_use_id": "t"}
    given = {"prompt": "p", "model": "opus"}
    request: CliControlRequest = {
        "subtype": "hook_callback",
        "input": cast(HookInput, {**hook, "tool_input": given}),
    }
    answer = answer_hook(request, AgentWorkspace("/p", ("Read",)))
    assert answer["response"]["hookSpecificOutput"]["updatedInput"] == {"prompt": "p"}

"""Hooks that report everything that an agent does. The CLI asks over its stdin and stdout; no program runs for them.

For example, before the agent reads a file the CLI sends this control request, and waits for the response:

    {"subtype": "hook_callback", "input": {"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {…}, …}}
"""

from typing import Any

from gateway.claude.cli.launch import START_SUBAGENT
from gateway.claude.cli.protocol import CliControlRequest, ControlResponse, HookInput, SystemMessage
from gateway.workspace import AgentAction, AgentWorkspace, Status

# A hook that is not answered in time lets the tool run, so the time is longer than any answer takes.
HOOK_SECONDS = 86_400

_STATUSES: dict[str, Status] = {
    "PreToolUse": "started",
    "PostToolUse": "completed",
    "PostToolUseFailure": "failed",
}


def hooks_request() -> dict[str, Any]:
    """Return the hooks for `initialize`. If one cannot be answered, the tool does not run."""
    return {
        event: [{"hookCallbackIds": [event], "timeout": HOOK_SECONDS, "onFailure": "block"}]
        for event in _STATUSES
    }


def answer_hook(request: CliControlRequest, workspace: AgentWorkspace) -> ControlResponse:
    """Record the action that a hook reports, and let it go ahead.

    Subagents get the model of the request, because the key may not be allowed to use another one.
    """
    hook: HookInput = request["input"]
    status = _STATUSES.get(hook["hook_event_name"])
    if status is not None:
        workspace.record(_read_action(hook, status))
    arguments = hook.get("tool_input") or {}
    if status == "started" and hook["tool_name"] == START_SUBAGENT and "model" in arguments:
        changed = {name: value for name, value in arguments.items() if name != "model"}
        return _success({"hookSpecificOutput": {"hookEventName": "PreToolUse", "updatedInput": changed}})
    return _success({})


def record_denial(message: SystemMessage, workspace: AgentWorkspace) -> None:
    """Record that the CLI has denied the use of a tool: no hook tells."""
    call_id, tool = message["tool_use_id"], message["tool_name"]
    workspace.record(AgentAction(call_id, tool, "denied", result=message.get("message")))


def _success(response: dict[str, Any]) -> ControlResponse:
    return {"subtype": "success", "response": response}


def _read_action(hook: HookInput, status: Status) -> AgentAction:
    result = hook.get("error") if status == "failed" else hook.get("tool_response")
    return AgentAction(
        call_id=hook["tool_use_id"],
        tool=hook["tool_name"],
        status=status,
        arguments=hook.get("tool_input") or {},
        result=result,
        subagent=hook.get("agent_type") or "",
        milliseconds=hook.get("duration_ms"),
    )

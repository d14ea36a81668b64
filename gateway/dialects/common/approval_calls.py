"""Requests for approvals as calls of a tool, for APIs that have no items for them.

The client gets a call of `ask_permission` and answers it as it answers any call. Both ways are told by the call's id:

    {"id": "ask_tool_toolu_1", "function": {"name": "ask_permission", "arguments":
        "{\\"kind\\": \\"tool\\", \\"tool\\": \\"Bash\\", \\"arguments\\": {\\"command\\": \\"make\\"}}"}}
    {"role": "tool", "tool_call_id": "ask_tool_toolu_1", "content": "allow"}

>>> read_decision("ask_tool_toolu_1", "deny: not on Fridays")
('toolu_1', Decision(approved=False, reason='not on Fridays', always=False, arguments=None))
>>> read_decision("ask_question_toolu_2", "Blue")
('toolu_2', Decision(approved=True, reason='Blue', always=False, arguments=None))
>>> read_decision("toolu_3", "allow") is None
True
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.approvals import AGENT_LABEL, ApprovalRequest, Decision, name_call
from gateway.lenient_json import dumps, loads
from gateway.turn import ToolArguments, ToolCall

#: The name of the tool whose calls are requests for approvals.
TOOL = "ask_permission"

_ID = re.compile(r"ask_(tool|question|plan)_(.+)", re.DOTALL)
_WORDS = re.compile(r"\W*(\w+)\W*(.*)", re.DOTALL)
_YES = frozenset({"allow", "allowed", "approve", "approved", "yes", "y", "ok", "true"})
_ALWAYS = "always"
_NO = frozenset({"deny", "denied", "reject", "rejected", "no", "n", "false", "cancel"})


def as_call(request: ApprovalRequest, index: int) -> tuple[ToolCall, ToolArguments]:
    """Return the events of a call that stands for a request."""
    arguments = {"kind": request.kind, "tool": request.name, "arguments": request.arguments}
    if request.server != AGENT_LABEL:
        arguments["server"] = request.server
    call = ToolCall(index, f"ask_{request.kind}_{request.id}", TOOL)
    return call, ToolArguments(index, dumps(arguments).decode())


def read_call(
    call_id: str, name: str, arguments: Mapping[str, Any]
) -> tuple[str, str, dict[str, Any]] | None:
    """Return the id, name and arguments of the call that a replayed request is about; None for any other call."""
    match = _ID.fullmatch(call_id)
    tool, given = arguments.get("tool"), arguments.get("arguments")
    if match is None or name != TOOL or not isinstance(tool, str) or not isinstance(given, dict):
        return None
    return match[2], name_call(str(arguments.get("server") or AGENT_LABEL), tool), given


def read_decision(call_id: str, text: str) -> tuple[str, Decision] | None:
    """Return the id of the call that a tool's result decides about, with the decision; None for any other result.

    Text that says neither yes nor no answers a question, and means no to everything else.
    """
    match = _ID.fullmatch(call_id)
    return None if match is None else (match[2], _read_json(text) or _read_words(text, match[1]))


def _read_json(text: str) -> Decision | None:
    """Read `{"decision": "allow", "reason": …, "answers": {…}, "arguments": {…}}`."""
    try:
        given = loads(text)
    except ValueError:
        return None
    if not isinstance(given, dict):
        return None
    word, reason = str(given.get("decision", "")).lower(), given.get("reason")
    arguments: dict[str, Any] = {}
    if isinstance(given.get("arguments"), dict):
        arguments |= given["arguments"]
    if isinstance(given.get("answers"), dict):
        arguments["answers"] = given["answers"]
    return Decision(
        approved=word in _YES or word == _ALWAYS,
        reason=reason if isinstance(reason, str) else "",
        always=word == _ALWAYS,
        arguments=arguments or None,
    )


def _read_words(text: str, kind: str) -> Decision:
    match = _WORDS.fullmatch(text)
    word, rest = (match[1].lower(), match[2].strip()) if match else ("", "")
    if word == _ALWAYS or (word in _YES and not rest):
        return Decision(approved=True, always=word == _ALWAYS)
    if word in _NO:
        return Decision(approved=False, reason=rest)
    return Decision(approved=kind == "question" and bool(text.strip()), reason=text.strip())

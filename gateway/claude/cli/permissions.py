"""The CLI's requests for permission to use a tool, and the decisions about them.

The CLI sends them only if it was started with `--permission-prompt-tool=stdio`. It waits as long as it takes:

    CLI ──▶ control_request can_use_tool {tool_name, input, tool_use_id, permission_suggestions}
    CLI ◀── control_response {behavior: "allow", updatedInput} or {behavior: "deny", message}
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.approvals import Decision, find_decision
from gateway.claude.cli.protocol import CliControlRequestMessage, ControlResponse
from gateway.lenient_json import dumps
from gateway.turn import Message


class Permissions:
    """The permissions of one process: those that it waits for, and those that were granted before it asked."""

    def __init__(self) -> None:
        self._asked: dict[str, CliControlRequestMessage] = {}  # by the id of the call
        self._granted: dict[bytes, Decision] = {}  # by the call

    def ask(self, message: CliControlRequestMessage) -> ControlResponse | None:
        """Return the response to a request of the CLI if the call was granted before; None if it has to wait."""
        request = message["request"]
        decision = self._granted.pop(_call_key(request["tool_name"], request["input"]), None)
        if decision is not None:
            return _response(message, decision)
        self._asked[request["tool_use_id"]] = message
        return None

    def awaits(self, call_id: str) -> bool:
        """Return True if the CLI waits for the decision about a call."""
        return call_id in self._asked

    def respond(self, call_id: str, decision: Decision) -> ControlResponse:
        """Return the response to the CLI's request about a call."""
        return _response(self._asked.pop(call_id), decision)

    def grant(self, messages: Sequence[Message]) -> None:
        """Grant the approved calls. `messages` are the answer with the calls and the message with the decisions."""
        blocks = [block for message in messages for block in message.content]
        calls = {block["id"]: block for block in blocks if block["type"] == "tool_use"}
        for block in blocks:
            decision = find_decision(block)
            if decision is not None and decision.approved and block["tool_use_id"] in calls:
                call = calls[block["tool_use_id"]]
                self._granted[_call_key(call["name"], call["input"])] = decision


def _call_key(name: str, arguments: Mapping[str, Any]) -> bytes:
    return dumps([name, arguments], sort_keys=True)


def _response(message: CliControlRequestMessage, decision: Decision) -> ControlResponse:
    request = message["request"]
    answer: dict[str, Any] = {"behavior": "deny", "message": decision.refusal}
    if decision.approved:
        answer = {"behavior": "allow", "updatedInput": {**request["input"], **(decision.arguments or {})}}
        if decision.always:  # a rule elsewhere would be written to a file of the project
            suggestions = request.get("permission_suggestions", ())
            answer["updatedPermissions"] = [{**one, "destination": "session"} for one in suggestions]
    return {"subtype": "success", "request_id": message["request_id"], "response": answer}

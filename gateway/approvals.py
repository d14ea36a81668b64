"""Approvals: the model wants to use a tool, and a person decides whether it may.

An answer that ends with an `ApprovalRequest` leaves the CLI waiting. The client's next request brings the decision, as
a `tool_result` block that has a decision instead of a result:

>>> block = decision_block("toolu_01", Decision(approved=False, reason="Not today."))
>>> find_decision(block)
Decision(approved=False, reason='Not today.', always=False, arguments=None)
>>> find_decision({"type": "tool_result", "tool_use_id": "toolu_02"}) is None
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: The subject of a request: a tool, a question of the model to the user, or a plan that the user should accept.
Kind = Literal["tool", "question", "plan"]

#: The label of the tools of Claude Code itself, where a client expects the label of an MCP server.
AGENT_LABEL = "claude_code"

#: The key of a `tool_result` block that holds a decision.
_KEY = "approval"


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """The model wants to call a tool, and waits for the decision of a person.

    `id` is the id of the call. `server` is the label of the MCP server that has the tool, or AGENT_LABEL.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    server: str = AGENT_LABEL
    kind: Kind = "tool"

    @property
    def call_name(self) -> str:
        """Return the name of the call in the conversation."""
        return name_call(self.server, self.name)


def name_call(server: str, name: str) -> str:
    """Return the name under which the model knows the tool of a server.

    >>> name_call("docs", "search")
    'mcp__docs__search'
    >>> name_call(AGENT_LABEL, "Bash")
    'Bash'
    """
    return name if server == AGENT_LABEL else f"mcp__{server}__{name}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about a call.

    `reason` is told to the model if the call is not approved. With `always`, an agent may make calls of this kind for
    as long as its process lives. `arguments` are laid over the model's, for example to add answers to its questions.
    """

    approved: bool
    reason: str = ""
    always: bool = False
    arguments: Mapping[str, Any] | None = None

    @property
    def refusal(self) -> str:
        """Return the text that tells the model about a call that is not approved."""
        return f"The user did not approve this call. {self.reason}".strip()


#: The decision about a call if none came.
UNDECIDED = Decision(approved=False, reason="No decision came.")


def decision_block(call_id: str, decision: Decision) -> dict[str, Any]:
    """Return the content block that carries a decision."""
    return {"type": "tool_result", "tool_use_id": call_id, _KEY: decision}


def find_decision(block: Mapping[str, Any]) -> Decision | None:
    """Return the decision that a content block carries; None for any other block."""
    decision = block.get(_KEY)
    return decision if isinstance(decision, Decision) else None


def as_result(block: Mapping[str, Any], *, is_past: bool) -> dict[str, Any]:
    """Return a block with a decision as a result that the model understands, for a process that did not ask.

    The call cannot run in another process, so the model is told to make an approved call again.
    """
    decision = find_decision(block) or UNDECIDED
    text = decision.refusal
    if decision.approved:
        text = _APPROVED_EARLIER if is_past else _APPROVED_BUT_LOST
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": block["tool_use_id"]}
    result["content"] = [{"type": "text", "text": text}]
    return result if is_past and decision.approved else {**result, "is_error": True}


_APPROVED_EARLIER = "The user approved this call. Its result is no longer known."
_APPROVED_BUT_LOST = (
    "The user approved this call, but it did not run, because the program was restarted. Make exactly the same call "
    "again now. The user will not be asked again."
)

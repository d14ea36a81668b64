"""Remote MCP servers: what a request asks for, and the events about their tools.

The gateway itself calls the servers, between two messages of the model. The model knows a tool under a name that
holds the label of its server, so it never meets a function of the client:

>>> RemoteCall("toolu_1", "docs", "search").call_name
'mcp__docs__search'
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.approvals import name_call

#: The key of a `tool_result` block that comes from a remote tool.
REMOTE = "remote"

#: Stands for a part of a result that is no text, where only text can go.
NOT_TEXT = "[{} left out]"


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """The tools of a server that need a person's approval: by default all or none, and exceptions by name.

    >>> ApprovalPolicy("always", never=frozenset({"search"})).needs_approval("search")
    False
    """

    default: Literal["always", "never"] = "never"
    always: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()

    def needs_approval(self, tool: str) -> bool:
        """Return True if a call of this tool needs approval."""
        return tool in self.always or (self.default == "always" and tool not in self.never)


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """An MCP server. Without a `url`, the operator's server with this label is meant.

    `headers` are sent to it and may be secret. `allowed_tools` is None if all tools but the `denied_tools` may be used.
    A server of the operator's list `is_listed`: it may have a private address. `path` is the field that asks for it,
    and `label_field` and `url_field` are the names of fields in it. The client has the list of its tools already if
    `is_known` is set. With `tools`, in the server's own form, the server is not asked for them.
    """

    label: str
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_tools: tuple[str, ...] | None = None
    approval: ApprovalPolicy = ApprovalPolicy()
    is_listed: bool = False
    path: str = ""
    is_known: bool = False
    denied_tools: frozenset[str] = frozenset()
    tools: tuple[Mapping[str, Any], ...] | None = None
    label_field: str = "server_label"
    url_field: str = "server_url"

    def allows(self, tool: str) -> bool:
        """Return True if a tool with this name may be used."""
        is_listed = self.allowed_tools is None or tool in self.allowed_tools
        return is_listed and tool not in self.denied_tools


@dataclass(frozen=True, slots=True)
class RemoteTools:
    """The tools of a server, as it describes them. If there is an `error`, it has no tools."""

    server: str
    tools: Sequence[Mapping[str, Any]] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """A call of a remote tool has started. `approved` says that a person has approved it before.

    The calls of one message of the model have the same `round`.
    """

    id: str
    server: str
    name: str
    approved: bool = False
    round: int = 0

    @property
    def call_name(self) -> str:
        """Return the name of the call in the conversation."""
        return name_call(self.server, self.name)


@dataclass(frozen=True, slots=True)
class RemoteArguments:
    """A fragment of the JSON text of the arguments of a remote call."""

    call_id: str
    fragment: str


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """The result of a remote call: text and image blocks. With `is_error`, they explain a failure."""

    call_id: str
    content: tuple[Mapping[str, Any], ...]
    is_error: bool = False

    @property
    def text(self) -> str:
        """Return the result as text."""
        return result_text(self.content)

    def as_block(self) -> dict[str, Any]:
        """Return the block that tells the model."""
        return remote_block(self.call_id, list(self.content), is_error=self.is_error)


RemoteEvent = RemoteTools | RemoteCall | RemoteArguments | RemoteResult


def remote_block(call_id: str, content: list[Any], *, is_error: bool) -> dict[str, Any]:
    """Return the result of a remote call as a content block."""
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content, REMOTE: True}
    return {**block, "is_error": True} if is_error else block


def result_text(content: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a result. Clients get this form, and send it back.

    >>> result_text([{"type": "text", "text": "A chart:"}, {"type": "image", "source": {}}])
    'A chart:\\n[image left out]'
    """
    return "\n".join(
        part["text"] if part["type"] == "text" else NOT_TEXT.format(part["type"]) for part in content
    )

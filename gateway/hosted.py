"""Tools that run at the API, such as web search, and the events about their work.

The model calls a hosted tool in the middle of its answer, and gets the result without a new request. So an answer may
have several calls, each followed by its result, between its texts. A text that draws on a result cites it. For example,
the events of an answer with one search:

    HostedCall({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}})
    HostedArguments('{"query": "cats"}')
    HostedResult({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": […]})
    Citation({"type": "web_search_result_location", "url": …}), Text("Cats purr."), TextEnd()

https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

#: The hosted tools that an operator can allow.
HostedName = Literal["web_search", "web_fetch"]
HOSTED_NAMES: tuple[str, ...] = get_args(HostedName)

#: The price of one web search in USD. https://platform.claude.com/docs/en/about-claude/pricing#web-search-tool
SEARCH_USD = 0.01


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A hosted tool that the model may call, with its definition as the API takes it.

    >>> HostedTool({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}).name
    'web_search'
    """

    definition: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return the name under which the model knows the tool."""
        return str(self.definition["name"])


@dataclass(frozen=True, slots=True)
class HostedCall:
    """A call of a hosted tool has started. `block` is the API's block without the input."""

    block: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Return the id of the call."""
        return str(self.block["id"])

    @property
    def name(self) -> str:
        """Return the name of the tool."""
        return str(self.block["name"])


@dataclass(frozen=True, slots=True)
class HostedArguments:
    """A fragment of the JSON text of the input of the hosted call that has started last."""

    fragment: str


@dataclass(frozen=True, slots=True)
class HostedResult:
    """The result of a hosted call, or its error. `block` is the API's whole block."""

    block: Mapping[str, Any]

    @property
    def call_id(self) -> str:
        """Return the id of the call."""
        return str(self.block.get("tool_use_id"))

    @property
    def has_failed(self) -> bool:
        """Return True if the block holds an error."""
        content = self.block.get("content")
        return isinstance(content, dict) and str(content.get("type")).endswith("_error")


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the current block of text. It may come before or after the text of the block."""

    location: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TextEnd:
    """The current block of text is complete. It is reported only in answers with hosted tools."""


def as_plain_block(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block of an answer without encrypted content: hosted calls and results become text.

    >>> as_plain_block({"type": "text", "text": "Cats purr.", "citations": [{"encrypted_index": "E"}]})
    {'type': 'text', 'text': 'Cats purr.'}
    """
    if block["type"] == "text":
        return {"type": "text", "text": block["text"]}
    if not is_hosted(block):
        return block
    written = json.dumps(_without_encrypted(block), ensure_ascii=False)
    return {"type": "text", "text": f"[{block['type']}: {written}]"}


def is_hosted(block: Mapping[str, Any]) -> bool:
    """Return True for a call or a result of a hosted tool, and for a text with citations."""
    kind = str(block["type"])
    return kind == "server_tool_use" or kind.endswith("_tool_result") or bool(block.get("citations"))


def _without_encrypted(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_encrypted(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = ("type", "id", "tool_use_id", "encrypted_content")
    return {
        name: _without_encrypted(inner)
        for name, inner in value.items()
        if name not in hidden and inner is not None
    }


HostedEvent = HostedCall | HostedArguments | HostedResult | Citation | TextEnd

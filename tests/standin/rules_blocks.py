"""Rules for the content blocks of messages. The shape of a block is checked already.

Sources: Anthropic's pages on tool use, thinking, search results and server tools, and error texts that users reported.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from .models import Model
from .prompt import Body
from .rules_media import check_document, check_image
from .searches import is_sealed
from .signature import is_signed

Block = dict[str, Any]

RESULT_TYPES = frozenset({"text", "image", "document", "search_result", "tool_reference", "browser_state"})
_USER_TYPES = frozenset({"text", "image", "document", "search_result", "tool_result", "container_upload"})
_ASSISTANT_TYPES = frozenset(
    (
        *("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use", "fallback"),
        *("mcp_tool_result", "mcp_tool_listing", "container_upload", "compaction", "tool_search_tool_result"),
        *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "advisor_tool_result"),
    )
)
ALLOWED_TYPES = {"user": _USER_TYPES, "assistant": _ASSISTANT_TYPES}
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_SERVER_TOOL_ID = re.compile(r"srvtoolu_[a-zA-Z0-9_]+")
MAX_NAME = 200
_BLANK = "text content blocks must contain non-whitespace text"


def check_content(where: str, role: str, content: str | list[Block]) -> Iterator[str]:
    """Yield the errors of the content of a message from the user or the assistant."""
    if isinstance(content, str):
        if content.isspace():
            yield f"messages: {_BLANK}"
        return
    allowed = ALLOWED_TYPES[role]
    for index, block in enumerate(content):
        kind = block["type"]
        if kind not in allowed:
            other = "assistant" if role == "user" else "user"
            yield f"{where}: `{kind}` blocks can only be in `{other}` messages"
        elif kind in _CHECKS:
            yield from _CHECKS[kind](f"{where}.content.{index}", block)


def check_citations(body: Body, _model: Model) -> Iterator[str]:
    """Yield errors of `citations`. Sources: "Citations" and "Structured outputs"; neither has the error's text."""
    sources = [
        block
        for message in body["messages"]
        for block in (message["content"] if type(message.get("content")) is list else ())
        if block["type"] in ("document", "search_result")
    ]
    enabled = sum(bool((block.get("citations") or {}).get("enabled")) for block in sources)
    if 0 < enabled < len(sources):
        yield "messages: citations must be enabled on all or none of the documents within a request"
    if enabled and (body.get("output_config") or {}).get("format"):
        yield "output_config.format: Citations are not supported with output format"


def check_text(where: str, block: Block) -> Iterator[str]:
    """Yield errors of a `text` block: empty text, or only white space. They name the field, but not the block."""
    if not block["text"] and block.get("cache_control"):
        yield f"{where}: cache_control cannot be set for empty text blocks"
    if not block["text"]:
        yield f"{where.partition('.')[0]}: text content blocks must be non-empty"
    elif block["text"].isspace():
        yield f"{where.partition('.')[0]}: {_BLANK}"


def _tool_use(where: str, block: Block) -> Iterator[str]:
    if not TOOL_ID.fullmatch(block["id"]):
        yield f"{where}.tool_use.id: String should match pattern '^{TOOL_ID.pattern}$'"
    if not block["name"]:
        yield f"{where}.tool_use.name: String should have at least 1 character"
    if len(block["name"]) > MAX_NAME:
        yield f"{where}.tool_use.name: String should have at most {MAX_NAME} characters"


def _server_tool_use(where: str, block: Block) -> Iterator[str]:
    if not _SERVER_TOOL_ID.fullmatch(block["id"]):
        yield f"{where}.server_tool_use.id: String should match pattern '^{_SERVER_TOOL_ID.pattern}$'"


def _text(where: str, block: Block) -> Iterator[str]:
    yield from check_text(where, block)
    for index, citation in enumerate(block.get("citations") or ()):
        is_web = citation["type"] == "web_search_result_location"
        if is_web and not is_sealed(citation["encrypted_index"], citation["url"], citation["cited_text"]):
            yield f"{where}.text.citations.{index}: Invalid `encrypted_index` in citation"


def _search_results(where: str, block: Block) -> Iterator[str]:
    """Yield an error for results that the API has not written. No source has the error's text."""
    for index, found in enumerate(block["content"] if isinstance(block["content"], list) else ()):
        if not is_sealed(found["encrypted_content"], found["url"], found["title"]):
            yield (
                f"{where}.web_search_tool_result.content.{index}: Invalid `encrypted_content` in `web_search_result`"
            )


def _tool_result(where: str, block: Block) -> Iterator[str]:
    content = block.get("content")
    if not TOOL_ID.fullmatch(block["tool_use_id"]):
        yield f"{where}.tool_result.tool_use_id: String should match pattern '^{TOOL_ID.pattern}$'"
    if not content and block.get("is_error"):
        yield f"{where}.tool_result: content cannot be empty if `is_error` is true"
    for index, inner in enumerate(content if isinstance(content, list) else ()):
        if inner["type"] in _CHECKS:
            yield from _CHECKS[inner["type"]](f"{where}.tool_result.content.{index}", inner)


def _search_result(where: str, block: Block) -> Iterator[str]:
    if not block["content"]:
        yield f"{where}.search_result.content: List should have at least 1 item after validation, not 0"
    for index, inner in enumerate(block["content"]):
        yield from check_text(f"{where}.search_result.content.{index}", inner)


def _thought(where: str, block: Block) -> Iterator[str]:
    """Yield an error if the API did not sign this text. The API may have hidden the text from the client."""
    if not is_signed(block["signature"], block["thinking"]):
        yield f"{where}: Invalid `signature` in `thinking` block"


_CHECKS: dict[str, Callable[[str, Block], Iterator[str]]] = {
    "text": _text,
    "image": check_image,
    "document": check_document,
    "search_result": _search_result,
    "tool_use": _tool_use,
    "server_tool_use": _server_tool_use,
    "web_search_tool_result": _search_results,
    "tool_result": _tool_result,
    "thinking": _thought,
}

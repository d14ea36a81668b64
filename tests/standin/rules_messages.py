"""Rules for `system` and `messages`: shapes, content blocks, tool rounds and prefill."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from .models import Model
from .prompt import Body, texts, thinking_type, thinks
from .rules_media import check_document, check_image, check_image_sizes
from .signature import is_signed

Block = dict[str, Any]

USER_TYPES = frozenset({"text", "image", "document", "search_result", "tool_result", "container_upload"})
RESULT_TYPES = frozenset({"text", "image", "document", "search_result", "tool_reference"})
_OWN_TOOLS = (
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
)
ASSISTANT_TYPES = frozenset(
    (
        *("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use"),
        *("mcp_tool_result", "tool_search_tool_result", "container_upload", "compaction"),
        *(f"{tool}_tool_result" for tool in _OWN_TOOLS),
    )
)
SYSTEM_TYPES = frozenset({"text", "tool_addition", "tool_removal"})
_KNOWN_TYPES = {"user": USER_TYPES, "assistant": ASSISTANT_TYPES, "system": SYSTEM_TYPES}
MAX_CACHE_BREAKPOINTS = 4
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_EMPTY = "text content blocks must be non-empty"
_NO_USE = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
_NO_RESULT = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
_END_WITH_USER = "The conversation must end with a user message."
_BLANK = "text content blocks must contain non-whitespace text"


def _system(body: Body, _model: Model) -> Iterator[str]:
    system = body.get("system")
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        yield "system: Input should be a valid list"
        return
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            yield f"system.{index}.type: Input should be 'text'"
        else:
            yield from _text(f"system.{index}", block)


def _envelope(body: Body, model: Model) -> Iterator[str]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        yield "messages: Field required"
        return
    if not messages:
        yield "messages: at least one message is required"
    for index, message in enumerate(messages):
        yield from _role(f"messages.{index}", message, model)
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'


def _role(where: str, message: Any, model: Model) -> Iterator[str]:
    if not isinstance(message, dict):
        yield f"{where}: Input should be a valid dictionary"
        return
    role = message.get("role")
    if role not in (("user", "assistant", "system") if model.system_turns_ok else ("user", "assistant")):
        yield f"{where}.role: Input should be 'user' or 'assistant'"
    for name in message:
        if name not in ("role", "content") and role != "system":
            yield f"{where}.{name}: Extra inputs are not permitted"


def _contents(body: Body, _model: Model) -> Iterator[str]:
    for index, message in enumerate(body["messages"]):
        content = message.get("content")
        # The CLI sends system messages without content to change effort or tools within a conversation.
        if content != [] or message["role"] != "system":
            yield from _content(f"messages.{index}", content, _KNOWN_TYPES[message["role"]])


def _image_sizes(body: Body, model: Model) -> Iterator[str]:
    yield from check_image_sizes(body, model.window)


def _content(where: str, content: Any, known: frozenset[str]) -> Iterator[str]:
    if isinstance(content, str):
        yield from _text(where, {"text": content})
    elif not isinstance(content, list):
        yield f"{where}.content: Field required"
    elif not content:
        yield f"{where}: all messages must have non-empty content"
    else:
        yield from _blocks(f"{where}.content", content, known)


def _blocks(where: str, blocks: list[Any], known: frozenset[str]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str):
            yield f"{where}.{index}.type: Field required"
        elif kind not in known:
            yield f"{where}.{index}: `{kind}` is not allowed here"
        else:
            yield from _CHECKS.get(kind, _no_errors)(f"{where}.{index}", block)


def _no_errors(_where: str, _block: Block) -> Iterator[str]:
    yield from ()


def _text(where: str, block: Block) -> Iterator[str]:
    text = block.get("text")
    if not isinstance(text, str):
        yield f"{where}.text.text: Field required"
    elif not text:
        yield f"{where}: {_EMPTY}"
    elif not text.strip():
        yield f"{where}: {_BLANK}"


def _tool_use(where: str, block: Block) -> Iterator[str]:
    if not isinstance(block.get("id"), str) or not _TOOL_ID.fullmatch(block["id"]):
        yield f"{where}.tool_use.id: String should match pattern '^{_TOOL_ID.pattern}$'"
    if not isinstance(block.get("name"), str) or not 1 <= len(block["name"]) <= 200:
        yield f"{where}.tool_use.name: String should have at least 1 and at most 200 characters"
    if not isinstance(block.get("input"), dict):
        yield f"{where}.tool_use.input: Input should be a valid dictionary"


def _tool_result(where: str, block: Block) -> Iterator[str]:
    if not isinstance(block.get("tool_use_id"), str):
        yield f"{where}.tool_result.tool_use_id: Field required"
    content = block.get("content")
    if not content and block.get("is_error"):
        yield f"{where}.tool_result: content cannot be empty if `is_error` is true"
    if isinstance(content, list):
        yield from _blocks(f"{where}.tool_result.content", content, RESULT_TYPES)
    elif content is not None and not isinstance(content, str):
        yield f"{where}.tool_result.content: Input should be a string or a list"


def _thought(where: str, block: Block) -> Iterator[str]:
    if not isinstance(block.get("thinking"), str):
        yield f"{where}.thinking.thinking: Field required"
    if not isinstance(block.get("signature"), str):
        yield f"{where}.thinking.signature: Field required"
    elif not is_signed(block["signature"]):
        yield f"{where}: Invalid `signature` in `thinking` block"


_CHECKS: dict[str, Callable[[str, Block], Iterator[str]]] = {
    "text": _text,
    "image": check_image,
    "document": check_document,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thought,
}


def _turns(body: Body) -> list[tuple[str, Block]]:
    """Return the messages of user and assistant, each with its path. System messages are skipped."""
    numbered = enumerate(body["messages"])
    return [(f"messages.{index}", message) for index, message in numbered if message["role"] != "system"]


def _blocks_of(message: Block, kind: str) -> list[Block]:
    content = message["content"]
    return [] if isinstance(content, str) else [block for block in content if block["type"] == kind]


def _tool_rounds(body: Body, _model: Model) -> Iterator[str]:
    call_ids: list[str] = []
    all_ids: list[str] = []
    for where, message in _turns(body):
        yield from _results(where, call_ids, message)
        call_ids = [block["id"] for block in _blocks_of(message, "tool_use")]
        all_ids += call_ids
    yield from _unanswered(where, call_ids)
    if len(set(all_ids)) < len(all_ids):
        yield "messages: `tool_use` ids must be unique"


def _results(where: str, call_ids: list[str], message: Block) -> Iterator[str]:
    answered = [block["tool_use_id"] for block in _blocks_of(message, "tool_result")]
    yield from _unanswered(where, [call_id for call_id in call_ids if call_id not in answered])
    for call_id in answered:
        if call_id not in call_ids:
            yield f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. {_NO_USE}"
    if len(set(answered)) < len(answered):
        yield f"{where}: each `tool_use` must have a single result. Found multiple `tool_result` blocks."
    if answered and any(block["type"] != "tool_result" for block in message["content"][: len(answered)]):
        yield f"{where}: `tool_result` blocks must come before all other content"


def _unanswered(where: str, missing: list[str]) -> Iterator[str]:
    if missing:
        found = f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after"
        yield f"{found}: {', '.join(missing)}. {_NO_RESULT}"


def _thinking_first(body: Body, _model: Model) -> Iterator[str]:
    turns = _turns(body)
    if thinking_type(body) != "enabled" or not _blocks_of(turns[-1][1], "tool_result"):
        return
    # Tool rounds are checked already, so the previous turn holds the `tool_use` that is answered here.
    where, calling = turns[-2]
    found = calling["content"][0]["type"]
    if found not in ("thinking", "redacted_thinking"):
        yield (
            f"{where}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`."
            " When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        )


def _thinking_last(body: Body, _model: Model) -> Iterator[str]:
    for where, message in _turns(body):
        last = message["content"][-1]
        if isinstance(last, dict) and last["type"] in ("thinking", "redacted_thinking"):
            yield f"{where}: The final block in an assistant message cannot be `thinking`."


def _prefill(body: Body, model: Model) -> Iterator[str]:
    _, last = _turns(body)[-1]
    if last["role"] != "assistant":
        return
    if not model.prefill_ok or thinks(body, model):
        yield f"This model does not support assistant message prefill. {_END_WITH_USER}"
    if any(text != text.rstrip() for text in list(texts(last["content"]))[-1:]):
        yield "messages: final assistant content cannot end with trailing whitespace"


def _cache_breakpoints(body: Body, _model: Model) -> Iterator[str]:
    lifetimes = list(_cache_lifetimes([body.get("tools"), body.get("system"), body["messages"]]))
    found = len(lifetimes)
    if found > MAX_CACHE_BREAKPOINTS:
        yield (
            f"A maximum of {MAX_CACHE_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."
        )
    # https://github.com/agno-agi/agno/pull/8406
    if any(earlier == "5m" and later == "1h" for earlier, later in pairwise(lifetimes)):
        yield "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."


def _cache_lifetimes(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _cache_lifetimes(item)
    elif isinstance(value, dict):
        yield from _cache_lifetimes(value.get("content"))
        if mark := value.get("cache_control"):
            yield mark.get("ttl", "5m")


message_rules: tuple[Callable[[Body, Model], Iterator[str]], ...] = (
    _system,
    _envelope,
    _contents,
    _image_sizes,
    _tool_rounds,
    _thinking_first,
    _thinking_last,
    _prefill,
    _cache_breakpoints,
)

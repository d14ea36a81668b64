"""Bodies in the Responses or the Messages API's shape, or a mixture, as plain chat bodies.

Cursor posts such bodies to `/chat/completions` and wants them answered in chat shape. They are told by their
shape, field by field, never by model or user agent. Blocks of those APIs inside a message's content are read by
`content` and `messages`; here is what lies outside of it.
Seen in https://github.com/BerriAI/litellm/pull/34029, https://github.com/icebear0828/codex-proxy/pull/708 and
https://github.com/router-for-me/CLIProxyAPI/issues/3805
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.dialects.chat import cursor_calls
from gateway.dialects.common import content
from gateway.dialects.common.field_errors import invalid, unsupported
from gateway.dialects.responses import input as responses_input

Body = dict[str, Any]

# Fields of the other APIs that chat has under another name.
_RENAMED = {"max_output_tokens": "max_completion_tokens", "stop_sequences": "stop"}

# Parts of the conversation that the Responses API would have kept.
_STORED = ("previous_response_id", "conversation")

_ANTHROPIC_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


@dataclass(frozen=True, slots=True)
class PlainBody:
    """A chat body. `field` is what the client calls its messages; `raw_tools` take free text (see CallForm)."""

    body: Body
    field: str
    raw_tools: frozenset[str]


def as_chat(body: Body) -> PlainBody:
    """`body` as chat has it; one that is plain already comes back as it is. Raises InvalidRequest."""
    plain = dict(body)
    field = _conversation(plain)
    raw_tools = cursor_calls.raw_tools(plain.get("tools") or ())
    plain["messages"] = cursor_calls.with_plain_calls(plain["messages"], raw_tools)
    if plain.get("tools"):
        plain["tools"] = [cursor_calls.plain_tool(tool) for tool in plain["tools"]]
    _system(plain)
    _tool_choice(plain)
    _text(plain)
    for theirs, ours in _RENAMED.items():
        if theirs in plain:
            plain.setdefault(ours, plain.pop(theirs))
    return PlainBody(plain, field, raw_tools)


def _conversation(plain: Body) -> str:
    if plain.get("messages"):
        return "messages"
    for name in _STORED:
        if plain.get(name):
            raise unsupported(name, "Nothing is stored here; send the whole conversation.")
    plain["messages"] = responses_input.messages(plain.pop("input", None))
    return "input"


def _system(plain: Body) -> None:
    """Chat has system messages, and here `system_prompt`, which goes before them."""
    texts = [
        plain.get("system_prompt"),
        plain.pop("instructions", None),
        *_system_texts(plain.pop("system", None)),
    ]
    whole = "\n\n".join(text for text in texts if text)
    if whole:
        plain["system_prompt"] = whole


def _system_texts(system: Any) -> list[str]:
    return content.texts(system, "system") if isinstance(system, list) else [system or ""]


def _tool_choice(plain: Body) -> None:
    choice = plain.get("tool_choice")
    if not isinstance(choice, dict):
        return
    kind = choice.get("type")
    if choice.get("disable_parallel_tool_use") is True:
        plain["parallel_tool_calls"] = False
    if kind in ("tool", "custom") and "name" in choice:
        plain["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif isinstance(kind, str) and kind in _ANTHROPIC_CHOICES:
        plain["tool_choice"] = _ANTHROPIC_CHOICES[kind]


def _text(plain: Body) -> None:
    """The Responses API's `text` holds what chat has as `response_format` and `verbosity`."""
    text = plain.pop("text", None) or {}
    wanted = text.get("format")
    if wanted is not None:
        plain.setdefault("response_format", _response_format(wanted))
    if text.get("verbosity"):
        plain.setdefault("verbosity", text["verbosity"])


def _response_format(wanted: Any) -> dict[str, Any]:
    if not isinstance(wanted, dict):
        raise invalid("text.format", "Expected an object.")
    if wanted.get("type") == "json_schema" and "json_schema" not in wanted:
        return {"type": "json_schema", "json_schema": wanted}
    return wanted

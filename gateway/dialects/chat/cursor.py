"""Rewrite bodies in the shape of the Responses or Messages API, or of a mixture, as plain chat bodies.

Cursor posts such bodies to `/chat/completions` and expects chat answers. They are recognized by their shape, field by
field, never by model or user agent. Content blocks of these APIs inside a message are read by `common.content`; this
module handles everything outside of messages.
Seen in https://github.com/BerriAI/litellm/pull/34029, https://github.com/icebear0828/codex-proxy/pull/708 and
https://github.com/router-for-me/CLIProxyAPI/issues/3805
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from gateway.dialects.chat import cursor_tools
from gateway.dialects.common import content
from gateway.dialects.common.adjust import adjust_parameters
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.input_items import as_messages
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.openai_parameters import COUNTS, RANGES
from gateway.dialects.common.stored_files import FileReader
from gateway.dialects.common.tool_forms import ToolForms, find_forms
from gateway.dialects.common.where import Notes, Where

# Fields of the other APIs that have another name in chat.
_RENAMED = {"max_output_tokens": "max_completion_tokens", "stop_sequences": "stop"}

# References to a conversation that the Responses API has stored.
_STORED = ("previous_response_id", "conversation")

_ANTHROPIC_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


@dataclass(frozen=True, slots=True)
class PlainBody:
    """A plain chat body.

    `messages_field` is the client's name for its messages, for errors. `custom_tools` has the forms of the tools
    that take free text. `notes` takes the repairs of the request.
    """

    body: Body
    messages_field: str
    custom_tools: ToolForms
    notes: Notes = field(default_factory=Notes)

    @property
    def messages(self) -> list[Body]:
        """Return the messages of the body, without any history."""
        messages: list[Body] = self.body["messages"]
        return messages


def as_chat(
    body: Body,
    read_file: FileReader | None = None,
    hosted_tools: Collection[str] = (),
    *,
    long_cache: bool = False,
) -> PlainBody:
    """Return `body` in chat's shape; a plain chat body is left unchanged.

    `read_file` returns the client's files, and `hosted_tools` names the hosted tools that it may use. With
    `long_cache`, it may cache its prompt for long.

    Raises InvalidRequest.
    """
    plain, notes = dict(body), Notes(read_file, hosted_tools, long_cache=long_cache)
    messages_field = _move_messages(plain, notes)
    forms = find_forms(plain.get("tools") or ())
    custom_tools = {name: form for name, form in forms.items() if form.is_custom}
    plain["messages"] = cursor_tools.wrap_raw_calls(plain["messages"], custom_tools)
    _move_system(plain)
    _move_tool_choice(plain)
    _move_text(plain)
    for theirs, ours in _RENAMED.items():
        if theirs in plain:
            plain.setdefault(ours, plain.pop(theirs))
    plain = adjust_parameters(plain, notes, COUNTS, RANGES)
    return PlainBody(plain, messages_field, custom_tools, notes)


def _move_messages(plain: Body, notes: Notes) -> str:
    """Move `input` to `messages`, and return the client's name for them."""
    if plain.get("messages"):
        return "messages"
    for name in _STORED:
        if plain.get(name):
            raise unsupported_field(
                name, "Chat completions are not stored. Send the whole conversation instead."
            )
    plain["messages"] = as_messages(plain.pop("input", None), notes)
    return "input"


def _move_system(plain: Body) -> None:
    """Join all system texts of the other APIs in `system_prompt`, which goes before chat's system messages."""
    texts = [
        plain.get("system_prompt"),
        plain.pop("instructions", None),
        *_system_texts(plain.pop("system", None)),
    ]
    joined = "\n\n".join(text for text in texts if text)
    if joined:
        plain["system_prompt"] = joined


def _system_texts(system: Any) -> list[str]:
    return content.read_texts(system, Where("system")) if isinstance(system, list) else [system or ""]


def _move_tool_choice(plain: Body) -> None:
    choice = plain.get("tool_choice")
    if not isinstance(choice, dict):
        return
    kind = choice.get("type")
    if choice.get("disable_parallel_tool_use") is True:
        plain["parallel_tool_calls"] = False
    if kind == "tool" and "name" in choice:
        plain["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif isinstance(kind, str) and kind in _ANTHROPIC_CHOICES:
        plain["tool_choice"] = _ANTHROPIC_CHOICES[kind]


def _move_text(plain: Body) -> None:
    """Move the Responses API's `text` to `response_format` and `verbosity`."""
    text = plain.pop("text", None) or {}
    wanted = text.get("format")
    if not isinstance(wanted, dict | None):
        raise invalid_field("text.format", "Expected an object.")
    if wanted is not None:
        plain.setdefault("response_format", wanted)
    if text.get("verbosity"):
        plain.setdefault("verbosity", text["verbosity"])

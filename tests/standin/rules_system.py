"""Rules for messages of role "system", which newer models accept between the others.

Sources: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages, and the error texts
that users measured. A message has an effect from its place on, so it has to stand where the model's turn begins. Only a
directive, a message without content that sets `output_config`, may stand anywhere.
"""

from collections.abc import Iterator
from typing import Any

from .models import Model

Message = dict[str, Any]

_DIRECTIVE = "the directive-only form (content: [] with output_config) is accepted at any position"
_NOT_FIRST = f"use the top-level 'system' parameter for the initial system prompt; {_DIRECTIVE}"
_FOLLOW = (
    "role 'system' must follow a 'user' message or an 'assistant' message ending in a server tool result"
)
_PRECEDE = f"role 'system' must precede an 'assistant' message or end the array; {_DIRECTIVE}"
# The headers that allow a field or a block of a message. The CLI sends the second header for `output_config`.
_BETAS: dict[str, tuple[str, ...]] = {
    "output_config": ("mid-conversation-output-config-", "per-turn-control-"),
    "clear_at": ("mid-conversation-system-clear-at-",),
    "tool_addition": ("mid-conversation-tool-changes-",),
    "tool_removal": ("mid-conversation-tool-changes-",),
}


def check_system_messages(messages: list[Message], model: Model) -> Iterator[str]:
    """Yield the errors of all messages of role "system"."""
    for index, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if not model.system_turns_ok:
            yield "role 'system' is not supported on this model"
        yield from _parts(f"messages.{index}", message, model)
        if not _is_directive(message):
            yield from _place(f"messages.{index}", messages[:index], messages[index + 1 :])
            yield from _texts(f"messages.{index}", message)


def _parts(where: str, message: Message, model: Model) -> Iterator[str]:
    if "content" not in message:
        yield f"{where}.content: Field required"
    for name in ("output_config", "clear_at"):
        if name in message and not model.has_beta(*_BETAS[name]):
            yield f"{where}.{name}: Extra inputs are not permitted"
    content = message["content"]
    if not content and not _is_directive(message):
        yield f"{where}: system content must contain at least one block"
    for block in content if isinstance(content, list) else ():
        if block["type"] != "text" and not model.has_beta(*_BETAS.get(block["type"], ())):
            yield f"{where}: role 'system' supports text, tool_addition, and tool_removal blocks only"
        if message.get("clear_at") == "next_user_message" and block.get("cache_control"):
            yield f"{where}: cache_control cannot be set on a message with clear_at"


def _is_directive(message: Message) -> bool:
    return message["content"] == [] and bool(message.get("output_config"))


def _place(where: str, before: list[Message], after: list[Message]) -> Iterator[str]:
    previous = next((message for message in reversed(before) if message["role"] != "system"), None)
    following = next((message for message in after if message["role"] != "system"), None)
    if previous is None:
        yield f"{where}: {_NOT_FIRST}"
    elif previous["role"] == "assistant" and not _ends_in_server_result(previous["content"]):
        yield f"{where}: {_FOLLOW}; {_DIRECTIVE}"
    is_last_of_run = not after or after[0]["role"] != "system"
    if is_last_of_run and following and following["role"] == "user":
        yield f"{where}: {_PRECEDE}"


def _ends_in_server_result(content: str | list[dict[str, Any]]) -> bool:
    return bool(content) and not isinstance(content, str) and content[-1]["type"].endswith("_tool_result")


def _texts(where: str, message: Message) -> Iterator[str]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
        yield f"{where}: system text blocks must contain non-whitespace text"

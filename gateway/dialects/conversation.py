"""A chat request's list of messages as a conversation that the Messages API takes.

OpenAI allows any order of roles. The Messages API wants system text apart, roles that alternate, and the user
first and last. System messages are hoisted as in https://platform.claude.com/docs/en/api/openai-sdk.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby
from typing import Any

from gateway.dialects import content
from gateway.errors import InvalidRequest, UnsupportedParameter
from gateway.turn import Block, Message, Role

#: Stands before a conversation whose first message is the assistant's.
OPENING = "(The conversation begins with the assistant.)"

#: Follows a conversation whose last message is the assistant's, which newer models refuse to continue itself.
NUDGE = "Continue exactly where your last message ends, without repeating any of it."

_SYSTEM_ROLES = ("system", "developer")
_TOOL_ROLES = ("tool", "function")

Said = tuple[Role, list[Block]]


def translate(
    messages: Iterable[dict[str, Any]], system_prompt: str | None = None
) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """The system texts, `system_prompt` first, and the messages of a Turn.

    Raises InvalidRequest (code `missing_user_message` when nobody says anything) and UnsupportedParameter.
    """
    system = [content.well_formed(system_prompt or "")]
    said: list[Said] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        _refuse_unsupported(message, where)
        if message["role"] in _SYSTEM_ROLES:
            system.append(content.system_text(message, where))
        else:
            said.append((message["role"], content.blocks(message, where)))
    return tuple(text for text in system if not content.is_blank(text)), _user_to_user(_merge(said))


def _refuse_unsupported(message: dict[str, Any], where: str) -> None:
    if message["role"] in _TOOL_ROLES:
        _refuse(f"{where}.role", f"Messages of role '{message['role']}' are")
    for name in ("tool_calls", "function_call", "audio"):
        if message.get(name):
            _refuse(f"{where}.{name}", f"'{where}.{name}' is")


def _refuse(param: str, what: str) -> None:
    raise UnsupportedParameter(f"{what} not supported.", param=param)


def _merge(said: Iterable[Said]) -> list[Message]:
    """Drops what is empty and makes one message of several of one role in a row."""
    spoken = (item for item in said if item[1])
    return [
        Message(role, tuple(chain.from_iterable(blocks for _, blocks in group)))
        for role, group in groupby(spoken, key=lambda item: item[0])
    ]


def _user_to_user(messages: list[Message]) -> tuple[Message, ...]:
    if not messages:
        problem = "The conversation has no user message with content."
        raise InvalidRequest(problem, param="messages", code="missing_user_message")
    if messages[0].role == "assistant":
        messages = [_user(OPENING), *messages]
    if messages[-1].role == "assistant":
        messages = [*messages, _user(NUDGE)]
    return tuple(messages)


def _user(text: str) -> Message:
    return Message("user", ({"type": "text", "text": text},))

"""A chat request's list of messages, or the Responses API's of items, as a conversation that the Messages API takes.

OpenAI allows any order of roles. The Messages API wants system text apart, roles that alternate, and the user
first and last. System messages are hoisted as in https://platform.claude.com/docs/en/api/openai-sdk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

from gateway.dialects.common import openai_messages as one
from gateway.dialects.common.content import ContentPart, joined_text
from gateway.dialects.common.field_errors import invalid
from gateway.dialects.common.text import is_blank, well_formed
from gateway.dialects.common.tool_rounds import Utterance, arranged
from gateway.errors import InvalidRequest
from gateway.turn import Message

#: Stands before a conversation whose first message is the assistant's.
OPENING = "(The conversation begins with the assistant.)"

#: Follows a conversation whose last message is the assistant's, which newer models refuse to continue itself.
NUDGE = "Continue exactly where your last message ends, without repeating any of it."

#: What errors call the list of the messages that are stored.
HISTORY = "session[{}]"

SYSTEM_ROLES = ("system", "developer")


def translate(
    messages: Iterable[dict[str, Any]],
    system_prompt: str | None = None,
    field: str = "messages",
    history: Sequence[dict[str, Any]] = (),
    history_name: str = HISTORY,
) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """The system texts, `system_prompt` first, and the messages of a Turn.

    `field` is what the client calls its list, for errors; `history` are the messages before, which it has not
    sent, and `history_name` what they are called. Raises InvalidRequest (code `missing_user_message` when nobody says
    anything) and UnsupportedParameter.
    """
    reader = _Reader(system_prompt or "")
    for index, message in enumerate(history):
        reader.read(message, index, history_name.format(index))
    for index, message in enumerate(messages):
        reader.read(message, len(history) + index, f"{field}[{index}]")
    system = tuple(text for text in reader.system if not is_blank(text))
    return system, alternating(reader.said, field)


def alternating(said: Iterable[Utterance], field: str) -> tuple[Message, ...]:
    """What was said as messages that alternate, begin and end with the user. Raises as `translate` does."""
    return _user_to_user(arranged(_merge(said)), field)


def faults(
    messages: Iterable[dict[str, Any]], field: str = "messages", history: Sequence[dict[str, Any]] = ()
) -> Iterator[InvalidRequest]:
    """What is wrong with each message; only if nothing is, what is wrong with them together."""
    messages, found = list(messages), False
    reader = _Reader("")
    for index, message in enumerate([*history, *messages]):
        try:
            reader.read(message, index, f"{field}[{index - len(history)}]")
        except InvalidRequest as error:
            found = True
            yield error
    if not found:
        try:
            translate(messages, None, field, history)
        except InvalidRequest as error:
            yield error


class _Reader:
    """Goes through the messages in order: gathers the system texts, and who said what."""

    def __init__(self, system_prompt: str) -> None:
        self.system = [well_formed(system_prompt)]
        self.said: list[Utterance] = []
        self._function_calls: deque[str] = deque()

    def read(self, message: dict[str, Any], index: int, where: str) -> None:
        role = message.get("role")
        if role is None:
            self.said.append(_item(message, where))
        elif role in SYSTEM_ROLES:
            self.system.append(joined_text(message.get("content"), f"{where}.content"))
        elif role == "assistant":
            self.said.append(("assistant", self._assistant(message, index, where)))
        elif role == "tool":
            self.said.append(("user", one.tool(message, where)))
        elif role == "function":
            self.said.append(("user", [self._function(message, where)]))
        else:
            self.said.append(("user", one.user(message, where)))

    def _assistant(self, message: dict[str, Any], index: int, where: str) -> list[ContentPart]:
        pieces = one.assistant(message, where)
        if message.get("function_call"):
            call_id = f"call_message_{index}"
            pieces.append(one.function_call(message, where, call_id))
            self._function_calls.append(call_id)
        return pieces

    def _function(self, message: dict[str, Any], where: str) -> ContentPart:
        if not self._function_calls:
            raise invalid(where, "No assistant's message before it has a function call to answer.")
        return one.function(message, where, self._function_calls.popleft())


def _item(item: dict[str, Any], where: str) -> Utterance:
    if item["type"] == "function_call":
        return "assistant", one.call_item(item, where)
    return "user", one.output_item(item, where)


def _merge(said: Iterable[Utterance]) -> list[Utterance]:
    """Drops what is empty and makes one message of several of one role in a row."""
    spoken = (item for item in said if item[1])
    return [
        (role, list(chain.from_iterable(pieces for _, pieces in group)))
        for role, group in groupby(spoken, key=lambda item: item[0])
    ]


def _user_to_user(messages: list[Message], field: str) -> tuple[Message, ...]:
    if not messages:
        problem = "The conversation has no user message with content."
        raise InvalidRequest(problem, param=field, code="missing_user_message")
    if messages[0].role == "assistant":
        messages = [_user(OPENING), *messages]
    if messages[-1].role == "assistant":
        messages = [*messages, _user(NUDGE)]
    return tuple(messages)


def _user(text: str) -> Message:
    return Message("user", ({"type": "text", "text": text},))

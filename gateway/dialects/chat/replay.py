"""Merge a request into a stored conversation: clients send only new messages, or replay the whole conversation.

Messages are compared in a canonical form that hides harmless differences between client and store: text as a string or
as parts, trimmed answers, arguments serialized again, and fields that never reach the model.

>>> question, answer = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
>>> continue_conversation([question, answer], [{"role": "user", "content": "Bye"}]).unchanged
2
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.dialects.common.conversation import SYSTEM_ROLES, count_leading_system
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.text import is_blank


@dataclass(frozen=True, slots=True)
class Continuation:
    """A request merged into a stored conversation.

    `history` goes before the messages of the request. `conversation` is the result, without the new answer. Its first
    `unchanged` messages are stored already; all later stored messages are void.
    """

    history: list[Body]
    conversation: list[Body]
    unchanged: int


def continue_conversation(stored: Sequence[Body], sent: Sequence[Body]) -> Continuation:
    """Merge the messages of a request into the stored ones.

    - A request that contains an answer and starts like the stored conversation replaces it: the client has edited the
      history, or wants an answer written again.
    - A request that starts with an answer, or with the last messages of the conversation, continues from there.
    - All other messages are new and go to the end.

    System messages at the start of a request replace those at the start of the conversation.
    """
    own_system, dialog = _split_system(sent)
    stored_system, earlier = _split_system(stored)
    if _is_replay(earlier, dialog):
        system, history = own_system, []
    else:
        system = own_system or stored_system
        history = earlier[: len(earlier) - _count_repeated(earlier, dialog)]
    conversation = [*system, *history, *dialog]
    return Continuation(
        history if own_system else [*system, *history], conversation, _count_unchanged(stored, conversation)
    )


def _split_system(messages: Sequence[Body]) -> tuple[list[Body], list[Body]]:
    """Return the system messages at the start, and the others."""
    count = count_leading_system(messages)
    return list(messages[:count]), list(messages[count:])


def _is_replay(earlier: Sequence[Body], dialog: Sequence[Body]) -> bool:
    """Return True if the request replays the conversation from its start."""
    if not earlier or not _has_answer(dialog):
        return False
    return bool(_canonical(earlier[0]) == _canonical(dialog[0]))


def _count_repeated(earlier: Sequence[Body], dialog: Sequence[Body]) -> int:
    """Return how many of the last messages of the conversation the request repeats. One of them must be an answer."""
    old = [_canonical(message) for message in earlier]
    new = [_canonical(message) for message in dialog]
    lengths = range(min(len(old), len(new)), 0, -1)
    repeated = (length for length in lengths if old[-length:] == new[:length])
    return next((length for length in repeated if _has_answer(dialog[:length])), 0)


def _count_unchanged(stored: Sequence[Body], conversation: Sequence[Body]) -> int:
    count = 0
    for old, new in zip(stored, conversation, strict=False):
        if old is not new and _canonical(old) != _canonical(new):
            break
        count += 1
    return count


def _has_answer(messages: Sequence[Body]) -> bool:
    return any(message.get("role") == "assistant" for message in messages)


def _canonical(message: Body) -> Any:
    """Return the parts of a message that matter, in comparable form. The message may still be malformed."""
    role, (texts, others) = message.get("role"), _split_content(message.get("content"))
    if role is None:
        return message
    if role in SYSTEM_ROLES:
        return "system", texts
    if role != "assistant":
        return role, texts, others, message.get("tool_call_id")
    sent = message.get("tool_calls")
    calls = [_identify_call(call) for call in sent] if isinstance(sent, list) else []
    text = str(message.get("refusal") or "".join(texts))
    return role, text.strip(), others, calls, _called(message.get("function_call"))


def _split_content(content: Any) -> tuple[list[str], list[Any]]:
    """Return the texts and the other parts."""
    parts = content if isinstance(content, list) else [content or ""]
    texts, others = [], []
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            others.append(part)
        elif not is_blank(text):
            texts.append(text)
    return texts, others


def _identify_call(call: Any) -> Any:
    return (call.get("id"), _called(call.get("function"))) if isinstance(call, dict) else call


def _called(function: Any) -> Any:
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    with contextlib.suppress(orjson.JSONDecodeError):  # malformed arguments are compared as text
        arguments = orjson.loads(arguments) if isinstance(arguments, str) else arguments
    return function.get("name"), arguments or {}

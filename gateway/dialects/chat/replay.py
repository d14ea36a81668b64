"""What a request to a stored conversation adds to it: clients send just what is new, or replay what they have.

Messages are compared in a form in which clients' harmless rewriting does not show: text as a string or as parts,
an answer's text trimmed, arguments re-serialised, fields that do not reach the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.dialects.common.conversation import SYSTEM_ROLES
from gateway.dialects.common.text import is_blank

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Continuation:
    """`history` goes before the messages of the request. `whole` is the conversation then, without the answer yet;
    its first `known` messages are stored already, and what is stored behind those is void."""

    history: list[Message]
    whole: list[Message]
    known: int


def continued(stored: Sequence[Message], sent: Sequence[Message]) -> Continuation:
    """How `sent` continues `stored`.

    A request that has an answer of the assistant and begins as the conversation did is all of it, whatever is stored:
    histories that were edited or answers that are to be written again are taken as the client has them. One that
    begins with an answer, or within the last messages of the conversation, goes on from there. Everything else is
    new. System messages of a request replace the earlier ones.
    """
    own_system = [message for message in sent if _is_system(message)]
    spoken = [message for message in sent if not _is_system(message)]
    history = [message for message in stored if not (own_system and _is_system(message))]
    history = [] if _is_whole(stored, spoken) else _without_last(history, _overlap(history, spoken))
    whole = [*own_system, *history, *spoken] if history and own_system else [*history, *sent]
    return Continuation(history, whole, _same(stored, whole))


def _is_whole(stored: Sequence[Message], spoken: Sequence[Message]) -> bool:
    first = next((message for message in stored if not _is_system(message)), None)
    if first is None or not _has_answer(spoken):
        return False
    return bool(_form(first) == _form(spoken[0]))


def _overlap(history: Sequence[Message], spoken: Sequence[Message]) -> int:
    """How many messages at the end of `history` the request repeats; an answer has to be among them."""
    said = [_form(message) for message in history if not _is_system(message)]
    forms = [_form(message) for message in spoken]
    lengths = range(min(len(said), len(forms)), 0, -1)
    repeated = (length for length in lengths if said[-length:] == forms[:length])
    return next((length for length in repeated if _has_answer(spoken[:length])), 0)


def _without_last(history: Sequence[Message], count: int) -> list[Message]:
    spoken = [index for index, message in enumerate(history) if not _is_system(message)]
    dropped = set(spoken[len(spoken) - count :])
    return [message for index, message in enumerate(history) if index not in dropped]


def _same(stored: Sequence[Message], whole: Sequence[Message]) -> int:
    count = 0
    for ours, theirs in zip(stored, whole, strict=False):
        if ours is not theirs and _form(ours) != _form(theirs):
            break
        count += 1
    return count


def _has_answer(messages: Sequence[Message]) -> bool:
    return any(message["role"] == "assistant" for message in messages)


def _is_system(message: Message) -> bool:
    return message["role"] in SYSTEM_ROLES


def _form(message: Message) -> Any:
    """What counts of a message. It may be malformed still."""
    role, (texts, others) = message["role"], _content(message.get("content"))
    if role in SYSTEM_ROLES:
        return "system", texts
    if role != "assistant":
        return role, texts, others, message.get("tool_call_id")
    calls = [(call.get("id"), _called(call.get("function"))) for call in message.get("tool_calls") or ()]
    text = message.get("refusal") or "".join(texts)
    return role, text.strip(), others, calls, _called(message.get("function_call"))


def _content(content: Any) -> tuple[list[str], list[Any]]:
    """The texts and the other parts."""
    parts = content if isinstance(content, list) else [content or ""]
    texts, others = [], []
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            others.append(part)
        elif not is_blank(text):
            texts.append(text)
    return texts, others


def _called(function: Any) -> Any:
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    with contextlib.suppress(orjson.JSONDecodeError):  # then it is compared as it is
        arguments = orjson.loads(arguments) if isinstance(arguments, str) else arguments
    return function.get("name"), arguments or {}

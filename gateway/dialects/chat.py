"""A chat completion request as a Turn. The other direction is in `chat_answers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.dialects import chat_parameters, conversation
from gateway.turn import Turn


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request understood: the turn to run, how to send the answer, and which parameters had no effect."""

    turn: Turn
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]


def parse(body: dict[str, Any]) -> ChatRequest:
    """Translates a body that ChatCompletionSchema has loaded.

    Raises InvalidRequest, or UnsupportedParameter for what would change the answer and cannot be honoured;
    both name the field in `param`.
    """
    chat_parameters.refuse_unsupported(body)
    return ChatRequest(
        turn=_turn(body),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        ignored=chat_parameters.ignored_parameters(body),
    )


def _turn(body: dict[str, Any]) -> Turn:
    system, messages = conversation.translate(body["messages"], body.get("system_prompt"))
    return Turn(
        messages=messages,
        model=body.get("model") or None,
        system=system,
        sampling=chat_parameters.sampling(body),
    )

"""A chat completion request as a Turn. The other direction is in `chat_answers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.dialects.chat import cursor
from gateway.dialects.chat import parameters as chat_parameters
from gateway.dialects.chat.cursor import PlainBody
from gateway.dialects.common import conversation, reasoning, tools
from gateway.dialects.common import output_schema as response_format
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import InvalidRequest
from gateway.turn import Turn


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request understood: the turn to run, how to send the answer, and which parameters had no effect.

    The turn is to be run `n` times, each answer a choice of its own. `tool_call_format` goes to the encoder.
    """

    turn: Turn
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]
    n: int = 1
    tool_call_format: ToolCallFormat = field(default_factory=ToolCallFormat)


def parse_request(body: dict[str, Any], history: Sequence[dict[str, Any]] = ()) -> ChatRequest:
    """Translates a body that ChatCompletionSchema has loaded. `history` are chat messages that come before its own.

    Raises InvalidRequest, or UnsupportedParameter for what would change the answer and cannot be honoured;
    both name the field in `param`.
    """
    return parse_plain_body(cursor.as_chat(body), history)


def parse_plain_body(plain: PlainBody, history: Sequence[dict[str, Any]] = ()) -> ChatRequest:
    """Translate a body that `cursor.as_chat` has rewritten. Raises as `parse_request` does."""
    body = plain.body
    chat_parameters.refuse_unsupported(body)
    return ChatRequest(
        turn=_turn(body, plain.field, history),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        ignored=chat_parameters.ignored_parameters(body),
        n=body.get("n") or 1,
        tool_call_format=ToolCallFormat(tools.is_deprecated(body), plain.raw_tools),
    )


def read_messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a body as chat has them. Raises as `parse_request` does."""
    found: list[dict[str, Any]] = cursor.as_chat(body).body["messages"]
    return found


def find_errors(body: dict[str, Any], history: Sequence[dict[str, Any]] = ()) -> Iterator[InvalidRequest]:
    """Everything for which `parse_request` would refuse the body."""
    try:
        plain = cursor.as_chat(body)
    except InvalidRequest as error:
        yield error
        return
    body = plain.body
    checks: list[Callable[[], object]] = [
        *(partial(chat_parameters.refuse_unsupported, {name: value}) for name, value in body.items()),
        partial(tools.translate, body),
        partial(reasoning.translate, body),
        partial(response_format.schema, body),
    ]
    for check in checks:
        try:
            check()
        except InvalidRequest as error:
            yield error
    yield from conversation.faults(body["messages"], plain.field, history)


def _turn(body: dict[str, Any], field: str, history: Sequence[dict[str, Any]]) -> Turn:
    defined, choice = tools.translate(body)
    system, messages = conversation.translate(body["messages"], body.get("system_prompt"), field, history)
    effort, thinking = reasoning.translate(body)
    return Turn(
        messages=messages,
        requested_model=body.get("model") or None,
        system=system,
        sampling=chat_parameters.sampling(body),
        tools=defined,
        tool_choice=choice,
        output_schema=response_format.schema(body),
        effort=effort,
        thinking=thinking,
    )

"""Whether tool calls and their results belong together, and in the order that the Messages API demands.

Every `tool_use` of an assistant's message is answered in the very next user message, whose `tool_result` blocks
stand before everything else. https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.dialects.common.content import ContentPart
from gateway.dialects.common.field_errors import invalid, quoted
from gateway.turn import Message, Role

Utterance = tuple[Role, list[ContentPart]]


def arranged(said: Iterable[Utterance]) -> list[Message]:
    """The messages, which alternate in role, with calls last and results first, in the order of the calls.

    Raises InvalidRequest that names the message: a result without a call, a call without a result, an id
    that comes twice.
    """
    messages: list[Message] = []
    seen: set[str] = set()
    calls: list[ContentPart] = []
    for role, pieces in said:
        if role == "assistant":
            calls, others = _apart(pieces, "tool_use")
            _refuse_repeated(calls, seen)
            messages.append(_message(role, others + calls))
        else:
            results, others = _apart(pieces, "tool_result")
            messages.append(_message(role, _in_order(results, calls) + others))
            calls = []
    _refuse_unanswered(calls)
    return messages


def _apart(pieces: list[ContentPart], kind: str) -> tuple[list[ContentPart], list[ContentPart]]:
    of_kind = [piece for piece in pieces if piece.block["type"] == kind]
    return of_kind, [piece for piece in pieces if piece.block["type"] != kind]


def _message(role: Role, pieces: list[ContentPart]) -> Message:
    return Message(role, tuple(piece.block for piece in pieces))


def _refuse_repeated(calls: list[ContentPart], seen: set[str]) -> None:
    for call in calls:
        if call.block["id"] in seen:
            raise invalid(call.where, f"An earlier tool call has the id {quoted(call.block['id'])} too.")
        seen.add(call.block["id"])


def _in_order(results: list[ContentPart], calls: list[ContentPart]) -> list[ContentPart]:
    waiting = {call.block["id"]: call for call in calls}
    given: dict[str, ContentPart] = {}
    for result in results:
        call_id = result.block["tool_use_id"]
        if call_id in given:
            raise invalid(result.where, f"The tool call {quoted(call_id)} has a result already.")
        if call_id not in waiting:
            problem = f"The assistant's message before has no tool call with the id {quoted(call_id)}."
            raise invalid(result.where, problem)
        given[call_id] = result
    _refuse_unanswered([call for call in calls if call.block["id"] not in given])
    return [given[call_id] for call_id in waiting]


def _refuse_unanswered(calls: list[ContentPart]) -> None:
    if calls:
        ids = ", ".join(quoted(call.block["id"]) for call in calls)
        message = calls[0].where.partition(".")[0]
        raise invalid(message, f"These tool calls have no result in the messages right after it: {ids}.")

"""Check that tool calls and results match, and put them in the order that the Messages API demands.

The user message right after an assistant message must hold one `tool_result` block per `tool_use` block, before all
other blocks. https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.dialects.common.content import ContentPart
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.turn import Message, Role

#: A role with the parts that it said.
Utterance = tuple[Role, list[ContentPart]]


def arrange_tool_rounds(utterances: Iterable[Utterance]) -> list[Message]:
    """Return the messages with calls last and results first, the results in the order of their calls.

    The roles must alternate. Raises InvalidRequest, naming the message, for a result without a call, a call without a
    result, or an id that occurs twice.
    """
    messages: list[Message] = []
    seen: set[str] = set()
    calls: list[ContentPart] = []
    for role, parts in utterances:
        if role == "assistant":
            calls, others = _split(parts, "tool_use")
            _refuse_repeated(calls, seen)
            messages.append(_message(role, others + calls))
        else:
            results, others = _split(parts, "tool_result")
            messages.append(_message(role, _in_order_of_calls(results, calls) + others))
            calls = []
    _refuse_unanswered(calls)
    return messages


def _split(parts: list[ContentPart], kind: str) -> tuple[list[ContentPart], list[ContentPart]]:
    of_kind = [part for part in parts if part.block["type"] == kind]
    return of_kind, [part for part in parts if part.block["type"] != kind]


def _message(role: Role, parts: list[ContentPart]) -> Message:
    return Message(role, tuple(part.block for part in parts))


def _refuse_repeated(calls: list[ContentPart], seen: set[str]) -> None:
    for call in calls:
        call_id = call.block["id"]
        if call_id in seen:
            problem = f"An earlier tool call also has the id {quote(call_id)}. Give each call its own id."
            raise invalid_field(call.where, problem)
        seen.add(call_id)


def _in_order_of_calls(results: list[ContentPart], calls: list[ContentPart]) -> list[ContentPart]:
    expected = {call.block["id"]: call for call in calls}
    found: dict[str, ContentPart] = {}
    for result in results:
        call_id = result.block["tool_use_id"]
        if call_id in found:
            raise invalid_field(result.where, f"The tool call {quote(call_id)} already has a result.")
        if call_id not in expected:
            problem = f"The assistant message before it has no tool call with the id {quote(call_id)}."
            raise invalid_field(result.where, problem)
        found[call_id] = result
    _refuse_unanswered([call for call in calls if call.block["id"] not in found])
    return [found[call_id] for call_id in expected]


def _refuse_unanswered(calls: list[ContentPart]) -> None:
    if calls:
        ids = ", ".join(quote(call.block["id"]) for call in calls)
        message = str(calls[0].where).partition(".")[0]
        problem = f"These tool calls have no result in the messages right after it: {ids}. Add the results."
        raise invalid_field(message, problem)

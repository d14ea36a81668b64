"""Tool loops as Claude Code runs them, with a system message after every tool result, in the form of each API."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.recorded import Body

#: A note that Claude Code sends after the first question.
NOTED = "<system-reminder>\nThe user opened a file.\n</system-reminder>"

_PARAMETERS: Body = {"type": "object", "properties": {"n": {"type": "integer"}}}


def note_text(index: int) -> str:
    """Return the text of the note after the result of call `index`."""
    return f"<total_tokens>{1000 - index} tokens left</total_tokens>"


@dataclass(frozen=True)
class Dialect:
    """An API: its path, and the body of a conversation with this many finished tool rounds."""

    path: str
    body: Callable[[int], Body]


def call_id(index: int) -> str:
    """Return the id of call `index`."""
    return f"toolu_{index}"


def _chat(rounds: int) -> Body:
    messages: list[Body] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Go on."},
        {"role": "system", "content": NOTED},
    ]
    for index in range(rounds):
        function = {"name": "step", "arguments": json.dumps({"n": index})}
        call = {"id": call_id(index), "type": "function", "function": function}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id(index), "content": f"RESULT {index}"},
            {"role": "developer", "content": note_text(index)},
        ]
    tool = {"type": "function", "function": {"name": "step", "parameters": _PARAMETERS}}
    return {"messages": messages, "tools": [tool]}


def _responses(rounds: int) -> Body:
    items: list[Body] = [{"role": "user", "content": "Go on."}, {"role": "developer", "content": NOTED}]
    for index in range(rounds):
        called = {"call_id": call_id(index), "name": "step", "arguments": json.dumps({"n": index})}
        items += [
            {"type": "function_call", **called},
            {"type": "function_call_output", "call_id": call_id(index), "output": f"RESULT {index}"},
            {"role": "system", "content": [{"type": "input_text", "text": note_text(index)}]},
        ]
    tool = {"type": "function", "name": "step", "parameters": _PARAMETERS}
    return {"instructions": "Be brief.", "input": items, "tools": [tool], "store": False}


def _messages(rounds: int) -> Body:
    messages: list[Body] = [
        {"role": "user", "content": "Go on."},
        {"role": "system", "content": [{"type": "text", "text": NOTED}]},
    ]
    for index in range(rounds):
        use = {"type": "tool_use", "id": call_id(index), "name": "step", "input": {"n": index}}
        result = {"type": "tool_result", "tool_use_id": call_id(index), "content": f"RESULT {index}"}
        messages += [
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
            {"role": "system", "content": note_text(index)},
        ]
    tool = {"name": "step", "input_schema": _PARAMETERS}
    return {"system": "Be brief.", "messages": messages, "tools": [tool], "max_tokens": 5000}


DIALECTS = {
    "chat": Dialect("/v1/chat/completions", _chat),
    "Responses": Dialect("/v1/responses", _responses),
    "Messages": Dialect("/v1/messages", _messages),
}

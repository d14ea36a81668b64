"""Write a plan as the body that a client of its dialect would send."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fuzz.plans import (
    AssistantTurn,
    Call,
    Dialect,
    Foreign,
    Note,
    Picture,
    Piece,
    Plan,
    Said,
    ToolPlan,
    Upload,
    UserTurn,
)

Body = dict[str, Any]

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "completions": "/v1/completions",
}


def render(plan: Plan) -> Body:
    """Return the body of a plan."""
    body = _RENDERERS[plan.dialect](plan)
    if plan.model[0] is not None:
        body["model"] = plan.model[0]
    if plan.stream:
        body["stream"] = True
    if plan.answer:
        body |= _answer_format(plan.dialect, plan.answer.schema)
    return {**body, **{parameter.name: parameter.value for parameter in plan.parameters}}


def arguments_of(call: Call) -> str:
    """Return the JSON text of a call's arguments, which may be cut off."""
    text = json.dumps({"path": "a.py", "content": call.text})
    return text[:-2] if call.is_cut else text


def results_of(turn: AssistantTurn) -> list[tuple[str, tuple[Piece, ...]]]:
    """Return the results after an answer in the order in which the client sends them, each with its id."""
    found = [(call.id, result) for call in turn.calls for result in call.results]
    ordered = found[::-1] if turn.reverses_results else found
    return ordered + [(f"call_gone_{index}", (text,)) for index, text in enumerate(turn.orphans)]


# Chat


def _chat(plan: Plan) -> Body:
    messages: list[Body] = [{"role": "system", "content": text} for text in plan.system]
    for turn in plan.turns:
        messages += _chat_turn(turn)
    return {"messages": messages, **_tools(plan, _chat_tool)}


def _chat_turn(turn: UserTurn | AssistantTurn | Note) -> Iterator[Body]:
    if isinstance(turn, Note):
        yield {"role": turn.role, "content": turn.text}
    elif isinstance(turn, UserTurn):
        named = {"name": turn.speaker} if turn.speaker else {}
        yield {"role": "user", "content": _chat_content(turn.pieces), **named}
    else:
        calls = {"tool_calls": [_chat_call(call) for call in turn.calls]} if turn.calls else {}
        yield {"role": "assistant", "content": _chat_content(turn.pieces) or None, **calls}
        for call_id, pieces in results_of(turn):
            yield {"role": "tool", "tool_call_id": call_id, "content": _chat_content(pieces)}


def _chat_call(call: Call) -> Body:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.tool, "arguments": arguments_of(call)},
    }


def _chat_content(pieces: tuple[Piece, ...]) -> Any:
    if len(pieces) == 1 and isinstance(pieces[0], Said):
        return pieces[0].text
    return [_chat_part(piece) for piece in pieces]


def _chat_part(piece: Piece) -> Body:
    if isinstance(piece, Said):
        return {"type": "text", "text": piece.text}
    if isinstance(piece, Picture):
        return {"type": "image_url", "image_url": {"url": piece.url}}
    if isinstance(piece, Upload):
        return {"type": "file", "file": {"file_data": piece.data, "filename": "a.txt"}}
    return _foreign(piece, _FOREIGN_PARTS)


def _chat_tool(tool: ToolPlan) -> Body:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
    }


# Responses


def _responses(plan: Plan) -> Body:
    instructions = {"instructions": plan.system[0]} if plan.system else {}
    body = {**instructions, "store": plan.is_stored, **_tools(plan, _flat_tool)}
    if plan.previous_id:
        answer, *turns = plan.turns[plan.known :]
        assert isinstance(answer, AssistantTurn)
        items = [*_item_results(answer), *(item for turn in turns for item in _items(turn))]
        return {**body, "previous_response_id": plan.previous_id, "input": items}
    leading = [{"role": "developer", "content": text} for text in plan.system[1:]]
    return {**body, "input": [*leading, *(item for turn in plan.turns for item in _items(turn))]}


def _items(turn: UserTurn | AssistantTurn | Note) -> Iterator[Body]:
    if isinstance(turn, Note):
        yield {"type": "message", "role": turn.role, "content": [{"type": "input_text", "text": turn.text}]}
    elif isinstance(turn, UserTurn):
        yield from _item_run("user", turn.pieces)
    else:
        yield from _item_run("assistant", turn.pieces)
        for call in turn.calls:
            called = {"call_id": call.id, "name": call.tool, "arguments": arguments_of(call)}
            yield {"type": "function_call", **called}
        yield from _item_results(turn)


def _item_results(turn: AssistantTurn) -> Iterator[Body]:
    for call_id, pieces in results_of(turn):
        yield {"type": "function_call_output", "call_id": call_id, "output": _output(pieces)}


def _item_run(role: str, pieces: tuple[Piece, ...]) -> Iterator[Body]:
    """Yield a message with the ordinary pieces and, after it, an item for each foreign one."""
    parts = [_item_part(piece, role) for piece in pieces if not isinstance(piece, Foreign)]
    if parts:
        yield {"type": "message", "role": role, "content": parts}
    yield from (_foreign(piece, _FOREIGN_ITEMS) for piece in pieces if isinstance(piece, Foreign))


def _output(pieces: tuple[Piece, ...]) -> Any:
    if len(pieces) == 1 and isinstance(pieces[0], Said):
        return pieces[0].text
    return [_item_part(piece, "user") for piece in pieces]


def _item_part(piece: Piece, role: str) -> Body:
    if isinstance(piece, Said):
        return {"type": "output_text" if role == "assistant" else "input_text", "text": piece.text}
    if isinstance(piece, Picture):
        return {"type": "input_image", "image_url": piece.url}
    if isinstance(piece, Upload):
        return {"type": "input_file", "file_data": piece.data, "filename": "a.txt"}
    return _foreign(piece, _FOREIGN_PARTS)


def _flat_tool(tool: ToolPlan) -> Body:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", **described}


# Messages


def _messages(plan: Plan) -> Body:
    messages: list[Body] = []
    for turn in plan.turns:
        messages += _message_turn(turn)
    system = {"system": [{"type": "text", "text": text} for text in plan.system]} if plan.system else {}
    return {"max_tokens": 4096, **system, "messages": messages, **_tools(plan, _custom_tool)}


def _message_turn(turn: UserTurn | AssistantTurn | Note) -> Iterator[Body]:
    if isinstance(turn, Note):
        yield {"role": "system", "content": turn.text}
    elif isinstance(turn, UserTurn):
        yield {"role": "user", "content": [_block(piece, "user") for piece in turn.pieces]}
    else:
        blocks = [_block(piece, "assistant") for piece in turn.pieces]
        yield {"role": "assistant", "content": blocks + [_use(call) for call in turn.calls]}
        results = results_of(turn)
        if results:
            yield {
                "role": "user",
                "content": [_tool_result(call_id, pieces) for call_id, pieces in results],
            }


def _use(call: Call) -> Body:
    """Return a `tool_use` block. Its input is an object, so one that was cut off is the text of the arguments."""
    given = arguments_of(call) if call.is_cut else json.loads(arguments_of(call))
    return {"type": "tool_use", "id": call.id, "name": call.tool, "input": given}


def _tool_result(call_id: str, pieces: tuple[Piece, ...]) -> Body:
    content = [_block(piece, "result") for piece in pieces]
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def _block(piece: Piece, role: str) -> Body:
    if isinstance(piece, Said):
        return {"type": "text", "text": piece.text}
    if isinstance(piece, Picture):
        if piece.kind == "url":
            return {"type": "image", "source": {"type": "url", "url": piece.url}}
        source = {"type": "base64", "media_type": "image/png", "data": piece.data}
        return {"type": "image", "source": source}
    if isinstance(piece, Upload):
        media_type = "application/pdf" if piece.kind == "pdf" else "text/plain"
        return {
            "type": "document",
            "source": {"type": "base64", "media_type": media_type, "data": piece.data},
        }
    return _foreign(piece, _FOREIGN_BLOCKS[role])


def _custom_tool(tool: ToolPlan) -> Body:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.schema}


# Legacy completions


def _completions(plan: Plan) -> Body:
    (turn,) = plan.turns
    assert isinstance(turn, UserTurn)
    (piece,) = turn.pieces
    assert isinstance(piece, Said)
    return {"prompt": piece.text}


_RENDERERS = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "completions": _completions,
}


def _answer_format(dialect: Dialect, schema: Body) -> Body:
    if dialect == "chat":
        named = {"name": "answer", "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    if dialect == "responses":
        return {"text": {"format": {"type": "json_schema", "name": "answer", "schema": schema}}}
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _tools(plan: Plan, render_tool: Any) -> Body:
    return {"tools": [render_tool(tool) for tool in plan.tools]} if plan.tools else {}


# Parts and items of other APIs, with the text in the place of "TEXT".

_FOREIGN_PARTS: list[Body] = [
    {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "TEXT"}},
    {"type": "search_result", "title": "TEXT", "source": "https://example.com", "content": []},
    {"type": "unheard_of", "text": "TEXT"},
]
_FOREIGN_ITEMS: list[Body] = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "TEXT"}},
    {"type": "mcp_call", "id": "m", "name": "find", "server_label": "s", "arguments": "{}", "output": "TEXT"},
    {"type": "mcp_list_tools", "id": "m", "server_label": "TEXT", "tools": []},
    {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {"type": "exec", "command": ["TEXT"]}},
    {"type": "agent_message", "content": "TEXT"},
    {"type": "compaction", "id": "c", "encrypted_content": "TEXT"},
    {"type": "image_generation_call", "id": "i", "status": "completed", "result": "TEXT"},
    {"type": "tool_search_call", "id": "t", "arguments": {"query": "TEXT"}},
    {"type": "unheard_of", "payload": {"text": "TEXT"}},
]  # fmt: skip
_SEARCH: Body = {
    "type": "search_result",
    "title": "A page",
    "source": "https://example.com",
    "content": [{"type": "text", "text": "TEXT"}],
}
_FOREIGN_BLOCKS: dict[str, list[Body]] = {
    "user": [_SEARCH, {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "TEXT"}}],
    "assistant": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "TEXT"}},
        {"type": "mcp_tool_use", "id": "m", "name": "find", "server_name": "s", "input": {"query": "TEXT"}},
        {"type": "unheard_of", "text": "TEXT"},
    ],
    "result": [
        _SEARCH,
        {"type": "tool_reference", "tool_name": "TEXT"},
        {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "TEXT"}},
    ],
}


def _foreign(piece: Foreign, kinds: list[Body]) -> Body:
    """Return one of `kinds` with the text of the piece."""
    filled: Body = _filled(kinds[piece.number % len(kinds)], piece.text)
    return filled


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, text) for item in value]
    return text if value == "TEXT" else value

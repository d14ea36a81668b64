"""Complete input items for storage, as the API lists them: each with an id and all fields that a client may leave out.

https://platform.openai.com/docs/api-reference/responses/input-items
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable

from gateway.dialects.common.json_types import Item


def complete_items(items: Iterable[Item]) -> list[Item]:
    """Return the items in the form in which they are stored. `parse_request` must have accepted them."""
    return [_complete(item) for item in items]


def _complete(item: Item) -> Item:
    kind = item.get("type") or "message"
    completed = {"id": None, **item, "type": kind}
    if not isinstance(completed["id"], str) or not completed["id"]:
        completed["id"] = f"{_PREFIXES[kind]}_{secrets.token_hex(16)}"
    return _COMPLETERS[kind](completed)


def _message(item: Item) -> Item:
    part = _output_part if item.get("role") == "assistant" else _input_part
    content = item.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    return {**item, "status": "completed", "content": [part(given) for given in parts]}


def _input_part(part: Item) -> Item:
    """Return a part of the model's input in this API's shape; it may have chat's shape."""
    kind = part["type"]
    if kind in ("text", "output_text"):
        return {"type": "input_text", "text": part["text"]}
    if kind in ("image_url", "input_image"):
        url = part.get("image_url")
        image = url if isinstance(url, dict) else {"url": url, "detail": part.get("detail")}
        return {"type": "input_image", "image_url": image.get("url"), "detail": image.get("detail") or "auto"}
    if kind == "file" and isinstance(part.get("file"), dict):
        return {"type": "input_file", **part["file"]}
    return part


def _output_part(part: Item) -> Item:
    if part["type"] in ("text", "input_text", "output_text"):
        return {"type": "output_text", "text": part["text"], "annotations": part.get("annotations") or []}
    return part


def _call(item: Item) -> Item:
    given = item.get("arguments")
    arguments = given if isinstance(given, str) and given else json.dumps(given or {})
    return {**item, "arguments": arguments, "status": "completed"}


def _custom_call(item: Item) -> Item:
    return {**item, "input": item.get("input") or "", "status": "completed"}


def _output(item: Item) -> Item:
    output = item.get("output")
    parts = [_input_part(part) for part in output] if isinstance(output, list) else output or ""
    return {**item, "output": parts, "status": "completed"}


def _reasoning(item: Item) -> Item:
    return {**item, "summary": item.get("summary") or []}


_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
_COMPLETERS: dict[str, Callable[[Item], Item]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
}

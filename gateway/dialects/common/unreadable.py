"""Write parts of a conversation that the API does not take as text.

The model sees the type and the fields that say something. Binary and encrypted content is left out.

>>> describe({"type": "web_search_call", "id": "ws_1", "action": {"query": "weather"}})
'[web_search_call: {"action": {"query": "weather"}}]'
"""

import json
import re
from typing import Any

from gateway.dialects.common.text import repair_text

_MAX_DEPTH = 16
_BINARY = re.compile(r"(?:data:[^,]{0,200},)?[A-Za-z0-9+/=_\r\n-]{1000}")  # a long string in base64

# Fields that mean nothing to the model.
_SKIPPED = {"id", "type", "status", "encrypted_content", "cache_control", "internal_chat_message_metadata"}


def describe(value: Any) -> str:
    """Return a value as a line of text. A string, and the text of a part that has nothing else, stay as they are."""
    simple = _simplify(value, _MAX_DEPTH)
    if isinstance(simple, dict) and simple.keys() == {"text"}:
        simple = simple["text"]
    text = simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and text is not simple:
        text = f"[{kind}: {text}]" if simple else f"[{kind}]"
    return repair_text(text)


def _fields(value: dict[str, Any], depth: int) -> dict[str, Any]:
    return {
        key: _simplify(inner, depth - 1)
        for key, inner in value.items()
        if key not in _SKIPPED and inner not in (None, "", [], {})
    }


def _simplify(value: Any, depth: int) -> Any:
    """Return a value without its long binary strings, and cut at a depth that JSON can be written at."""
    if isinstance(value, str):
        return f"({len(value)} characters left out)" if _BINARY.match(value) else value
    if isinstance(value, dict):
        return _fields(value, depth) if depth else "…"
    if isinstance(value, list):
        return [_simplify(inner, depth - 1) for inner in value] if depth else "…"
    return value

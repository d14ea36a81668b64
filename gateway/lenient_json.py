"""Read and write JSON with orjson, and accept half of a surrogate pair, which orjson rejects.

Clients that cut a string in the middle of an emoji send such halves. UTF-8 has no form for them, but JSON can escape
them.

>>> dumps(loads('["half an emoji: \\\\ud83d", 1]'))
b'["half an emoji: \\\\ud83d",1]'
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:
    """Return `value` as compact JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except orjson.JSONEncodeError:  # half of a surrogate pair, or an integer of more than 64 bits
        return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys).encode()


def loads(text: bytes | str) -> Any:
    """Return the value of a JSON text. Raises ValueError, also for NaN, Infinity and too deeply nested values."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _loads_standard(text if isinstance(text, str) else text.decode("utf-8-sig"))


def _loads_standard(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


def _reject_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)

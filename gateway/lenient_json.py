"""Read and write JSON with orjson, and accept half of a surrogate pair, which orjson rejects.

Clients that cut a string in the middle of an emoji send such halves. UTF-8 has no form for them, but JSON can escape
them.

>>> dumps(loads('["half an emoji: \\\\ud83d", 1]'))
b'["half an emoji: \\\\ud83d",1]'
"""

import json
import math
from typing import Any

import orjson

MAX_DIGITS = 308  # of the largest double


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:
    """Return `value` as compact JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except orjson.JSONEncodeError:  # half of a surrogate pair, or an integer of more than 64 bits
        return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys).encode()


def loads(text: bytes | str) -> Any:
    """Return the value of a JSON text. Bytes may be UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises json.JSONDecodeError, which knows the line and the column, also for NaN, Infinity, numbers that are too large
    for a double, and too deeply nested values.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _loads_other(text, error)


def repair_text(text: str) -> str:
    """Return `text` with lone halves of surrogate pairs replaced by U+FFFD.

    Clients and servers that cut a string in the middle of an emoji send such halves, and the API rejects the whole
    request for one.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def as_number(value: Any) -> float | None:
    """Return the number that a client sent, perhaps as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def explain(error: json.JSONDecodeError) -> str:
    """Return the mistake and its place, as a sentence for the client.

    >>> explain(json.JSONDecodeError("trailing comma is not allowed", '{"a": 1,}', 8))
    'It is not JSON: trailing comma is not allowed (line 1, column 9).'
    """
    return f"It is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."


def _loads_other(text: bytes | str, error: json.JSONDecodeError) -> Any:
    """Read what orjson cannot: other encodings and half of a surrogate pair. Raises `error` for everything else."""
    if isinstance(text, bytes):
        decoded = _decode(text)
        if not text.startswith(decoded[:1].encode(errors="replace")):  # a byte order mark, or not UTF-8
            return loads(decoded)
        text = decoded
    try:
        return json.loads(text, parse_constant=_reject, parse_int=_read_int, parse_float=_read_float)
    except (ValueError, RecursionError):
        raise error from None


def _decode(text: bytes) -> str:
    encoding = json.detect_encoding(text)
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        before = text[: error.start].decode(encoding, "replace")
        raise json.JSONDecodeError(f"a byte is not {encoding.upper()}", before, len(before)) from None


def _reject(number: str) -> Any:
    raise ValueError(f"{number} is not a JSON number")


def _read_int(digits: str) -> int:
    return int(digits) if len(digits) <= MAX_DIGITS else _reject(digits)


def _read_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _reject(text)

"""Request bodies as JSON."""

from __future__ import annotations

import json
from typing import Any

import orjson


def parse_json(body: bytes) -> Any:
    """Parse a request body. Raises ValueError if it is not JSON.

    Half of a surrogate pair is accepted, because some clients cut an emoji in two. NaN and Infinity are rejected.

    >>> parse_json(b'{"model": "haiku"}')
    {'model': 'haiku'}
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_leniently(body.decode("utf-8-sig"))


def _parse_leniently(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


def _reject_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)

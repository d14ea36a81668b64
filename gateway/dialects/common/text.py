"""Text as the Messages API takes it."""

from __future__ import annotations

import json
from typing import Any

import orjson

from gateway.dialects.common.field_errors import invalid


def is_blank(text: str) -> bool:
    """Whether `text` is empty or white space only; the Messages API refuses blocks of such text."""
    return not text or text.isspace()


def well_formed(text: str) -> str:
    """`text` with lone halves of surrogate pairs replaced by U+FFFD.

    Clients that cut a string inside an emoji send them; the API refuses the whole request for one.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def well_formed_json(value: Any, where: str) -> Any:
    """A JSON value with all strings in it well-formed. Raises InvalidRequest if it is nested too deeply."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        try:
            return json.loads(well_formed(json.dumps(value, ensure_ascii=False)))
        except RecursionError:
            raise invalid(where, "It is nested too deeply.") from None
    return value


def string(holder: dict[str, Any], key: str, where: str) -> str:
    """The text under `key` of the object at `where`. Raises InvalidRequest if it is no string."""
    text = holder.get(key)
    if not isinstance(text, str):
        raise invalid(f"{where}.{key}", "Expected a string.")
    return well_formed(text)

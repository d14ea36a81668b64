"""Text and JSON in the form that the Messages API accepts."""

import json
from typing import Any

import orjson

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.where import Where
from gateway.lenient_json import repair_text as repair_text


def is_blank(text: str) -> bool:
    """Return True if `text` is empty or only white space. The Messages API rejects blocks of such text."""
    return not text or text.isspace()


def repair_json(value: Any, where: Where) -> Any:
    """Return a JSON value with all its strings well-formed. Raises InvalidRequest if it is nested too deeply."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        try:
            return json.loads(repair_text(json.dumps(value, ensure_ascii=False)))
        except RecursionError:
            raise invalid_field(where, "The value is nested too deeply.") from None
    return value


def read_string(holder: dict[str, Any], key: str, where: Where) -> str:
    """Return the text under `key` of the object at `where`. Raises InvalidRequest if it is not a string."""
    text = holder.get(key)
    if not isinstance(text, str):
        raise invalid_field(where.field(key), "Expected a string.")
    return repair_text(text)

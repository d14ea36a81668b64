"""Read the arguments of tool calls, which clients replay as a JSON text or as an object.

The API takes only objects. A call that a token limit has cut off gets what can be read of its arguments.

>>> read_arguments('{"path": "a.py", "conte', Where("arguments"))
{'path': 'a.py'}
>>> read_arguments("[1, 2]", Where("arguments"))
{'input': [1, 2]}
"""

from typing import Any

from gateway.dialects.common.text import is_blank, repair_json
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.dialects.common.unreadable import describe
from gateway.dialects.common.where import Where
from gateway.errors import InvalidRequest
from gateway.lenient_json import loads
from gateway.partial_json import load_cut


def read_arguments(given: Any, where: Where) -> dict[str, Any]:
    """Return arguments as an object. Any other value becomes the only property of an object."""
    value = _parse(given, where) if isinstance(given, str) else given
    if value is None:
        return {}
    if not isinstance(value, dict):
        where.repair("tool-arguments")
        value = _parse_again(value)
    try:
        arguments: dict[str, Any] = repair_json(value, where)
    except InvalidRequest:  # nested too deeply
        where.repair("tool-arguments")
        return {RAW_INPUT: describe(value)}
    return arguments


def _parse(text: str, where: Where) -> Any:
    """Return the value of a JSON text, or the text itself if it is not even the beginning of one."""
    if is_blank(text):
        return None
    try:
        return loads(text)
    except ValueError:
        where.repair("tool-arguments")
    try:
        return load_cut(text)
    except ValueError:
        return text


def _parse_again(value: Any) -> dict[str, Any]:
    """Return the object in a text that was serialized twice; any other value becomes a property."""
    try:
        parsed = loads(value) if isinstance(value, str) else value
    except ValueError:
        parsed = value
    return parsed if isinstance(parsed, dict) else {RAW_INPUT: value}

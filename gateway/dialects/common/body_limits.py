"""Limits on what a body may consist of, so that no request stops the others of its worker.

Reading a body takes time in proportion to its values, and translating it in proportion to its messages, blocks, tools
and schemas. While a worker does that, it does nothing else. The limits are far above what a model can read, and keep
each step below a tenth of a second. Size alone is no problem: 64 MB of images are a few values.

>>> check_counts({"messages": [{"role": "user", "content": "hi"}] * 10_001})
Traceback (most recent call last):
    ...
gateway.errors.InvalidRequest: Invalid 'messages': At most 10000 items are allowed, but there are 10001.
"""

import gc
from collections.abc import Iterator
from typing import Any

import gevent

from gateway.dialects.common.field_errors import invalid_field
from gateway.errors import InvalidRequest
from gateway.lenient_json import loads

MAX_VALUES = 1_000_000  # take 0.06 s to read
MAX_CONTAINERS = 300_000  # objects and lists, which take 0.06 s
MAX_MESSAGES = 10_000  # messages or items
MAX_BLOCKS = 20_000  # blocks of content, calls of tools and the like, in all messages together
MAX_TOOLS = 1_000
MAX_SCHEMA_OBJECTS = 5_000  # in the definition of one tool or output; OpenAI allows as many properties
#: Smaller bodies cannot exceed a limit: a tool has at least twelve characters.
SMALL_BYTES = 12_000
LARGE_BYTES = 1 << 20
LISTS = ("messages", "input", "items", "prompt")


def read_limited(body: bytes) -> Any:
    """Return the value of a JSON body. Raises InvalidRequest, and JSONDecodeError for a mistake.

    Others run before and after a large body is read, because each step takes up to a tenth of a second.
    """
    if len(body) < SMALL_BYTES:
        return loads(body)
    is_large = len(body) > LARGE_BYTES
    check_density(body)
    if is_large:
        gevent.sleep(0)
        gc.disable()  # it would look at the new objects again and again, which takes longer than to make them
    try:
        value = loads(body)
    finally:
        gc.enable()
    check_counts(value)
    if is_large:
        gevent.sleep(0)
    return value


def check_density(body: bytes) -> None:
    """Raise InvalidRequest for a JSON text with too many values. Characters within strings count as well."""
    containers = body.count(b"{") + body.count(b"[")
    if containers > MAX_CONTAINERS or body.count(b",") > MAX_VALUES:
        problem = f"At most {MAX_CONTAINERS} objects and lists and {MAX_VALUES} values are allowed."
        raise InvalidRequest(f"The request body has too many values. {problem}")


def check_counts(body: Any) -> None:
    """Raise InvalidRequest, with the name of the field, for a body with too many messages, blocks or tools."""
    if not isinstance(body, dict):
        return
    for field in (*LISTS, "tools", "functions", "system"):
        most = {"tools": MAX_TOOLS, "functions": MAX_TOOLS, "system": MAX_BLOCKS}.get(field, MAX_MESSAGES)
        _check_length(field, body.get(field), most)
    for field in LISTS:
        _check_blocks(field, body.get(field))
    for field in ("tools", "functions"):
        for index, tool in enumerate(_objects(body.get(field))):
            _check_length(f"{field}[{index}].tools", tool.get("tools"), MAX_TOOLS)
            _check_schema(f"{field}[{index}]", tool)
    for field in ("response_format", "text", "output_config", "output_format"):
        _check_schema(field, body.get(field))


def _check_length(field: str, value: Any, most: int) -> None:
    if isinstance(value, list) and len(value) > most:
        raise invalid_field(field, f"At most {most} items are allowed, but there are {len(value)}.")


def _check_blocks(field: str, messages: Any) -> None:
    count = 0
    for index, message in enumerate(_objects(messages)):
        for name, value in message.items():
            if isinstance(value, list):
                count += len(value) + sum(
                    len(block["content"]) for block in _objects(value) if _is_nested(block)
                )
                if count > MAX_BLOCKS:
                    problem = f"All {field} together can have at most {MAX_BLOCKS} blocks and calls."
                    raise invalid_field(f"{field}[{index}].{name}", problem)


def _check_schema(field: str, schema: Any) -> None:
    count = 0
    rest = [schema]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            count += 1
            if count > MAX_SCHEMA_OBJECTS:
                raise invalid_field(field, f"A schema can have at most {MAX_SCHEMA_OBJECTS} objects.")
            rest += value.values()
        elif isinstance(value, list):
            rest += value


def _objects(values: Any) -> Iterator[dict[str, Any]]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))


def _is_nested(block: dict[str, Any]) -> bool:
    return isinstance(block.get("content"), list)

"""The format in which a client expects tool calls."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

#: The only property of the function that replaces a tool with free text as its input.
RAW_INPUT = "input"

NO_ARGUMENTS = "{}"


@dataclass(frozen=True, slots=True)
class ToolCallFormat:
    """The format of tool calls in an answer.

    With `deprecated`, the client sent `functions` and expects a `function_call`. `raw` names the tools whose arguments
    are free text: the model wrote them as the only property of a function, and the client gets the bare text. Cursor,
    for example, passes the arguments of such a call to its patch tool unchanged.

    >>> ToolCallFormat(raw=frozenset({"patch"})).arguments("patch", '{"input": "a text"}')
    'a text'
    """

    deprecated: bool = False
    raw: frozenset[str] = frozenset()

    def arguments(self, name: str, written: str) -> str:
        """Return the arguments of a complete call of tool `name`, for which the model wrote `written`."""
        if name in self.raw:
            return _unwrap(written)
        return written or NO_ARGUMENTS


def _unwrap(written: str) -> str:
    try:
        text = orjson.loads(written)[RAW_INPUT]
    except (ValueError, KeyError, TypeError):
        return written  # cut off by the token limit, or not following the schema: passed on unchanged
    return text if isinstance(text, str) else written

"""The form in which a client expects the calls of its tools."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

#: The one property of the function that stands in for a tool with free text as its input.
RAW_INPUT = "input"

NO_ARGUMENTS = "{}"


@dataclass(frozen=True, slots=True)
class ToolCallFormat:
    """`deprecated`: the client sent `functions` and wants a `function_call`.

    `raw` names the tools whose arguments are free text: what the model wrote for their one property is sent
    bare. Cursor hands the arguments of such a call to its patch tool as they are.
    """

    deprecated: bool = False
    raw: frozenset[str] = frozenset()

    def arguments(self, name: str, written: str) -> str:
        """The arguments of a complete call of tool `name`, for which the model wrote `written`."""
        if name in self.raw:
            return _raw(written)
        return written or NO_ARGUMENTS


def _raw(written: str) -> str:
    try:
        text = orjson.loads(written)[RAW_INPUT]
    except (ValueError, KeyError, TypeError):
        return written  # cut off by the token limit, or not by the schema: the client shall see it
    return text if isinstance(text, str) else written

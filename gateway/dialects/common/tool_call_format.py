"""The format in which a client expects tool calls."""

import json
import re
from dataclasses import dataclass
from typing import Any

from gateway.lenient_json import loads

#: The only property of the function that replaces a tool with free text as its input.
RAW_INPUT = "input"

NO_ARGUMENTS = "{}"

_BEGINNING = re.compile(r'\s*\{\s*"' + RAW_INPUT + r'"\s*:\s*"')
# Whole characters and escapes. Half of a surrogate pair waits for the other half.
_WHOLE = re.compile(
    r'(?:[^"\\]|\\["\\/bfnrt]|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u(?![dD][89abAB])[0-9a-fA-F]{4})*'
)


@dataclass(frozen=True, slots=True)
class ToolCallFormat:
    """The format of tool calls in a chat answer.

    With `deprecated`, the client sent `functions` and expects a `function_call`. `raw` names the tools whose arguments
    are free text: the model wrote them as the only property of a function, and the client gets the bare text. Cursor,
    for example, passes the arguments of such a call to its patch tool unchanged. Calls of the tools that `custom` names
    have chat's form of a custom call.

    >>> ToolCallFormat(raw=frozenset({"patch"})).call("patch", "a text")
    {'type': 'function', 'function': {'name': 'patch', 'arguments': 'a text'}}
    """

    deprecated: bool = False
    raw: frozenset[str] = frozenset()
    custom: frozenset[str] = frozenset()

    def arguments(self, name: str, written: str) -> str:
        """Return the arguments of a complete call of tool `name`, for which the model wrote `written`."""
        if name in self.raw:
            return unwrap_input(written)
        return written or NO_ARGUMENTS

    def call(self, name: str, arguments: str) -> dict[str, Any]:
        """Return the fields of a call of tool `name`, except its id."""
        if name in self.custom:
            return {"type": "custom", "custom": {"name": name, "input": arguments}}
        return {"type": "function", "function": {"name": name, "arguments": arguments}}


def unwrap_input(written: str) -> str:
    """Return the free text in the arguments of a call.

    Arguments that the token limit has cut off, or that do not follow the schema, are returned unchanged.
    """
    try:
        text = loads(written)[RAW_INPUT]
    except (ValueError, KeyError, TypeError):
        return written
    return text if isinstance(text, str) else written


class InputDecoder:
    """Decode the free text of a call while the model writes it as JSON.

    >>> decoder = InputDecoder()
    >>> [decoder.feed(part) for part in ('{"inp', 'ut": "a', '\\\\n', 'b"}')]
    ['', 'a', '\\n', 'b']
    """

    def __init__(self) -> None:
        self._written: list[str] = []
        self._sent: list[str] = []
        self._rest = ""  # the JSON that is not decoded yet
        self._has_begun = False

    def feed(self, fragment: str) -> str:
        """Add a fragment of the JSON, and return the text that it completes."""
        self._written.append(fragment)
        self._rest += fragment
        if not self._has_begun:
            begun = _BEGINNING.match(self._rest)
            if begun is None:
                return ""
            self._has_begun, self._rest = True, self._rest[begun.end() :]
        whole = _WHOLE.match(self._rest)
        escaped = whole[0] if whole else ""
        self._rest = self._rest[len(escaped) :]
        text: str = json.loads(f'"{escaped}"', strict=False)
        self._sent.append(text)
        return text

    def finish(self) -> tuple[str, str]:
        """Return the whole text, and the part of it that `feed` has not returned."""
        text, sent = unwrap_input("".join(self._written)), "".join(self._sent)
        if sent and not text.startswith(sent):
            text = sent  # the JSON is cut off
        return text, text[len(sent) :]

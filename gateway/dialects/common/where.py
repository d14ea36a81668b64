"""The place of a value in a request, and the notes that readers take about the request.

Readers get the place of the value that they read. It names the field in errors, and it takes notes: the
repairs made there, and the fields that have no effect.

>>> notes = Notes()
>>> where = notes.at("messages").item(3).field("content")
>>> str(where)
'messages[3].content'
>>> where.repair("missing-result")
>>> notes.repaired
(Repair(code='missing-result', path='messages[3].content'),)
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.dialects.common.stored_files import FileReader
from gateway.repairs import REPAIRS, Repair

_INDEX = re.compile(r"\[\d+\]")


class Notes:
    """The repairs of one request, and the names of its fields that have no effect, each once and in order.

    `read_file` returns the files that the request refers to by id; None means that it may not refer to any.
    `hosted_tools` names the hosted tools that the request may use, and `long_cache` says if its prompt may be kept for
    long. With `takes_remote_tools`, its dialect reads the tools of type `mcp` itself. A reader that finds the result of
    a remote call in an answer sets `has_remote_calls`.
    """

    __slots__ = (
        "_ignored",
        "_repaired",
        "has_remote_calls",
        "hosted_tools",
        "long_cache",
        "read_file",
        "takes_remote_tools",
    )

    def __init__(
        self,
        read_file: FileReader | None = None,
        hosted_tools: Collection[str] = (),
        *,
        long_cache: bool = False,
    ) -> None:
        self.read_file = read_file
        self.hosted_tools = hosted_tools
        self.long_cache = long_cache
        self.takes_remote_tools = False
        self.has_remote_calls = False
        self._repaired: dict[Repair, None] = {}
        self._ignored: dict[str, str] = {}

    @property
    def repaired(self) -> tuple[Repair, ...]:
        """Return the repairs."""
        return tuple(self._repaired)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Return the paths of the ignored fields."""
        return tuple(self._ignored.values())

    def at(self, path: str, *, is_past: bool = False) -> Where:
        """Return the place of the field `path`, which takes its notes here."""
        return Where(path, self, is_past)

    def repair(self, code: str, path: str) -> None:
        """Note a repair. Raises KeyError for a code that `REPAIRS` does not explain."""
        REPAIRS[code]
        self._repaired[Repair(code, path)] = None

    def ignore(self, path: str, *, once: bool = False) -> None:
        """Note that a field has no effect. With `once`, only the first of such fields in a list is named."""
        kind = _INDEX.sub("[]", path) if once else path
        self._ignored.setdefault(kind, path)


# Not frozen: a request with 50 messages has hundreds of places, and a frozen object takes three times as long to make.
@dataclass(slots=True)
class Where:
    """A place in a request. `str` returns its path.

    `is_past` is True for everything before the newest message: the messages after the last assistant message are the
    newest. What cannot be read there is no reason to refuse the request: it is repaired, or becomes a line of text.
    """

    path: str
    notes: Notes = field(default_factory=Notes, compare=False)
    is_past: bool = False

    def __str__(self) -> str:
        return self.path

    def field(self, name: str) -> Where:
        """Return the place of a field of the object at this place."""
        return Where(f"{self.path}.{name}", self.notes, self.is_past)

    def item(self, index: int) -> Where:
        """Return the place of an item of the list at this place."""
        return Where(f"{self.path}[{index}]", self.notes, self.is_past)

    def in_past(self) -> Where:
        """Return this place as a part of the past."""
        return Where(self.path, self.notes, is_past=True)

    def repair(self, code: str) -> None:
        """Note that the value at this place was repaired. `code` is one of `gateway.repairs.REPAIRS`."""
        self.notes.repair(code, self.path)

    def ignore(self, *, once: bool = False) -> None:
        """Note that the value at this place has no effect. With `once`, only the first such value is named."""
        self.notes.ignore(self.path, once=once)

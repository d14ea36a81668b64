"""The repairs that the gateway makes to a request, by their codes.

`REPAIRS` is the only list of them. The header `x-repaired` names the codes of a request, the log adds the paths, and
docs/api.md explains each code in the words of this table.

>>> repaired_codes([Repair("missing-result", "messages[4]"), Repair("missing-result", "messages[2]")])
('missing-result',)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: Each code, with one sentence about the repair.
REPAIRS: dict[str, str] = {
    "missing-result": "A tool call without a result got an error result that says it was interrupted.",
}


class Repair(NamedTuple):
    """A repair, and the path of the field that was repaired."""

    code: str
    path: str


def repaired_codes(repairs: Iterable[Repair]) -> tuple[str, ...]:
    """Return the codes of the repairs, sorted and without repetitions."""
    return tuple(sorted({repair.code for repair in repairs}))

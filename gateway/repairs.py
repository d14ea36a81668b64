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
    "image-scaled": "An image was scaled down or converted, because the model cannot get it as it is.",
    "image-type": "A file was labeled with a type that its content does not have.",
    "missing-result": "A tool call without a result got an error result that says it was interrupted.",
    "text-decoded": "A text file that is not in UTF-8 was decoded.",
    "unreadable-file": "A file in an earlier message that cannot be read became a line of text.",
}


class Repair(NamedTuple):
    """A repair, and the path of the field that was repaired."""

    code: str
    path: str


def repaired_codes(repairs: Iterable[Repair]) -> tuple[str, ...]:
    """Return the codes of the repairs, sorted and without repetitions."""
    return tuple(sorted({repair.code for repair in repairs}))

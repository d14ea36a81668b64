"""The repairs that the gateway makes to a request, by their codes.

`REPAIRS` is the only list of them. The header `x-repaired` names the codes of a request, the log adds the paths, and
docs/api.md explains each code in the words of this table.

>>> repaired_codes([Repair("missing-result", "messages[4]"), Repair("missing-result", "messages[2]")])
('missing-result',)
"""

from collections.abc import Iterable
from typing import NamedTuple

#: Each code, with one sentence about the repair.
REPAIRS: dict[str, str] = {
    "duplicate-tool": "Several tools had the same name. The last definition was used.",
    "image-scaled": "An image was scaled down or converted, because the model cannot get it as it is.",
    "image-type": "A file was labeled with a type that its content does not have.",
    "item-left-out": "An item without content for the model, such as encrypted content, was left out.",
    "missing-result": "A tool call without a result got an error result that says it was interrupted.",
    "orphan-result": "The result of a tool call that is not in the messages before it became text.",
    "output-schema": "The schema of the answer was corrected, wrapped in an object or freed of rules the API rejects.",
    "parameter-adjusted": "A parameter had a value that it cannot have, and got the nearest one.",
    "part-as-text": "A part of an earlier message or of a tool's result that the API does not take became text.",
    "repeated-call": "A copy of a tool call was dropped.",
    "repeated-result": "A copy of a tool's result was dropped.",
    "text-decoded": "A text file that is not in UTF-8 was decoded.",
    "thinking-rejected": "The API rejected thinking of earlier answers, and the request was repeated without it.",
    "tool-arguments": "Arguments of a tool call that are not a JSON object were completed, or put into one.",
    "tool-call-id": "The id of a tool call that was missing or repeated was replaced.",
    "tool-name": "A tool call without a name got the name `unknown_tool`.",
    "tool-schema": "The schema of a tool's parameters was changed to the nearest one that the API accepts. "
    "Calls of the tool have the form that the original schema describes.",
    "unknown-role": "An earlier message with an unknown role became a user message.",
    "unreadable-file": "A file in an earlier message that cannot be read became a line of text.",
    "user-message-added": "A conversation that does not begin or end with the user got a short user message there.",
}


class Repair(NamedTuple):
    """A repair, and the path of the field that was repaired."""

    code: str
    path: str


def repaired_codes(repairs: Iterable[Repair]) -> tuple[str, ...]:
    """Return the codes of the repairs, sorted and without repetitions."""
    return tuple(sorted({repair.code for repair in repairs}))

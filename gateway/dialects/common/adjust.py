"""Adjust parameters whose values no model can take, instead of rejecting the request.

Clients send -1 for "no limit", 4096.0 or "4096" for a count, and temperatures of other scales. A value outside of its
range becomes the nearest one, and a limit below 1 counts as absent. Both are noted.

>>> notes = Notes()
>>> adjust_parameters({"max_tokens": "4096", "temperature": 3, "n": -1}, notes, ("max_tokens", "n"), {"temperature": 2})
{'max_tokens': 4096, 'temperature': 2}
>>> [repair.path for repair in notes.repaired], notes.ignored
(['max_tokens', 'temperature'], ('n',))
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.dialects.common.json_types import Body
from gateway.dialects.common.where import Notes
from gateway.lenient_json import as_number

REPAIR = "parameter-adjusted"
MAX_COUNT = 1_000_000_000  # far above the limits of all models


def adjust_parameters(body: Body, notes: Notes, counts: Iterable[str], ranges: Mapping[str, float]) -> Body:
    """Return the body with integers above 0 as `counts`, and numbers from 0 to their maximum as `ranges`.

    The schema has made sure that the values are finite numbers, or text with one.
    """
    adjusted = body
    for name in counts:
        if name in body and not (type(body[name]) is int and 0 < body[name] <= MAX_COUNT):
            adjusted = {**adjusted, name: _adjust_count(body[name], name, notes)}
    for name, most in ranges.items():
        if name in body and not (type(body[name]) in (int, float) and 0 <= body[name] <= most):
            adjusted = {**adjusted, name: min(max(as_number(body[name]) or 0.0, 0.0), most)}
            notes.repair(REPAIR, name)
    return (
        adjusted
        if adjusted is body
        else {name: value for name, value in adjusted.items() if value is not None}
    )


def _adjust_count(value: Any, name: str, notes: Notes) -> int | None:
    number = int(as_number(value) or 0)
    if number < 1:
        notes.ignore(name)
        return None
    notes.repair(REPAIR, name)
    return min(number, MAX_COUNT)

"""Many cases of one kind through the real CLI: a few of them stand for all in `make test`, which has to be quick.

`make test-all` runs the others too. They cost a process each, and seldom tell what no other test does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

wide = pytest.mark.wide


def some(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of a test; all but `quick` ones are wide. Raises ValueError for a quick one that is not there."""
    known = list(values)
    _require(quick, known)
    return [value if value in quick else pytest.param(value, marks=wide) for value in known]


def some_of(cases: Mapping[str, Any], *quick: str) -> list[Any]:
    """Parameters of a test by their ids; a tuple is several. All but `quick` ones are wide."""
    _require(quick, cases)
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)), id=name, marks=() if name in quick else wide
        )
        for name, case in cases.items()
    ]


def _require(quick: Iterable[Any], known: Iterable[Any]) -> None:
    missing = [value for value in quick if value not in known]
    if missing:
        raise ValueError(f"no such cases: {missing}")

"""Many cases of one kind through the real CLI: a few of them stand for all in `make test`, which has to be quick.

`make test-all` runs the others too. They cost a process each, and seldom tell what no other test does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

wide = pytest.mark.wide


def wide_except(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of a test, several where one is a tuple; all but the `quick` ones are wide.

    Raises ValueError for a quick one that is not there.
    """
    known = list(values)
    _require(quick, known)
    return [_param(value, value in quick) for value in known]


def wide_cases_except(cases: Mapping[str, Any], *quick: str) -> list[Any]:
    """The same of parameters with ids; `quick` names ids."""
    _require(quick, cases)
    return [_param(case, name in quick, name) for name, case in cases.items()]


def _param(value: Any, is_quick: bool, name: str | None = None) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, id=name, marks=() if is_quick else wide)


def _require(quick: Iterable[Any], known: Iterable[Any]) -> None:
    missing = [value for value in quick if value not in known]
    if missing:
        raise ValueError(f"no such cases: {missing}")

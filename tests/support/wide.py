"""Parameters of tests with many similar cases on the real CLI: `make test` runs only a few of them.

`make test-all` also runs the others, which are marked as wide. Each costs a process and rarely finds anything new.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

wide = pytest.mark.wide


def wide_except(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Return parameters of a test, a tuple for several at once. All but the `quick` ones are wide.

    Raise ValueError if a quick one is not among the values.
    """
    known = list(values)
    _require(quick, known)
    return [_param(value, value in quick) for value in known]


def wide_cases_except(cases: Mapping[str, Any], *quick: str) -> list[Any]:
    """Return parameters with ids. All but those with the `quick` ids are wide."""
    _require(quick, cases)
    return [_param(case, name in quick, name) for name, case in cases.items()]


def _param(value: Any, is_quick: bool, name: str | None = None) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, id=name, marks=() if is_quick else wide)


def _require(quick: Iterable[Any], known: Iterable[Any]) -> None:
    missing = [value for value in quick if value not in known]
    if missing:
        raise ValueError(f"no such cases: {missing}")

"""Tables of requests with the error that the Messages API answers them with, or None if it accepts them."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.standin import rejection
from tests.support.recorded import Body

# A body, a part of the error, and the betas of the request, if any.
Row = tuple[Body, str | None] | tuple[Body, str | None, list[str]]


def rule_cases(**tables: Sequence[Row]) -> list[Any]:
    """Return the parameters `body`, `expected` and `betas` of a test for each row."""
    return [
        pytest.param(*_filled(row), id=f"{table} {number}: {(row[1] or 'accepted')[:60]}")
        for table, rows in tables.items()
        for number, row in enumerate(rows)
    ]


def _filled(row: Row) -> tuple[Body, str | None, list[str]]:
    return (row[0], row[1], row[2]) if len(row) == 3 else (row[0], row[1], [])


def assert_ruled(body: Body, expected: str | None, betas: list[str]) -> None:
    """Assert that the stand-in accepts a body, or rejects it with an error that contains `expected`."""
    message = rejection(body, betas)
    if expected is None:
        assert message is None
    else:
        assert message is not None
        assert expected in message

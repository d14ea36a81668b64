"""Sums of usage over steps of time, for charts.

>>> UsageFilter(datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc)).key_id is None
True
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from peewee import fn

from gateway.record import GroupBy
from gateway.store.database import Store
from gateway.store.models import UsageRow
from gateway.store.usage import COLUMNS, UsageFigures, UsageGroup, figure_columns, read_figures, read_group

#: Subtracted before rounding, so that a quotient is rounded down. SQLite has no FLOOR on every system, and the two
#: databases round an exact half differently, which this avoids.
HALF = 0.5 - 1e-8


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Answers that began from `since` to before `until`, of one key and one model or of all."""

    since: datetime
    until: datetime
    key_id: str | None = None
    model: str | None = None

    def conditions(self) -> list[Any]:
        """Return the conditions of a query."""
        found = [UsageRow.created_at >= self.since, UsageRow.created_at < self.until]
        if self.key_id is not None:
            found.append(UsageRow.key_id == self.key_id)
        if self.model is not None:
            found.append(UsageRow.model == self.model)
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """The figures of the answers that began in one step of time."""

    start: datetime
    figures: UsageFigures


class UsageSeries:
    """Reads the table of usage step by step. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sum_by_step(self, wanted: UsageFilter, step: timedelta) -> list[Step]:
        """Return the sums of every step, the oldest first, also of steps without answers.

        The first step begins at `wanted.since`.
        """
        first, length = wanted.since.timestamp(), step.total_seconds()
        number = fn.ROUND((UsageRow.created_at - first) / length - HALF)
        query = (
            UsageRow.select(number.alias("number"), *figure_columns())
            .where(*wanted.conditions())
            .group_by(number)
        )
        rows = self._store.read_large(lambda db: list(query.dicts().execute(db)))
        known = {int(row.pop("number")): read_figures(row) for row in rows}
        count = -(-(wanted.until - wanted.since) // step)
        return [Step(wanted.since + step * i, known.get(i, UsageFigures())) for i in range(count)]

    def sum_by(self, wanted: UsageFilter, by: GroupBy) -> list[UsageGroup]:
        """Return the sums by key, model, project or account, those with the highest cost first."""
        query = (
            UsageRow.select(
                COLUMNS[by].alias("name"), fn.MAX(UsageRow.key_name).alias("key_name"), *figure_columns()
            )
            .where(*wanted.conditions())
            .group_by(COLUMNS[by])
        )
        rows = self._store.read_large(lambda db: list(query.dicts().execute(db)))
        return sorted(
            (read_group(row, by) for row in rows),
            key=lambda group: (-group.figures.cost, -group.figures.requests, group.name or ""),
        )

    def list_first_seconds(self, wanted: UsageFilter, limit: int) -> list[float]:
        """Return the seconds until the first token of the newest answers that had one, in ascending order."""
        query = (
            UsageRow.select(UsageRow.first_seconds)
            .where(*wanted.conditions(), UsageRow.first_seconds.is_null(False))
            .order_by(UsageRow.created_at.desc())
            .limit(limit)
        )
        return sorted(self._store.read(lambda db: [row[0] for row in query.tuples().execute(db)]))


def begin_of_day(moment: datetime) -> datetime:
    """Return the midnight (UTC) before a moment."""
    return moment.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)

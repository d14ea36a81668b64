"""The range of time and the filters in the URL of a page with charts.

>>> range_named("7d").title
'7 days'
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from flask import request

from gateway.store.usage_series import UsageFilter, begin_of_day

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Range:
    """A range that ends now. Its charts have one point per `step`; its first step begins at a full one."""

    name: str
    title: str
    length: timedelta
    step: timedelta

    def begin(self, now: datetime) -> datetime:
        """Return the begin of the first step."""
        if self.step < DAY:
            return now.replace(minute=0, second=0, microsecond=0) - self.length + self.step
        return begin_of_day(now) - self.length + self.step

    def filter(self, now: datetime, key_id: str | None = None, model: str | None = None) -> UsageFilter:
        """Return the filter for answers in the range."""
        return UsageFilter(self.begin(now), now + timedelta(seconds=1), key_id, model)


RANGES = (
    Range("24h", "24 hours", DAY, HOUR),
    Range("7d", "7 days", 7 * DAY, 6 * HOUR),
    Range("30d", "30 days", 30 * DAY, DAY),
    Range("90d", "90 days", 90 * DAY, DAY),
)


def range_named(name: str | None, default: str = "24h") -> Range:
    """Return the range with this name; the default for an unknown one."""
    known = {one.name: one for one in RANGES}
    return known.get(name or default, known[default])


@dataclass(frozen=True, slots=True)
class View:
    """The choices in the URL of a page: a range, and perhaps one key and one model."""

    range: Range
    now: datetime
    key_id: str | None = None
    model: str | None = None

    @property
    def filter(self) -> UsageFilter:
        """Return the filter for the answers that the page shows."""
        return self.range.filter(self.now, self.key_id, self.model)

    def parameters(self, **changes: str | None) -> dict[str, str]:
        """Return the parameters of the URL with some changes."""
        values = {"range": self.range.name, "key": self.key_id, "model": self.model, **changes}
        return {name: value for name, value in values.items() if value}


def read_view() -> View:
    """Return the choices in the URL of this request."""
    arguments = request.args
    now = datetime.now(timezone.utc)
    return View(
        range_named(arguments.get("range")), now, arguments.get("key") or None, arguments.get("model") or None
    )

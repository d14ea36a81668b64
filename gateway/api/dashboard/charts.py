"""The data of charts, which `chart.js` draws.

>>> from datetime import datetime, timedelta, timezone
>>> Chart("Cost", "usd", (Series("Cost", "s0", (0.5,)),), (1767225600,), 3600).to_json()["unit"]
'usd'
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from gateway.store.usage import UsageFigures
from gateway.store.usage_series import Step

Unit = Literal["usd", "tokens", "requests"]
Value = Callable[[UsageFigures], float]


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one color, one per step. `color` is the name of a class and of a variable in `site.css`."""

    name: str
    color: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of stacked columns. `times` are the begins of its steps in seconds since 1970."""

    title: str
    unit: Unit
    series: tuple[Series, ...]
    times: tuple[int, ...]
    step: int

    def to_json(self) -> dict[str, Any]:
        """Return the chart as its script reads it."""
        return asdict(self)


#: Titles, units and series of the charts, the lowest series first. Reads of the cache are many times the other tokens,
#: so they have a chart of their own.
KINDS: tuple[tuple[str, Unit, tuple[tuple[str, str, Value], ...]], ...] = (
    ("Cost at list price", "usd", (("Cost", "s0", lambda f: f.cost),)),
    (
        "Requests",
        "requests",
        (
            ("Complete", "s0", lambda f: f.requests - f.failed - f.cut),
            ("Cut by the client", "s2", lambda f: f.cut),
            ("Failed", "hot", lambda f: f.failed),
        ),
    ),
    (
        "Tokens written and read",
        "tokens",
        (("Output", "s0", lambda f: f.output_tokens), ("Prompt, not cached", "s1", lambda f: f.input_tokens)),
    ),
    (
        "Prompt cache",
        "tokens",
        (
            ("Written to the cache", "s3", lambda f: f.cache_write_tokens),
            ("Read from the cache", "s1", lambda f: f.cache_read_tokens),
        ),
    ),
)


def make_charts(steps: Sequence[Step], length: timedelta) -> list[Chart]:
    """Return all charts of usage."""
    times = tuple(int(step.start.timestamp()) for step in steps)
    return [
        Chart(
            title,
            unit,
            tuple(
                Series(name, color, tuple(value(step.figures) for step in steps))
                for name, color, value in series
            ),
            times,
            int(length.total_seconds()),
        )
        for title, unit, series in KINDS
    ]

"""Numbers in a few characters, and the geometry of charts.

>>> format_number(1_234_567)
'1.23M'
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # an axis ends at one of these times a power of ten
GAP = 0.25  # the empty fraction of a column's slot


@dataclass(frozen=True, slots=True)
class Segment:
    """A rectangle in percent of the chart, with `y` measured from its top. `series` counts from 0."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of stacked columns. `top` is the value at its upper end, `step` the width of a slot in percent."""

    top: float
    step: float
    segments: tuple[Segment, ...]


def stack_columns(stacks: Sequence[Sequence[float]]) -> Columns:
    """Return a column for each stack of values, which must not be negative. The first value is at the bottom."""
    top = round_up(max(map(sum, stacks), default=0.0))
    step = 100 / max(1, len(stacks))
    segments = [
        segment for index, stack in enumerate(stacks) for segment in _column(stack, index * step, step, top)
    ]
    return Columns(top, step, tuple(segments))


def _column(stack: Sequence[float], x: float, step: float, top: float) -> Iterator[Segment]:
    below = 0.0
    for series, value in enumerate(stack):
        if value:
            below += value
            edges = (x + step * GAP / 2, 100 - 100 * below / top, step * (1 - GAP), 100 * value / top)
            yield Segment(series, *(round(edge, 3) for edge in edges))


def round_up(value: float) -> float:
    """Return the end of an axis that has room for `value`; 1 if there is nothing to show."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * (1 - 1e-9))


def percent_of(value: float, total: float) -> float:
    """Return `value` in percent of `total`, at most 100."""
    return round(min(100.0, 100 * value / total), 2) if total > 0 else 0.0


def format_number(number: float) -> str:
    """Format a number: up to 9999 in full, then as 12.3k, 1.23M and so on."""
    if number < 10_000:
        return f"{number:,.0f}"
    power = next(power for power in (1, 2, 3, 4) if number < 999.5 * 1000**power or power == 4)
    value = number / 1000**power
    return (f"{value:.3g}" if value < 999.5 else f"{value:,.0f}") + " kMGT"[power]


def format_dollars(amount: float) -> str:
    """Format an amount of USD, with as many decimals as a small amount needs, at most four."""
    if 0 < amount < 0.0001:
        return "<$0.0001"
    places = 2 if amount == 0 or amount >= 1 else 4 if amount < 0.01 else 3
    return f"${amount:,.{places}f}"


def format_seconds(number: float) -> str:
    """Format a duration: 0.3 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if number < 10:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

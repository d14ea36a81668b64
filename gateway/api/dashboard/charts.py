"""Figures for people: numbers in a few characters, and the geometry of charts. Knows nothing of what is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # ends of axes, times a power of ten
GAP = 0.25  # of a column's place


@dataclass(frozen=True, slots=True)
class Segment:
    """A rectangle in per cent of the chart, `y` from its top; `series` counts from 0."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of stacked columns. `top` is the value at its upper end; `step` is the width of a column's place."""

    top: float
    step: float
    segments: tuple[Segment, ...]


def columns(stacks: Sequence[Sequence[float]]) -> Columns:
    """A column for each stack of values, the first at the bottom. None may be negative."""
    top = round_up(max(map(sum, stacks), default=0.0))
    step = 100 / max(1, len(stacks))
    segments = [
        segment for place, stack in enumerate(stacks) for segment in _column(stack, place * step, step, top)
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
    """The end of an axis that has room for `value`; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * (1 - 1e-9))


def share(value: float, most: float) -> float:
    """`value` in per cent of `most`, not more than 100."""
    return round(min(100.0, 100 * value / most), 2) if most > 0 else 0.0


def compact(number: float) -> str:
    """1234567 as 1.23M; up to 9999 in full."""
    if number < 10_000:
        return f"{number:,.0f}"
    power = next(power for power in (1, 2, 3, 4) if number < 999.5 * 1000**power or power == 4)
    value = number / 1000**power
    return (f"{value:.3g}" if value < 999.5 else f"{value:,.0f}") + " kMGT"[power]


def dollars(amount: float) -> str:
    """USD with as many places as it takes to be more than nothing, up to four."""
    if 0 < amount < 0.0001:
        return "<$0.0001"
    places = 2 if amount == 0 or amount >= 1 else 4 if amount < 0.01 else 3
    return f"${amount:,.{places}f}"


def seconds(number: float) -> str:
    """0.35 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if number < 10:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

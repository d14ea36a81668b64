"""Compare two servers in one run, a few repetitions of one after a few of the other.

The speed of a machine changes within minutes, so figures of two runs cannot be compared, but ratios of one run can:

    row               figure            this   other  ratio
    new conversation  first delta, ms  101.2   118.3   0.86
                      CPU s/request    0.612   1.020   0.60
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.plan import Measurement, measure
from bench.results import Row, align, merge

MAX_RATIO = 1.15  # a figure that got worse by more fails `make bench-check`


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by which servers are compared.

    A difference of up to `slack` is noise at any ratio: a clock tick, or the wake-up of a CPU.
    """

    title: str
    read: Callable[[Row], float | None]
    slack: float = 0.0
    is_better_higher: bool = False

    def is_worse(self, this: float, other: float) -> bool:
        """Return True if the figure of this server is worse than the other's by more than MAX_RATIO."""
        better, worse = (this, other) if self.is_better_higher else (other, this)
        return worse > better * MAX_RATIO + self.slack


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of both servers."""

    this: Row
    other: Row

    def figures(self) -> list[tuple[Figure, float, float]]:
        """Return the figures that both rows have."""
        found = ((figure, figure.read(self.this), figure.read(self.other)) for figure in FIGURES)
        return [
            (figure, this, other) for figure, this, other in found if this is not None and other is not None
        ]

    @property
    def is_worse(self) -> bool:
        """True if this server failed where the other did not, or if a figure got worse."""
        if self.this.failed or self.other.failed:
            return self.this.failed and not self.other.failed
        return any(figure.is_worse(this, other) for figure, this, other in self.figures())


def _median_ms(name: str) -> Callable[[Row], float | None]:
    def read(row: Row) -> float | None:
        times: list[float] = getattr(row, name)
        return statistics.median(times) * 1000 if times else None

    return read


def _named(title: str, name: str, slack: float = 0.0, *, is_better_higher: bool = False) -> Figure:
    return Figure(title, lambda row: row.figures.get(name), slack, is_better_higher)


FIGURES = (
    Figure("first delta, ms", _median_ms("first"), 0.5),
    Figure("last, ms", _median_ms("last"), 0.5),
    Figure("CPU s/request", lambda row: row.cpu_per_request, 0.01),
    _named("requests per minute", "requests_per_minute", is_better_higher=True),
    _named("first burst, ms", "first_burst_ms"),
    _named("CPU s/canceled request", "cpu_per_cancel", 0.01),
    _named("idle, % of a core", "idle_cpu_percent", 0.2),
    _named("memory when full, MiB", "memory_full_mib", 10.0),
    _named("memory afterwards, MiB", "memory_after_mib", 10.0),
    _named("refused", "refused"),
    _named("errors 5xx", "errors"),
    _named("kernel kills", "kernel_kills"),
    _named("added, ms", "added_ms", 0.3),
    _named("token events per second", "events_per_second", is_better_higher=True),
)


def compare(these: Sequence[Measurement], others: Sequence[Measurement], *, is_quick: bool) -> list[Pair]:
    """Measure the rows that both servers have."""
    by_name = {row.name: row for row in others}
    return [_interleave(row, by_name[row.name], is_quick) for row in these if row.name in by_name]


def _interleave(this: Measurement, other: Measurement, is_quick: bool) -> Pair:
    """Measure a row of both servers in turn. Who begins changes from part to part."""
    times = this.quick if is_quick else this.times
    parts = min(this.parts, times)
    measured: dict[int, list[Row]] = {0: [], 1: []}
    for part in range(parts):
        count = times // parts + (part < times % parts)
        for side in (0, 1) if part % 2 == 0 else (1, 0):
            who = ("this", "the other")[side]
            print(f"{this.name}: part {part + 1} of {parts}, {who} ...", file=sys.stderr, flush=True)
            measured[side].append(measure((this, other)[side], count))
    return Pair(merge(measured[0]), merge(measured[1]))


def ratios(pairs: Sequence[Pair]) -> str:
    """Return the figures of both servers and their ratios as a table, with a mark at those that got worse."""
    lines: list[tuple[str, ...]] = [("row", "figure", "this", "other", "ratio", "")]
    for pair in pairs:
        lines += _ratio_lines(pair)
    return align(lines, left=(0, 1, 5))


def _ratio_lines(pair: Pair) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for figure, this, other in pair.figures():
        ratio = f"{this / other:.2f}" if other else ""
        mark = "worse" if figure.is_worse(this, other) else ""
        lines.append(("", figure.title, _short(this), _short(other), ratio, mark))
    failures = [row.remark for row in (pair.this, pair.other) if row.remark and (row.failed or not row.first)]
    lines += [("", "", "", "", "", remark) for remark in failures]
    first, *rest = lines or [("", "", "", "", "", "nothing to compare")]
    return [(pair.this.name, *first[1:]), *rest]


def _short(value: float) -> str:
    digits = 0 if not value else 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"

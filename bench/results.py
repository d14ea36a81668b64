"""Figures of one row, and the table of all rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

FLOOR = "stand-in itself"
MOST_OTHERS = 0.15  # share of the machine
HEADS = (
    "",
    "n",
    "first delta",
    "p95",
    "over floor",
    "last",
    "p95",
    "CPU s",
    "gateway",
    "CLI",
    "remarks",
)
UNITS = ("", "", "ms", "ms", "ms", "ms", "ms", "/request", "MiB RSS", "MiB priv.", "")


class RowFailed(Exception):
    """A row could not be measured; the message says why."""


class NotSupported(RowFailed):
    """The server says that it cannot do this."""


@dataclass(slots=True)
class Row:
    """What one row shows. Times are seconds, one for each request; `cpu` is CPU seconds in all; memory is MiB.

    `figures` are further numbers by name; `remark` is for people.
    """

    name: str
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    cpu: float | None = None
    gateway_memory: float | None = None
    cli_memory: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    remark: str = ""
    failed: bool = False
    others: float = 0.0  # share of the machine that other programs took meanwhile

    def as_json(self) -> dict[str, Any]:
        """The row for a file; times in milliseconds."""
        return {
            "name": self.name,
            "requests": len(self.first),
            "first_delta_ms": _summary(self.first),
            "last_ms": _summary(self.last),
            "cpu_seconds_per_request": self.cpu_per_request,
            "gateway_rss_mib": self.gateway_memory,
            "cli_private_mib": self.cli_memory,
            **self.figures,
            "remark": self.remark,
            "failed": self.failed,
            "cpu_share_of_others": self.others,
        }

    @property
    def cpu_per_request(self) -> float | None:
        """CPU seconds for one request."""
        return self.cpu / len(self.first) if self.cpu is not None and self.first else None


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of all do not exceed; the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Iterable[float | None]) -> float | None:
    """The median of those that are known; None when none is."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _summary(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    return {"median": statistics.median(seconds) * 1000, "p95": percentile(seconds, 0.95) * 1000}


def table(rows: Sequence[Row]) -> str:
    """All rows, in columns, with a line for each."""
    floor = next((median(row.first) for row in rows if row.name == FLOOR), None)
    cells = [HEADS, UNITS, *(_cells(row, floor) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, len(HEADS) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([*lines[:2], "-" * (sum(widths[:-1]) + 2 * len(widths) + len(HEADS[-1])), *lines[2:]])


def disturbance(rows: Sequence[Row]) -> str:
    """A warning when other programs kept the machine busy during some rows; "" when they did not."""
    disturbed = [f"{row.name} ({row.others:.0%})" for row in rows if row.others > MOST_OTHERS]
    if not disturbed:
        return ""
    return (
        f"Not to be compared: other programs took a good part of the machine during {', '.join(disturbed)}."
    )


def _cells(row: Row, floor: float | None) -> tuple[str, ...]:
    first, last = _summary(row.first), _summary(row.last)
    over = "" if first is None or floor is None else f"+{first['median'] - floor * 1000:.1f}"
    return (
        row.name,
        str(len(row.first) or ""),
        *((f"{first['median']:.1f}", f"{first['p95']:.1f}") if first else ("", "")),
        over if row.name != FLOOR else "",
        *((f"{last['median']:.1f}", f"{last['p95']:.1f}") if last else ("", "")),
        _number(row.cpu_per_request, "{:.3f}"),
        _number(row.gateway_memory, "{:.0f}"),
        _number(row.cli_memory, "{:.0f}"),
        row.remark,
    )


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)

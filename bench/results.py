"""The figures of a row, and the table of all rows."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

FLOOR = "stand-in itself"
MAX_SHARE_OF_OTHERS = 0.15  # of the CPU time of the machine
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
    """A row could not be measured. The message says why."""


class NotSupported(RowFailed):
    """The server does not support the feature that the row measures."""


@dataclass(slots=True)
class Row:
    """The figures of one row. Times are seconds, one per request; `cpu` is the sum of CPU seconds; memory is in MiB.

    `figures` are further numbers by name. `remark` is a text for the table.
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
    others: float = 0.0  # the share of the CPU time that other programs used

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON. Times are milliseconds."""
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
        """Return the CPU seconds per request."""
        return self.cpu / len(self.first) if self.cpu is not None and self.first else None


def merge(parts: Sequence[Row]) -> Row:
    """Return one row for several measurements of the same row."""
    used = [part.cpu for part in parts if part.cpu is not None]
    merged = Row(parts[0].name, cpu=sum(used) if len(used) == len(parts) else None, remark=parts[-1].remark)
    for part in parts:
        merged.first += part.first
        merged.last += part.last
    names = {name for part in parts for name in part.figures}
    merged.figures = {
        name: statistics.median(part.figures[name] for part in parts if name in part.figures)
        for name in sorted(names)
    }
    merged.gateway_memory = median(part.gateway_memory for part in parts)
    merged.cli_memory = median(part.cli_memory for part in parts)
    merged.failed = any(part.failed for part in parts)
    merged.others = max(part.others for part in parts)
    return merged


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share (0 to 1) of all values does not exceed, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the known values, or None without any."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _summary(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    return {"median": statistics.median(seconds) * 1000, "p95": percentile(seconds, 0.95) * 1000}


def table(rows: Sequence[Row]) -> str:
    """Return all rows in columns, one line per row."""
    floor = next((median(row.first) for row in rows if row.name == FLOOR), None)
    cells = [HEADS, UNITS, *(_cells(row, floor) for row in rows)]
    lines = align(cells, left=(0, len(HEADS) - 1)).split("\n")
    return "\n".join([*lines[:2], "-" * max(map(len, lines)), *lines[2:]])


def align(cells: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """Return lines of aligned columns. Those in `left` are aligned to the left, and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def disturbance(rows: Sequence[Row]) -> str:
    """Return a warning if other programs kept the machine busy during some rows, else ""."""
    disturbed = [f"{row.name} ({row.others:.0%})" for row in rows if row.others > MAX_SHARE_OF_OTHERS]
    if not disturbed:
        return ""
    return (
        f"Do not compare these rows, because other programs used much of the machine: {', '.join(disturbed)}."
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

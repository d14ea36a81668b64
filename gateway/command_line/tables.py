"""Format values for people: tables in aligned columns, times and lists of names.

>>> print(format_table([("NAME", "COST"), ("alice", "$1.50")], numbers=True))
NAME    COST
alice  $1.50
"""

from collections.abc import Iterable, Sequence
from datetime import datetime


def format_table(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Format rows in aligned columns. With `numbers`, all columns but the first are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rest = str.rjust if numbers else str.ljust
    lines = ("  ".join([row[0].ljust(widths[0]), *map(rest, row[1:], widths[1:])]).rstrip() for row in rows)
    return "\n".join(lines)


def format_time(moment: datetime | None) -> str:
    """Return a time in UTC; "never" for None."""
    return f"{moment:%Y-%m-%d %H:%M}Z" if moment else "never"


def format_names(names: Iterable[str] | None) -> str:
    """Return names with commas; "all" for None."""
    return "all" if names is None else ", ".join(names)

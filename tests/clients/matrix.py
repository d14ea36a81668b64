"""The matrix of clients and scenarios, which `make test-clients` prints at its end and writes to a file."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.clients.installs import HOME

PATH = HOME / "matrix.md"


@dataclass(frozen=True)
class Cell:
    """The outcome of a scenario: "ok", "FAILED", or "-" for an exception with its reason."""

    client: str
    version: str
    dialect: str
    scenario: str
    outcome: str
    reason: str = ""


def matrix_of(cells: Iterable[Cell]) -> str:
    """Return the matrix as a Markdown table. Exceptions have numbers, which a list below explains."""
    rows: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    columns: dict[str, None] = {}
    reasons: dict[str, int] = {}
    for cell in cells:
        columns[cell.scenario] = None
        number = reasons.setdefault(cell.reason, len(reasons) + 1) if cell.reason else 0
        shown = f"{cell.outcome} [{number}]" if number else cell.outcome
        rows[cell.client, cell.version, cell.dialect][cell.scenario] = shown
    table = [["client", "version", "dialect", *columns], ["---"] * (3 + len(columns))]
    table += [[*row, *(rows[row].get(column, "") for column in columns)] for row in sorted(rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(table[0]))]
    lines = [
        "| " + " | ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) + " |"
        for line in table
    ]
    notes = [f"[{number}] {reason}" for reason, number in reasons.items()]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"

"""Collect the outcomes of client tests in a matrix. It works with and without test workers."""

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.clients import matrix
from tests.clients.matrix import Cell

pytest.register_assert_rewrite("tests.clients.scenarios")

PROPERTY = "matrix"
OUTCOMES = {"passed": "ok", "failed": "FAILED", "error": "FAILED", "skipped": "-", "xfailed": "-"}
Note = Callable[[str, str, str, str], None]


def pytest_configure() -> None:
    """Let clients be interrupted: they inherit that a run in the background of a shell ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def matrix_cell(record_property: Callable[[str, object], None]) -> Note:
    """Return a function that names the cell of this test: client, version, dialect and scenario."""
    return lambda *cell: record_property(PROPERTY, list(cell))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the matrix, and write it to a file."""
    cells = list(cells_of(terminalreporter))
    if cells:
        shown = matrix.matrix_of(cells)
        terminalreporter.section("clients")
        terminalreporter.write(shown)
        matrix.PATH.parent.mkdir(exist_ok=True)  # a client may need no installation
        matrix.PATH.write_text(shown, "utf-8")


def cells_of(reporter: pytest.TerminalReporter) -> Iterator[Cell]:
    """Yield a cell for each test that named one."""
    for kind, outcome in OUTCOMES.items():
        for report in reporter.stats.get(kind, ()):
            cell = dict(getattr(report, "user_properties", ())).get(PROPERTY)
            if cell:
                client, version, dialect, scenario = cell
                yield Cell(client, version, dialect, scenario, outcome, reason_of(report))


def reason_of(report: pytest.TestReport) -> str:
    """Return the reason why a test was skipped or is expected to fail, or ""."""
    expected = getattr(report, "wasxfail", "")
    if expected or report.outcome != "skipped":
        return str(expected)
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")

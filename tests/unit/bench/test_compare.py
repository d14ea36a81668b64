"""Comparing two servers: parts in turn, merged rows, ratios, and the rows that got worse."""

import pytest

from bench.compare import FIGURES, Pair, compare, ratios
from bench.plan import Measurement, measure, select
from bench.results import NotSupported, Row, RowFailed, merge


def row(first: float = 0.1, *, cpu: float | None = None, failed: bool = False, **figures: float) -> Row:
    """Return a row of one request."""
    return Row("row", [first], [first], cpu=cpu, failed=failed, figures=figures)


def test_servers_are_measured_in_turn_and_each_part_may_begin() -> None:
    order = []

    def add(who: str) -> Measurement:
        def measured(row: Row, times: int) -> None:
            order.append(who * times)
            row.first += [1.0] * times

        return Measurement("row", measured, times=5, quick=1, parts=3)

    (pair,) = compare([add("a")], [add("b")], is_quick=False)
    assert order == ["aa", "bb", "bb", "aa", "a", "b"]
    assert (len(pair.this.first), len(pair.other.first)) == (5, 5)


def test_rows_that_only_one_server_has_are_left_out() -> None:
    def named(name: str) -> Measurement:
        return Measurement(name, lambda row, times: None, times=1, quick=1)

    pairs = compare([named("one"), named("both")], [named("both"), named("two")], is_quick=True)
    assert [pair.this.name for pair in pairs] == ["both"]


def test_merged_row_has_all_times_and_the_medians_of_figures() -> None:
    merged = merge([row(0.1, cpu=1.0, peak=1.0), row(0.3, cpu=2.0, peak=5.0), row(0.2, cpu=3.0, peak=2.0)])
    assert merged.first == [0.1, 0.3, 0.2]
    assert merged.cpu_per_request == 2.0
    assert merged.figures == {"peak": 2.0}
    assert merge([row(cpu=1.0), row()]).cpu is None


@pytest.mark.parametrize(
    ("this", "other", "is_worse"),
    [
        (row(0.100), row(0.100), False),
        (row(0.114), row(0.100), False),
        (row(0.117), row(0.100), True),
        (row(0.080), row(0.100), False),
        (row(0.0012), row(0.0010), False),  # 0.2 ms are noise
        (row(cpu=0.60), row(cpu=0.50), True),
        (row(cpu=0.016), row(cpu=0.010), False),  # less than a clock tick
        (row(requests_per_minute=80.0), row(requests_per_minute=100.0), True),
        (row(requests_per_minute=120.0), row(requests_per_minute=100.0), False),
        (row(kernel_kills=1), row(kernel_kills=0), True),
        (row(errors=0), row(errors=0), False),
        (row(failed=True), row(), True),
        (row(failed=True), row(failed=True), False),
        (row(), row(failed=True), False),
    ],
)
def test_row_is_worse_if_a_figure_is_15_percent_worse(this: Row, other: Row, is_worse: bool) -> None:
    assert Pair(this, other).is_worse is is_worse


def test_table_shows_ratios_and_marks_what_got_worse() -> None:
    pairs = [Pair(row(0.05, cpu=0.6), row(0.1, cpu=0.5)), Pair(row(failed=True), row())]
    pairs[1].this.remark = "failed: no answer"
    lines = [line.split() for line in ratios(pairs).splitlines()]
    assert lines[1] == ["row", "first", "delta,", "ms", "50.0", "100.0", "0.50"]
    assert lines[3] == ["CPU", "s/request", "0.600", "0.500", "1.20", "worse"]
    assert lines[-1][-3:] == ["failed:", "no", "answer"]


def test_titles_of_figures_are_unique() -> None:
    assert len({figure.title for figure in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize(
    ("error", "failed", "remark"),
    [(RowFailed("no answer"), True, "failed: no answer"), (NotSupported("no tools"), False, "no tools")],
)
def test_row_that_cannot_be_measured_says_why(error: Exception, failed: bool, remark: str) -> None:
    def add(row: Row, times: int) -> None:
        raise error

    found = measure(Measurement("row", add, 1, 1), 1)
    assert (found.name, found.failed, found.remark) == ("row", failed, remark)


def test_rows_are_selected_by_name_and_quick_runs_leave_some_out() -> None:
    rows = [
        Measurement(name, lambda row, times: None, 2, quick) for name, quick in (("load: a", 1), ("b", 0))
    ]
    assert [one.name for one in select(rows, [], is_quick=False)] == ["load: a", "b"]
    assert [one.name for one in select(rows, [], is_quick=True)] == ["load: a"]
    assert [one.name for one in select(rows, ["b"], is_quick=False)] == ["b"]

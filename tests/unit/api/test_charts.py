"""The dashboard's numbers and the geometry of its charts."""

import pytest

from gateway.api.dashboard import charts
from gateway.api.dashboard.charts import Segment


def test_values_of_a_column_are_stacked() -> None:
    chart = charts.stack_columns([[1, 2], [0, 0], [0, 4], [1, 0]])
    assert (chart.top, chart.step) == (4, 25)
    assert chart.segments == (
        Segment(0, x=3.125, y=75, width=18.75, height=25),
        Segment(1, x=3.125, y=25, width=18.75, height=50),
        Segment(1, x=53.125, y=0, width=18.75, height=100),
        Segment(0, x=78.125, y=75, width=18.75, height=25),
    )


@pytest.mark.parametrize("stacks", [[], [[0]], [[0, 0], [0, 0]]])
def test_chart_without_values_has_no_segments(stacks: list[list[float]]) -> None:
    chart = charts.stack_columns(stacks)
    assert (chart.top, chart.segments) == (1, ())


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (1, 1), (1.01, 1.5), (7, 8), (8.01, 10), (9.99, 10), (10, 10), (1234, 1500), (0.021, 0.03)],
)
def test_axis_ends_at_a_round_number_above_its_values(value: float, top: float) -> None:
    assert charts.round_up(value) == pytest.approx(top)


@pytest.mark.parametrize("power", range(-9, 16))
@pytest.mark.parametrize("factor", [1, 1.0000001, 2.5, 9.9999999])
def test_axis_has_room_for_any_value(power: int, factor: float) -> None:
    value = factor * 10.0**power
    assert value * (1 - 1e-8) <= charts.round_up(value) <= 2 * value


@pytest.mark.parametrize(("value", "most", "share"), [(1, 4, 25), (0, 4, 0), (0, 0, 0), (1.2, 1, 100)])
def test_share_is_in_percent(value: float, most: float, share: float) -> None:
    assert charts.percent_of(value, most) == share


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (1_234_567, "1.23M"),
        (2_500_000_000_000, "2.5T"),
        (10**16, "10,000T"),
    ],
)
def test_large_numbers_are_abbreviated(number: float, text: str) -> None:
    assert charts.format_number(number) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (0.00001, "<$0.0001"),
        (0.0019, "$0.0019"),
        (0.05, "$0.050"),
        (12.345, "$12.35"),
        (12_345, "$12,345.00"),
    ],
)
def test_small_amounts_are_not_rounded_to_zero(amount: float, text: str) -> None:
    assert charts.format_dollars(amount) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0.35, "0.3 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_have_at_most_two_units(number: float, text: str) -> None:
    assert charts.format_seconds(number) == text

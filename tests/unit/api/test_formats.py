"""Numbers, money and durations of the web pages, and their ranges of time."""

from datetime import datetime, timedelta, timezone

import pytest

from gateway.api.dashboard import formats
from gateway.api.dashboard.ranges import RANGES, Range


@pytest.mark.parametrize(("value", "most", "share"), [(1, 4, 25), (0, 4, 0), (0, 0, 0), (1.2, 1, 100)])
def test_share_is_in_percent(value: float, most: float, share: float) -> None:
    assert formats.percent_of(value, most) == share


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
    assert formats.format_number(number) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.0019, "<$0.01"), (0.05, "$0.05"), (12.345, "$12.35"), (12_345, "$12,345.00")],
)
def test_sums_of_money_are_in_cents(amount: float, text: str) -> None:
    assert formats.format_dollars(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "\u2013"), (0, "$0.0000"), (0.00001, "<$0.0001"), (0.0019, "$0.0019"), (12, "$12.0000")],
)
def test_cost_of_an_answer_is_not_rounded_to_zero(amount: float | None, text: str) -> None:
    assert formats.format_price(amount) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "\u2013"),
        (0.035, "35 ms"),
        (1.25, "1.2 s"),
        (12.4, "12 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (360_000, "4 d 4 h"),
    ],
)
def test_durations_have_at_most_two_units(number: float | None, text: str) -> None:
    assert formats.format_seconds(number) == text


@pytest.mark.parametrize("wanted", RANGES, ids=lambda wanted: str(wanted.name))
@pytest.mark.parametrize("time", [(0, 0, 0), (23, 59, 59)])
def test_range_has_full_steps_and_contains_now(wanted: Range, time: tuple[int, int, int]) -> None:
    now = datetime(2026, 3, 1, *time, tzinfo=timezone.utc)
    found = wanted.filter(now)
    assert found.since <= now < found.until
    assert wanted.length - wanted.step <= found.until - found.since <= wanted.length + timedelta(days=1)
    assert (found.since.minute, found.since.second) == (0, 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-9000, "2 h 30 min ago"),
        (-119, "1 min ago"),
        (-59, "just now"),
        (0, "just now"),
        (1, "in 1 min"),
        (3599, "in 59 min"),
        (7500, "in 2 h 5 min"),
        (5 * 86400, "in 5 d 0 h"),
    ],
)
def test_distance_has_at_most_two_units(seconds: int, text: str) -> None:
    now = datetime(2026, 11, 27, tzinfo=timezone.utc)
    assert formats.format_distance(now + timedelta(seconds=seconds), now) == text

"""Sums of usage by steps of time."""

from datetime import datetime, timedelta, timezone

from gateway.store.database import Store
from gateway.store.usage import UsageTable
from gateway.store.usage_series import UsageFilter, UsageSeries
from gateway.turn import Usage
from tests.support.usage_records import make_record

START = datetime(2026, 5, 4, 10, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def test_answers_are_summed_by_the_step_in_which_they_began(store: Store) -> None:
    moments = [0, 1, 3599.999, 3600, 3 * 3600 - 0.001, 3 * 3600]
    UsageTable(store).add_records(
        [
            make_record(
                started_at=START + timedelta(seconds=seconds), usage=Usage(cost_usd=1.0), key_id=f"key_{i}"
            )
            for i, seconds in enumerate(moments)
        ]
    )
    series = UsageSeries(store)
    everything = UsageFilter(START, START + 3 * HOUR)
    steps = series.sum_by_step(everything, HOUR)
    assert [(step.start, step.figures.requests) for step in steps] == [
        (START, 3),
        (START + HOUR, 1),
        (START + 2 * HOUR, 1),
    ]
    one = UsageFilter(START, START + 3 * HOUR, key_id="key_3")
    assert [step.figures.cost for step in series.sum_by_step(one, HOUR)] == [0, 1, 0]
    assert [group.name for group in series.sum_by(one, "key")] == ["key_3"]
    assert series.sum_by(UsageFilter(START, START + HOUR, model="other"), "model") == []


def test_first_tokens_are_sampled_from_the_newest_answers(store: Store) -> None:
    UsageTable(store).add_records(
        [
            make_record(started_at=START + timedelta(seconds=number), first_seconds=first)
            for number, first in enumerate([9.0, 0.3, None, 0.2])
        ]
    )
    assert UsageSeries(store).list_first_seconds(UsageFilter(START, START + HOUR), 2) == [0.2, 0.3]

"""The usage table: every answer is a row, and rows are summed by day, key, model and project."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.errors import StoreError
from gateway.record import Record
from gateway.store import keys as keys_module
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.usage import UsageFigures, UsageTable, sum_figures
from gateway.turn import Usage
from tests.support.usage_records import USAGE, make_record

NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
DAY = NOON.date()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Return a store that gives up at once when the database fails."""
    store = Store(database_url, busy_seconds=0.01, pauses=())
    store.open()
    yield store
    store.close()


@pytest.fixture
def usage(store: Store) -> UsageTable:
    return UsageTable(store)


def answer(**fields: Any) -> Record:
    """Return the record of a complete answer at noon."""
    return make_record(**{"started_at": NOON, **fields})


def figures_by_name(usage: UsageTable, by: Any, **options: Any) -> dict[str | None, UsageFigures]:
    """Return the sums of that day for each group."""
    return {group.name: group.figures for group in usage.sum_by(by, DAY, DAY, **options)}


def test_sums_have_one_figure_per_kind_of_token(usage: UsageTable) -> None:
    usage.add_records(
        [answer(), answer(outcome="failed", error="timeout"), answer(outcome="cut", usage=Usage())]
    )
    figures = UsageFigures(3, 1, 1, 2, 40, 600, 8000, 100, cost=0.5)
    assert figures_by_name(usage, "day") == {"2026-05-04": figures}
    assert figures.total_tokens == 8642


def test_calls_of_hosted_tools_are_summed(usage: UsageTable) -> None:
    usage.add_records(
        [answer(usage=Usage(web_searches=3)), answer(usage=Usage(web_searches=1, web_fetches=2))]
    )
    [figures] = figures_by_name(usage, "day").values()
    assert (figures.web_searches, figures.web_fetches) == (4, 2)


def test_answers_are_grouped_by_key_model_or_project(usage: UsageTable) -> None:
    cheap = replace(USAGE, cost_usd=0.1)
    usage.add_records(
        [answer(key_id="a", key_name="alice", project_id="p"), answer(key_id="b", model="opus", usage=cheap)]
    )
    for by, names in {"key": ["a", "b"], "model": ["haiku", "opus"], "project": ["p", None]}.items():
        groups = usage.sum_by(by, DAY, DAY)  # type: ignore[arg-type]
        assert [group.name for group in groups] == names  # in order of cost
        assert {group.key_name for group in groups} == ({"alice", None} if by == "key" else {None})
        assert sum_figures(groups).cost == pytest.approx(0.35)
    assert list(figures_by_name(usage, "model", key_id="b")) == ["opus"]
    assert figures_by_name(usage, "day", key_id="nobody") == {}


def test_days_are_in_utc_and_newest_first(usage: UsageTable) -> None:
    midnight = NOON.replace(hour=0)
    early = midnight.astimezone(timezone(timedelta(hours=-5)))
    moments = [early, midnight - timedelta(seconds=1), midnight + timedelta(days=1)]
    usage.add_records([answer(started_at=moment) for moment in moments])
    assert list(figures_by_name(usage, "day")) == ["2026-05-04"]
    groups = usage.sum_by("day", DAY - timedelta(days=1), DAY + timedelta(days=1))
    assert [group.name for group in groups] == ["2026-05-05", "2026-05-04", "2026-05-03"]


def test_totals_of_a_key_are_updated_with_the_rows(store: Store, usage: UsageTable) -> None:
    keys = Keys(store)
    key, _ = keys.create("alice")
    usage.add_records([answer(key_id=key.id), answer(key_id=key.id), answer(key_id="env_x"), answer()])
    found = keys.get(key.id)
    assert (found.total_requests, found.total_tokens, found.total_cost) == (2, 8642, 0.5)
    assert found.last_used_at == NOON


def test_rows_and_totals_are_written_in_one_transaction(
    usage: UsageTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr(keys_module, "add_key_usage", fail)
    with pytest.raises(StoreError):
        usage.add_records([answer(key_id="a")])
    assert figures_by_name(usage, "day") == {}


def test_recent_failures_are_newest_first_and_can_be_limited(usage: UsageTable) -> None:
    failed = answer(outcome="failed", error="timeout", key_id="a")
    late = answer(outcome="failed", error="overloaded", key_id="b", started_at=NOON + timedelta(hours=1))
    usage.add_records([late, failed, answer()])
    assert [failure.error for failure in usage.list_failures()] == ["overloaded", "timeout"]
    assert [failure.error for failure in usage.list_failures(1)] == ["overloaded"]


def test_half_a_surrogate_pair_in_a_name_is_replaced(usage: UsageTable) -> None:
    usage.add_records([answer(model="claude-\ud83d")])
    assert list(figures_by_name(usage, "model")) == ["claude-?"]

"""Batches and their items: leases, results that are recorded once, and clean-up."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import LimitReached
from gateway.store.batch_items import BatchItems, ClaimedItem
from gateway.store.batches import CANCELLING, COMPLETED, IN_PROGRESS, VALIDATING, Batch, Batches, new_batch_id
from gateway.store.database import Store, utc_now
from gateway.store.models import BatchItem
from gateway.turn import Usage

USAGE = Usage(input_tokens=3, cache_read_tokens=7, output_tokens=2)
LEASE = "lease"


@pytest.fixture
def batches(store: Store) -> Batches:
    return Batches(store)


@pytest.fixture
def items(store: Store) -> BatchItems:
    return BatchItems(store)


def new_batch(**fields: Any) -> Batch:
    known = {"owner": "me", "kind": "openai", "endpoint": "/v1/responses", **fields}
    return Batch(id=new_batch_id("openai"), expires_at=utc_now() + timedelta(hours=1), **known)


def start(batches: Batches, items: BatchItems, *names: str) -> Batch:
    """Return a batch in progress with these items."""
    batch = new_batch()
    batches.add(batch, 0, LEASE)
    assert items.add(LEASE, batch.id, [(name, "{}") for name in names])
    batches.change(LEASE, [VALIDATING], status=IN_PROGRESS, total=len(names))
    batches.release_lease(LEASE)
    return batches.get("me", "openai", batch.id)


def claim(items: BatchItems, batch: Batch) -> ClaimedItem:
    item = items.claim(batch.id)
    assert item is not None
    return item


def test_items_are_claimed_in_order_and_by_one_worker_each(batches: Batches, items: BatchItems) -> None:
    batch = start(batches, items, "a", "b")
    assert [claim(items, batch).custom_id, claim(items, batch).custom_id] == ["a", "b"]
    assert items.claim(batch.id) is None


def test_item_of_a_dead_worker_is_taken_over_and_its_late_result_is_dropped(
    store: Store, batches: Batches, items: BatchItems
) -> None:
    batch = start(batches, items, "a")
    dead = BatchItems(store, lease_seconds=-1).claim(batch.id)
    assert dead is not None
    successor = claim(items, batch)
    assert (successor.id, successor.tries, dead.tries) == (dead.id, 1, 0)
    assert items.find_active([dead.lease_id, successor.lease_id]) == {successor.lease_id}
    assert not items.record(dead, "succeeded", "late", USAGE)
    assert items.record(successor, "succeeded", "right", USAGE)
    assert not items.record(successor, "succeeded", "again", USAGE)
    (result,) = items.list_results(batch.id, 0, 10)
    assert result.line == "right"
    current = batches.get("me", "openai", batch.id)
    assert (current.succeeded, current.done) == (1, 1)
    assert (current.input_tokens, current.cached_tokens, current.output_tokens) == (10, 7, 2)


def test_renewed_lease_is_kept(store: Store, batches: Batches, items: BatchItems) -> None:
    batch = start(batches, items, "a")
    held = BatchItems(store, lease_seconds=-1).claim(batch.id)
    assert held is not None
    items.renew_leases([held.lease_id])
    assert items.claim(batch.id) is None


def test_item_that_is_given_back_can_be_claimed_after_its_pause(batches: Batches, items: BatchItems) -> None:
    batch = start(batches, items, "a")
    items.give_back([claim(items, batch).lease_id])
    failed = claim(items, batch)
    assert failed.tries == 0
    items.give_back([failed.lease_id], 60.0, is_failed=True)
    assert items.claim(batch.id) is None
    items.give_back([failed.lease_id])  # the lease is over, so this has no effect
    assert items.claim(batch.id) is None


def test_no_item_of_a_canceled_batch_is_claimed_or_active(batches: Batches, items: BatchItems) -> None:
    batch = start(batches, items, "a", "b")
    running = claim(items, batch)
    assert batches.cancel("me", "openai", batch.id).status == CANCELLING
    assert items.claim(batch.id) is None
    assert items.find_active([running.lease_id]) == set()
    assert items.end_open(batch.id, "canceled") == 1  # not the item that a worker is answering
    assert items.record(running, "canceled", None, USAGE)
    assert batches.get("me", "openai", batch.id).canceled == 2


def test_waiting_item_of_a_failed_attempt_ends_with_its_batch(batches: Batches, items: BatchItems) -> None:
    batch = start(batches, items, "a")
    items.give_back([claim(items, batch).lease_id], 60.0, is_failed=True)
    assert items.end_open(batch.id, "expired") == 1


def test_one_worker_at_a_time_has_the_lease_on_a_batch(
    store: Store, batches: Batches, items: BatchItems
) -> None:
    batch = start(batches, items, "a")
    assert batches.take_lease(batch, "one")
    assert not batches.take_lease(batch, "two")
    batches.release_lease("one")
    assert Batches(store, lease_seconds=-1).take_lease(batch, "two")
    assert batches.take_lease(batch, "three")  # the second worker has died
    assert not batches.change("two", [IN_PROGRESS], status=COMPLETED)
    assert batches.change("three", [IN_PROGRESS], status=COMPLETED)


def test_items_are_added_only_under_the_lease(batches: Batches, items: BatchItems) -> None:
    batch = new_batch()
    batches.add(batch, 0, LEASE)
    assert not items.add("other", batch.id, [("a", "{}")])
    assert items.add(LEASE, batch.id, [("a", "{}")])


def test_limit_of_open_batches_counts_both_apis(batches: Batches) -> None:
    batches.add(new_batch(kind="anthropic"), 2)
    batches.add(new_batch(), 2)
    batches.add(new_batch(owner="you"), 2)
    with pytest.raises(LimitReached):
        batches.add(new_batch(), 2)
    batches.add(new_batch(), 0)


def test_ended_batches_and_their_items_are_deleted(store: Store, batches: Batches, items: BatchItems) -> None:
    batch = start(batches, items, "a", "b")
    kept = start(batches, items, "c")
    batches.take_lease(batch, "one")
    batches.change("one", [IN_PROGRESS], status=COMPLETED, ended_at=utc_now() - timedelta(days=2))
    yesterday = utc_now() - timedelta(days=1)
    assert items.delete_of_batches(yesterday) == 2
    assert batches.delete_ended(yesterday) == 1
    assert [one.id for one in batches.list_open()] == [kept.id]
    assert store.read(lambda db: BatchItem.select().count(db)) == 1

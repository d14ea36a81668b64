"""Stored responses: their owners, chains of responses, background responses, and failures of the database."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest

from gateway.errors import InvalidRequest, ResponseNotFound, StoreError
from gateway.store.database import Store
from gateway.store.responses import LOST_ERROR, EventChunk, Responses
from tests.support.fake_cli import GREETING

Body = dict[str, Any]
OWN = "me"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path}", busy_seconds=0.01, pauses=(0.01,))
    store.open()
    yield store
    store.close()


@pytest.fixture
def responses(store: Store) -> Responses:
    return Responses(store, timedelta(days=1))


def item(item_id: str) -> Body:
    """Return an input or output item."""
    return {"id": item_id, "type": "message", "content": GREETING}


def body(response_id: str, previous: str | None = None, status: str = "completed", **fields: Any) -> Body:
    """Return the body of a response; it has an output item if it is completed."""
    output = [item(f"{response_id}-out")] if status == "completed" else []
    known = {"id": response_id, "previous_response_id": previous, "status": status, "error": None}
    return {**known, "output": output, **fields}


def add(responses: Responses, response_id: str, previous: str | None = None) -> None:
    """Store a completed response with one input item."""
    responses.add(OWN, body(response_id, previous), [item(f"{response_id}-in")])


def begin(responses: Responses, response_id: str) -> None:
    """Store a background response that is queued."""
    responses.add(OWN, body(response_id, status="queued"), [item(f"{response_id}-in")], is_background=True)


def ids_of(items: list[Body]) -> list[str]:
    return [item["id"] for item in items]


def test_stored_response_is_returned_unchanged(responses: Responses) -> None:
    stored = body("a", metadata={"x": GREETING})
    responses.add(OWN, stored, [item("a-in")])
    found = responses.get(OWN, "a")
    assert (found.body, found.is_background, found.is_finished) == (stored, False, True)


def test_chain_has_exactly_its_items_in_order(responses: Responses) -> None:
    add(responses, "c0")
    add(responses, "z1", "c0")
    add(responses, "a2", "z1")
    add(responses, "b2", "z1")
    assert ids_of(responses.list_chain(OWN, "a2")) == [
        "c0-in",
        "c0-out",
        "z1-in",
        "z1-out",
        "a2-in",
        "a2-out",
    ]
    assert ids_of(responses.list_input_items(OWN, "b2")) == ["c0-in", "c0-out", "z1-in", "z1-out", "b2-in"]


def test_long_chain_is_found(responses: Responses) -> None:
    for number in range(300):
        add(responses, str(number), str(number - 1) if number else None)
    assert len(responses.list_chain(OWN, "299")) == 600


@pytest.mark.parametrize("count", [499, 500, 1234])
def test_others_run_while_many_items_are_read(responses: Responses, count: int) -> None:
    names = [f"i{number}" for number in range(count)]
    responses.add(OWN, body("a"), [item(name) for name in names])
    turns = 0

    def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    other = gevent.spawn(take_turns)
    assert ids_of(responses.list_input_items(OWN, "a")) == names
    assert ids_of(responses.list_chain(OWN, "a")) == [*names, "a-out"]
    assert turns >= 2 * (count // 500)
    other.kill()


def test_chain_that_is_deleted_while_it_is_read_is_not_found(responses: Responses) -> None:
    responses.add(OWN, body("a"), [item(f"i{number}") for number in range(600)])
    gevent.spawn(responses.delete, OWN, "a")
    with pytest.raises(ResponseNotFound):
        responses.list_chain(OWN, "a")


def test_chain_with_a_deleted_response_is_not_found(responses: Responses) -> None:
    add(responses, "a")
    add(responses, "b", "a")
    responses.delete(OWN, "a")
    with pytest.raises(ResponseNotFound, match="'a'"):
        responses.list_chain(OWN, "b")
    assert ids_of(responses.list_input_items(OWN, "b")) == ["b-in"]
    assert responses.find_items(OWN, ["a-in", "b-in"]) == {"b-in": item("b-in")}


def test_response_does_not_exist_for_another_owner(responses: Responses) -> None:
    add(responses, "a")
    begin(responses, "b")
    calls: list[Callable[[str, str], object]] = [
        responses.get,
        responses.cancel,
        responses.delete,
        responses.list_chain,
        responses.list_input_items,
    ]
    for call in calls:
        with pytest.raises(ResponseNotFound):
            call("other", "a")
    responses.add("other", body("c", "a"), [item("c-in")])
    with pytest.raises(ResponseNotFound):
        responses.list_chain("other", "c")
    assert ids_of(responses.list_input_items("other", "c")) == ["c-in"]
    assert responses.find_items("other", ["a-in"]) == {}
    assert not responses.update("other", body("b"))
    assert responses.get(OWN, "b").body["status"] == "queued"


def test_expired_response_does_not_exist_and_is_deleted(store: Store, path: Path) -> None:
    add(Responses(store, timedelta(seconds=-1)), "old")
    responses = Responses(store, timedelta(days=1))
    with pytest.raises(ResponseNotFound):
        responses.get(OWN, "old")
    add(responses, "new")
    assert (responses.delete_expired(), responses.delete_expired()) == (1, 0)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("select id from responses").fetchall() == [("new",)]
        assert db.execute("select item_id from response_items order by id").fetchall() == [
            ("new-in",),
            ("new-out",),
        ]


def test_background_response_is_queued_then_in_progress_then_completed(responses: Responses) -> None:
    begin(responses, "a")
    assert responses.get(OWN, "a").body["status"] == "queued"
    assert responses.update(OWN, body("a", status="in_progress"))
    assert responses.find_active(["a"]) == {"a"}
    assert not responses.get(OWN, "a").is_finished
    assert responses.update(OWN, body("a"))
    assert responses.get(OWN, "a").body == body("a")
    assert responses.find_active(["a"]) == set()
    assert responses.cancel(OWN, "a").body["status"] == "completed"


def test_cancelled_response_stays_cancelled(responses: Responses) -> None:
    begin(responses, "a")
    assert responses.find_active(["a"]) == {"a"}
    assert responses.cancel(OWN, "a").body["status"] == "cancelled"
    assert responses.find_active(["a"]) == set()
    assert not responses.update(OWN, body("a"))
    assert responses.get(OWN, "a").body == body("a", status="cancelled")
    add(responses, "b")
    with pytest.raises(InvalidRequest):
        responses.cancel(OWN, "b")


def test_unfinished_responses_are_active_and_renew_their_leases_together(store: Store) -> None:
    responses = Responses(store, timedelta(days=1))
    for name in "abcd":
        begin(responses, name)
    responses.cancel(OWN, "b")
    responses.delete(OWN, "c")
    responses.update(OWN, body("d"))
    assert responses.find_active(["a", "b", "c", "d", "unknown"]) == {"a"}
    Responses(store, timedelta(days=1), lease_seconds=-1).renew_leases(["a"])  # lets the lease expire
    assert responses.get(OWN, "a").body["status"] == "failed"
    responses.renew_leases(["a", "b", "c"])
    assert responses.get(OWN, "a").body["status"] == "queued"
    assert responses.get(OWN, "b").body["status"] == "cancelled"


def test_response_of_a_lost_worker_has_failed_until_the_worker_finishes_it(store: Store) -> None:
    responses = Responses(store, timedelta(days=1), lease_seconds=-1)
    begin(responses, "a")
    found = responses.get(OWN, "a")
    assert (found.body["status"], found.body["error"], found.is_finished) == (
        "failed",
        LOST_ERROR,
        True,
    )
    assert responses.cancel(OWN, "a").body["status"] == "failed"
    assert responses.update(OWN, body("a"))  # the worker was only slow
    assert responses.get(OWN, "a").body["status"] == "completed"


# Failures


def calls(responses: Responses) -> dict[str, Callable[[], object]]:
    """Return a call of every method, by its name."""
    return {
        "add": lambda: add(responses, "b"),
        "update": lambda: responses.update(OWN, body("a")),
        "add_events": lambda: responses.add_events("a", EventChunk(0, [b"x"])),
        "list_events": lambda: responses.list_events("a", 0),
        "renew_leases": lambda: responses.renew_leases(["a"]),
        "find_active": lambda: responses.find_active(["a"]),
        "get": lambda: responses.get(OWN, "a"),
        "cancel": lambda: responses.cancel(OWN, "a"),
        "delete": lambda: responses.delete(OWN, "a"),
        "list_chain": lambda: responses.list_chain(OWN, "a"),
        "list_input_items": lambda: responses.list_input_items(OWN, "a"),
        "find_items": lambda: responses.find_items(OWN, ["a-in"]),
        "delete_expired": responses.delete_expired,
    }


def test_every_method_is_tested_with_a_locked_database(responses: Responses) -> None:
    assert calls(responses).keys() == {name for name in vars(Responses) if not name.startswith("_")}


@pytest.mark.parametrize("method", calls(Responses(Store("sqlite:///unused.db"), timedelta())))
def test_locked_database_is_a_503(store: Store, responses: Responses, path: Path, method: str) -> None:
    begin(responses, "a")
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as lock:
        lock.execute("pragma locking_mode = exclusive")
        lock.execute("begin immediate")
        lock.execute("update responses set status = 'locked'")
        with pytest.raises(StoreError) as error:
            calls(responses)[method]()
        lock.execute("rollback")
    assert (error.value.status, error.value.code) == (503, "store_unavailable")
    calls(responses)[method]()

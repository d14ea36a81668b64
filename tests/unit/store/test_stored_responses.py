"""Responses in the database: whose they are, what follows them, how they end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest, ResponseNotFound, StoreError
from gateway.store import responses as module
from gateway.store.database import Store
from gateway.store.responses import Responses
from tests.support.fake_cli import GREETING
from tests.support.gateway import Gateway, wait_for
from tests.support.scripted import ScriptedCli

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
def kept(store: Store) -> Responses:
    return Responses(store, timedelta(days=1))


def item(item_id: str) -> Body:
    return {"id": item_id, "type": "message", "content": GREETING}


def body(response_id: str, previous: str | None = None, status: str = "completed", **fields: Any) -> Body:
    output = [item(f"{response_id}-out")] if status == "completed" else []
    known = {"id": response_id, "previous_response_id": previous, "status": status, "error": None}
    return {**known, "output": output, **fields}


def add(kept: Responses, response_id: str, previous: str | None = None) -> None:
    kept.add(OWN, body(response_id, previous), [item(f"{response_id}-in")])


def begin(kept: Responses, response_id: str) -> None:
    kept.add(OWN, body(response_id, status="queued"), [item(f"{response_id}-in")], is_background=True)


def ids(items: list[Body]) -> list[str]:
    return [item["id"] for item in items]


def test_it_comes_back_as_it_was(kept: Responses) -> None:
    whole = body("a", metadata={"x": GREETING})
    kept.add(OWN, whole, [item("a-in")])
    found = kept.get(OWN, "a")
    assert (found.body, found.is_background, found.is_finished) == (whole, False, True)


def test_a_chain_has_its_items_in_order_and_no_others(kept: Responses) -> None:
    add(kept, "c0")
    add(kept, "z1", "c0")
    add(kept, "a2", "z1")
    add(kept, "b2", "z1")
    assert ids(kept.list_chain(OWN, "a2")) == ["c0-in", "c0-out", "z1-in", "z1-out", "a2-in", "a2-out"]
    assert ids(kept.list_input_items(OWN, "b2")) == ["c0-in", "c0-out", "z1-in", "z1-out", "b2-in"]


def test_a_long_chain_is_found_at_once(kept: Responses) -> None:
    for number in range(300):
        add(kept, str(number), str(number - 1) if number else None)
    assert len(kept.list_chain(OWN, "299")) == 600


def test_a_broken_chain_is_not_found(kept: Responses) -> None:
    add(kept, "a")
    add(kept, "b", "a")
    kept.delete(OWN, "a")
    with pytest.raises(ResponseNotFound, match="'a'"):
        kept.list_chain(OWN, "b")
    assert ids(kept.list_input_items(OWN, "b")) == ["b-in"]
    assert kept.find_items(OWN, ["a-in", "b-in"]) == {"b-in": item("b-in")}


def test_what_is_another_s_is_not_there(kept: Responses) -> None:
    add(kept, "a")
    begin(kept, "b")
    calls: list[Callable[[str, str], object]] = [
        kept.get,
        kept.cancel,
        kept.delete,
        kept.list_chain,
        kept.list_input_items,
    ]
    for call in calls:
        with pytest.raises(ResponseNotFound):
            call("other", "a")
    kept.add("other", body("c", "a"), [item("c-in")])
    with pytest.raises(ResponseNotFound):
        kept.list_chain("other", "c")
    assert ids(kept.list_input_items("other", "c")) == ["c-in"]
    assert kept.find_items("other", ["a-in"]) == {}
    assert not kept.renew("other", "b")
    assert not kept.is_wanted("other", "b")
    assert not kept.update("other", body("b"))
    assert kept.get(OWN, "b").body["status"] == "queued"


def test_what_has_expired_is_not_there_and_is_swept(store: Store, path: Path) -> None:
    add(Responses(store, timedelta(seconds=-1)), "old")
    kept = Responses(store, timedelta(days=1))
    with pytest.raises(ResponseNotFound):
        kept.get(OWN, "old")
    add(kept, "new")
    assert (kept.delete_expired(), kept.delete_expired()) == (1, 0)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("select id from responses").fetchall() == [("new",)]
        assert db.execute("select item_id from response_items order by id").fetchall() == [
            ("new-in",),
            ("new-out",),
        ]


def test_the_background_s_course(kept: Responses) -> None:
    begin(kept, "a")
    assert kept.get(OWN, "a").body["status"] == "queued"
    assert kept.update(OWN, body("a", status="in_progress"))
    assert kept.renew(OWN, "a")
    assert not kept.get(OWN, "a").is_finished
    assert kept.update(OWN, body("a"))
    assert kept.get(OWN, "a").body == body("a")
    assert not kept.renew(OWN, "a")
    assert kept.cancel(OWN, "a").body["status"] == "completed"


def test_what_is_cancelled_stays_so(kept: Responses) -> None:
    begin(kept, "a")
    assert kept.is_wanted(OWN, "a")
    assert kept.cancel(OWN, "a").body["status"] == "cancelled"
    assert not kept.is_wanted(OWN, "a")
    assert not kept.update(OWN, body("a"))
    assert kept.get(OWN, "a").body == body("a", status="cancelled")
    add(kept, "b")
    with pytest.raises(InvalidRequest):
        kept.cancel(OWN, "b")


def test_unfinished_responses_are_active_and_their_leases_are_renewed_together(store: Store) -> None:
    kept = Responses(store, timedelta(days=1), lease_seconds=0.05)
    for name in "abcd":
        begin(kept, name)
    kept.cancel(OWN, "b")
    kept.delete(OWN, "c")
    kept.update(OWN, body("d"))
    assert kept.find_active(["a", "b", "c", "d", "unknown"]) == {"a"}
    time.sleep(0.06)
    assert kept.get(OWN, "a").body["status"] == "failed"
    kept.renew_leases(["a", "b", "c"])
    assert kept.get(OWN, "a").body["status"] == "queued"
    assert kept.get(OWN, "b").body["status"] == "cancelled"


def test_without_its_worker_it_has_failed(store: Store) -> None:
    kept = Responses(store, timedelta(days=1), lease_seconds=0.05)
    begin(kept, "a")
    time.sleep(0.06)
    found = kept.get(OWN, "a")
    assert (found.body["status"], found.body["error"], found.is_finished) == (
        "failed",
        module.LOST_ERROR,
        True,
    )
    assert kept.cancel(OWN, "a").body["status"] == "failed"
    assert kept.update(OWN, body("a"))  # it was only slow
    assert kept.get(OWN, "a").body["status"] == "completed"


# Failures


def calls(kept: Responses) -> dict[str, Callable[[], object]]:
    return {
        "add": lambda: add(kept, "b"),
        "update": lambda: kept.update(OWN, body("a")),
        "renew": lambda: kept.renew(OWN, "a"),
        "is_wanted": lambda: kept.is_wanted(OWN, "a"),
        "renew_leases": lambda: kept.renew_leases(["a"]),
        "find_active": lambda: kept.find_active(["a"]),
        "get": lambda: kept.get(OWN, "a"),
        "cancel": lambda: kept.cancel(OWN, "a"),
        "delete": lambda: kept.delete(OWN, "a"),
        "list_chain": lambda: kept.list_chain(OWN, "a"),
        "list_input_items": lambda: kept.list_input_items(OWN, "a"),
        "find_items": lambda: kept.find_items(OWN, ["a-in"]),
        "delete_expired": kept.delete_expired,
    }


def test_every_method_is_in_the_test_of_failures(kept: Responses) -> None:
    assert calls(kept).keys() == {name for name in vars(Responses) if not name.startswith("_")}


@pytest.mark.parametrize("method", calls(Responses(Store("sqlite:///unused.db"), timedelta())))
def test_a_locked_database_is_a_503(store: Store, kept: Responses, path: Path, method: str) -> None:
    begin(kept, "a")
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin immediate")
        other.execute("update responses set status = 'locked'")
        with pytest.raises(StoreError) as error:
            calls(kept)[method]()
        other.execute("rollback")
    assert (error.value.status, error.value.code) == (503, "store_unavailable")
    calls(kept)[method]()


def test_a_worker_that_is_killed_leaves_no_response_in_progress(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    cli = ScriptedCli(tmp_path)
    gateway = start_gateway(**cli.environ, WARM_PROCESSES="1")
    answer = gateway.api.post("/v1/responses", json={"input": "HANGLATER", "background": True})
    assert answer.status_code == 200, answer.text
    url = f"/v1/responses/{answer.json()['id']}"
    wait_for(lambda: gateway.api.get(url).json()["status"] == "in_progress", 30)
    (worker,) = gateway.workers
    hanging = gateway.cli_processes()
    worker.kill()
    worker.wait(10)
    for process in hanging:
        process.kill()
    gateway.reconnect()
    failed = wait_for(lambda: (body := gateway.api.get(url).json())["status"] == "failed" and body, 60)
    assert failed["error"]["code"] == "server_error"


def test_a_worker_that_stops_lets_a_response_fail(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    cli = ScriptedCli(tmp_path)
    gateway = start_gateway(**cli.environ, WARM_PROCESSES="1", GRACEFUL_TIMEOUT_SECONDS="5")
    answer = gateway.api.post("/v1/responses", json={"input": "HANGLATER", "background": True})
    url = f"/v1/responses/{answer.json()['id']}"
    wait_for(lambda: gateway.api.get(url).json()["status"] == "in_progress", 30)
    assert gateway.stop() == 0
    with closing(sqlite3.connect(Path(gateway.home.name, "gateway.db"))) as db:
        assert db.execute("select status from responses").fetchall() == [("failed",)]

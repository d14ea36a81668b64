"""The records of what agents did: outcomes, pages, owners and retention."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gateway.store import activity as activity_module
from gateway.store.activity import Activity, NewAction
from gateway.store.database import Store


@pytest.fixture
def activity(database_url: str) -> Iterator[Activity]:
    store = Store(database_url)
    store.open()
    yield Activity(store, timedelta(days=1))
    store.close()


def start(
    activity: Activity, call_id: str, project: str = "p", owner: str = "me", request: str = "r"
) -> None:
    activity.start(NewAction(project, owner, request, call_id, "Read", {"file_path": "a.txt"}))


def listed(activity: Activity, project: str = "p", owner: str | None = None, **query: str) -> list[str]:
    return [action.call_id for action in activity.list_page(project, owner, 1, 100, **query)[0]]


def test_outcome_is_added_once_to_an_action_that_has_started(activity: Activity) -> None:
    start(activity, "one")
    assert activity.finish("p", "one", "completed", "hello", 12)
    assert not activity.finish("p", "one", "failed", "late", 13)
    assert not activity.finish("other", "one", "failed", "elsewhere", 1)
    ((action,), count) = activity.list_page("p", None, 1, 10)
    assert (action.status, action.result, action.milliseconds, count) == ("completed", "hello", 12, 1)
    assert action.arguments == {"file_path": "a.txt"}


def test_actions_are_listed_by_project_owner_and_request_newest_first(activity: Activity) -> None:
    start(activity, "one")
    start(activity, "two", owner="you", request="r2")
    start(activity, "three", project="q")
    assert listed(activity) == ["two", "one"]
    assert listed(activity, owner="me") == ["one"]
    assert listed(activity, request_id="r2") == ["two"]
    assert [action.call_id for action in activity.list_page("p", None, 2, 1)[0]] == ["one"]


def test_old_and_excess_actions_are_deleted(activity: Activity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity_module, "MAX_PER_PROJECT", 2)
    for name in ("one", "two", "three", "four"):
        start(activity, name)
    start(activity, "other", project="q")
    assert activity.delete_expired() == 2
    assert listed(activity) == ["four", "three"]
    assert listed(activity, "q") == ["other"]
    activity.ttl = timedelta(seconds=-1)
    assert activity.delete_expired() == 3


def test_deleting_a_project_deletes_its_actions(activity: Activity) -> None:
    start(activity, "one")
    start(activity, "two", project="q")
    activity.delete_project("p")
    assert (listed(activity), listed(activity, "q")) == ([], ["two"])

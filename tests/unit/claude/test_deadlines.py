"""The deadlines of running turns."""

from functools import partial
from time import monotonic

import gevent

from gateway.claude.fleet.deadlines import Deadlines
from tests.support.processes import run_until


def test_actions_are_called_in_time_unless_they_were_removed() -> None:
    deadlines = Deadlines(0.1)
    called: list[tuple[str, float]] = []
    actions = [partial(lambda name: called.append((name, monotonic())), name) for name in "abc"]
    started_at = monotonic()
    deadlines.add(actions[0])
    deadlines.add(actions[1])
    gevent.sleep(0.05)
    deadlines.add(actions[2])
    deadlines.remove(actions[1])
    gevent.sleep(0.2)
    assert [name for name, _ in called] == ["a", "c"]
    assert 0.1 <= called[0][1] - started_at < 0.14
    assert 0.15 <= called[1][1] - started_at < 0.2


def test_later_actions_are_called_after_a_time_without_any() -> None:
    deadlines = Deadlines(0.02)
    called: list[str] = []
    for name in ("first", "second"):
        deadlines.add(partial(called.append, name))
        gevent.sleep(0.06)
    assert called == ["first", "second"]


def test_an_action_that_fails_or_waits_holds_up_no_other() -> None:
    deadlines = Deadlines(0.02)
    called: list[str] = []
    deadlines.add(partial(gevent.sleep, 10))
    deadlines.add(partial(called.append, "other"))
    gevent.sleep(0.06)
    assert called == ["other"]


def test_changed_time_applies_to_actions_that_were_added_before() -> None:
    deadlines = Deadlines(60)
    called: list[str] = []
    deadlines.add(partial(called.append, "before"))
    gevent.sleep(0.01)
    deadlines.change(0.05)
    deadlines.add(partial(called.append, "after"))
    run_until(lambda: called == ["before", "after"])
    deadlines.change(0.02)  # nothing waits
    deadlines.add(partial(called.append, "later"))
    run_until(lambda: called[2:] == ["later"])

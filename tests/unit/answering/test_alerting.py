"""Alerts are opened once over several workers, delivered with retries, and resolved."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest

from gateway.accounts.states import Window
from gateway.alerts.alert import Alert, Notice
from gateway.alerts.failures import DeliveryFailed
from gateway.answering.alerting.alerting import send_test
from gateway.answering.alerting.conditions import (
    Condition,
    disk_conditions,
    login_condition,
    window_alerts,
)
from gateway.answering.alerting.delivery import Deliveries
from gateway.answering.alerting.watch import AlertWatch, Watched
from gateway.answering.caller import Caller, identity_of
from gateway.answering.limits import BudgetOwner
from gateway.settings import Settings
from gateway.store.alerts import Alerts
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.teams import Teams
from gateway.turn import Usage
from tests.unit.answering.fakes import caller
from tests.unit.answering.test_limits import make_limits

LATER = timedelta(days=1)
ALERT = Alert("login", "login/host", "Not logged in", "Run it.")


class Recorder:
    """A channel that fails with these errors first."""

    def __init__(self, *failures: DeliveryFailed) -> None:
        self.failures = list(failures)
        self.sent: list[Notice] = []

    def send(self, notice: Notice) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(notice)


def deliver(store: Store, channel: Recorder, pauses: Sequence[float] = (0.0, 0.0)) -> list[dict[str, Any]]:
    """Deliver everything that is due, and return the log."""
    log = Alerts(store, LATER)
    deliveries = Deliveries(log, {"hook": channel}, pauses)
    for _ in range(4):
        for delivery in log.take_due():
            deliveries._attempt(delivery)
    return log.list_page(1, 10)[0]


def make_watch(store: Store, limits: Any, conditions: Sequence[Condition] = (), **options: Any) -> AlertWatch:
    log = Alerts(store, LATER)
    watched = Watched(dict, lambda: conditions)
    deliveries = Deliveries(log, {})
    return AlertWatch(
        Settings(),
        log,
        deliveries,
        ["hook"],
        limits=limits,
        keys=Keys(store),
        teams=Teams(store),
        watched=watched,
        **options,
    )


def titles(store: Store) -> list[str]:
    return sorted(alert["title"] for alert in Alerts(store, LATER).list_page(1, 100)[0])


def test_shares_of_a_budget_cause_one_alert_each_over_three_workers_and_a_restart(store: Store) -> None:
    key, _ = Keys(store).create("alice", limits={"usd_per_day": 10})
    for used in (7.9, 0.2, 0.5, 1.4, 3.0):  # 80 % is passed by the second, 100 % by the last answer
        limits = make_limits(store)
        workers = [make_watch(store, limits) for _ in range(3)]
        client = limits.find_client(caller(key.id, limits={"usd_per_day": 10}))
        limits.charge(client, Usage(output_tokens=1, cost_usd=used))
        for worker in workers:
            worker.note_use(client)
        gevent.joinall([gevent.spawn(worker.check) for worker in workers])
    assert titles(store) == [
        "The key alice has used 80 % of its budget per day",
        "The key alice has used up its budget per day",
    ]


def test_used_up_budget_of_a_team_names_the_team(store: Store) -> None:
    team = Teams(store).create("web", limits={"usd_per_day": 10})
    key, _ = Keys(store).create("alice", team_id=team.id)
    limits = make_limits(store)
    watch = make_watch(store, limits)
    limits.on_use = watch.note_use
    client = limits.find_client(Caller(identity_of(key), key.id, "", "", ""))
    limits.charge(client, Usage(cost_usd=10.0))
    watch.check()
    assert "The team web has used up its budget per day" in titles(store)


def test_charge_notes_the_use_only_of_clients_with_budgets(store: Store) -> None:
    limits = make_limits(store)
    noted: list[BudgetOwner] = []
    limits.on_use = noted.append
    limits.charge(limits.find_client(caller("key_1", limits={})), Usage(output_tokens=1))
    assert noted == []
    limits.charge(limits.find_client(caller("key_1", limits={"usd_per_day": 1})), Usage(cost_usd=1.0))
    assert [client.client_id for client in noted] == ["key_1"]


def test_failed_delivery_is_tried_again_and_then_arrives_once(store: Store) -> None:
    Alerts(store, LATER).open(ALERT, ["hook"])
    channel = Recorder(DeliveryFailed("HTTP 500"), DeliveryFailed("timed out"))
    (alert,) = deliver(store, channel)
    assert [notice.title for notice in channel.sent] == ["Not logged in"]
    assert [(one["state"], one["attempts"], one["error"]) for one in alert["deliveries"]] == [
        ("sent", 3, None)
    ]


@pytest.mark.parametrize(
    ("failures", "attempts"),
    [([DeliveryFailed("HTTP 404", is_final=True)], 1), ([DeliveryFailed("HTTP 500")] * 9, 3)],
)
def test_delivery_is_given_up(store: Store, failures: list[DeliveryFailed], attempts: int) -> None:
    Alerts(store, LATER).open(ALERT, ["hook"])
    (alert,) = deliver(store, Recorder(*failures))
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("failed", attempts)


def test_two_workers_never_make_the_same_attempt(store: Store) -> None:
    log = Alerts(store, LATER)
    assert log.open(ALERT, ["a", "b"])
    assert not log.open(ALERT, ["a", "b"])
    assert [delivery.channel for delivery in log.take_due()] == ["a", "b"]
    assert Alerts(store, LATER).take_due() == []


def test_lasting_state_is_resolved_when_it_was_good_for_a_while_and_can_come_back(store: Store) -> None:
    limits = make_limits(store)
    bad, good = login_condition("default", False, "Run it."), login_condition("default", True, "")
    unknown = login_condition("default", None, "")
    make_watch(store, limits, [bad]).check()
    make_watch(store, limits, [unknown], calm_seconds=0).check()
    make_watch(store, limits, [good]).check()  # not for long enough
    assert len(titles(store)) == 1
    make_watch(store, limits, [good], calm_seconds=0).check()
    make_watch(store, limits, [good], calm_seconds=0).check()
    make_watch(store, limits, [bad]).check()
    found = titles(store)
    assert [title.startswith("Resolved") for title in found] == [False, False, True]


def test_full_disk_counts_as_corrected_only_below_the_limit(tmp_path: Path) -> None:
    (empty,) = disk_conditions([tmp_path], 100, frozenset())
    assert empty.alert is None
    (full,) = disk_conditions([tmp_path], 1, frozenset())
    assert full.alert is not None
    assert "GB are left" in full.alert.text
    assert list(disk_conditions([tmp_path / "missing"], 1, frozenset())) == []


def test_window_causes_an_alert_per_share_and_reset() -> None:
    window = Window(0.97, 1_900_000_000)
    found = list(window_alerts("team", {"five_hour": window, "seven_day": Window(None, None)}, [80, 95]))
    assert [alert.title for alert in found] == [
        "The account team has used 80 % of its five hour window",
        "The account team has used 95 % of its five hour window",
    ]
    (same,) = window_alerts("team", {"five_hour": window._replace(resets_at=1_900_000_002)}, [80])
    assert same.key == found[0].key
    assert not list(window_alerts("team", {"five_hour": Window(0.97, time.time() - 1)}, [80]))  # reset since


def test_test_reports_each_channel_and_is_in_the_log(store: Store) -> None:
    log = Alerts(store, LATER)
    channels = {"slack": Recorder(), "email": Recorder(DeliveryFailed("SMTP 550", is_final=True))}
    assert send_test(log, channels) == [
        {"channel": "slack", "error": None},
        {"channel": "email", "error": "SMTP 550"},
    ]
    assert log.list_page(1, 10)[0][0]["kind"] == "test"


def test_kinds_that_are_not_wanted_cause_no_alert(store: Store) -> None:
    log = Alerts(store, LATER)
    settings = replace(Settings(), alert_kinds=("disk",))
    watched = Watched(lambda: {"a": {"five_hour": Window(1.0, 0)}}, tuple)
    limits = make_limits(store)
    watch = AlertWatch(
        settings,
        log,
        Deliveries(log, {}),
        [],
        limits=limits,
        keys=Keys(store),
        teams=Teams(store),
        watched=watched,
    )
    watch.check()
    assert log.list_page(1, 10)[1] == 0

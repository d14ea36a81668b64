"""Everything about alerts in one worker: the watch, the channels, and the test of the channels."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import gevent

from gateway.alerts.alert import Alert
from gateway.alerts.channels import Channel, build_channels
from gateway.answering.alerting.conditions import (
    HOST,
    Condition,
    cli_condition,
    data_folders,
    login_condition,
    start_condition,
)
from gateway.answering.alerting.delivery import Deliveries, try_to_send
from gateway.answering.alerting.watch import AlertWatch, Watched
from gateway.answering.limits import RequestLimits
from gateway.claude.cli.binary import TESTED, format_version
from gateway.claude.service import Claude
from gateway.settings import Settings
from gateway.store.alerts import Alerts
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.teams import Teams

ACCOUNT = "default"


@dataclass(frozen=True, slots=True)
class Alerting:
    """The log of alerts, the channels by name, and the background work of a worker."""

    log: Alerts
    channels: Mapping[str, Channel]
    watch: AlertWatch
    deliveries: Deliveries

    def open(self) -> None:
        """Start to watch and to deliver."""
        self.watch.open()
        self.deliveries.open()

    def close(self) -> None:
        """Stop, after a last look at the budgets."""
        self.watch.close()
        self.deliveries.close()


def build_alerting(
    settings: Settings,
    store: Store,
    claude: Claude,
    limits: RequestLimits,
    keys: Keys,
    on_open: Callable[[str], None],
) -> Alerting:
    """Connect the parts. `on_open` is called for each alert that this worker opens, with its kind."""
    log, channels = open_log(settings, store), build_channels(settings)
    deliveries = Deliveries(log, channels)
    watched = Watched(
        windows=lambda: {account.name: account.windows for account in claude.accounts.all()},
        conditions=lambda: _claude_conditions(claude),
        folders=data_folders(settings.database_url, settings.project_root),
    )
    watch = AlertWatch(
        settings,
        log,
        deliveries,
        channels,
        limits=limits,
        keys=keys,
        teams=Teams(store),
        watched=watched,
        on_open=on_open,
    )
    return Alerting(log, channels, watch, deliveries)


def open_log(settings: Settings, store: Store) -> Alerts:
    """Return the log of alerts in the database."""
    return Alerts(store, timedelta(days=settings.alerts_ttl_days))


def send_test(log: Alerts, channels: Mapping[str, Channel]) -> list[dict[str, str | None]]:
    """Send a test over all channels now, note it in the log, and return each channel's error, or None."""
    number = secrets.token_hex(4)
    text = f"This is a test of the alerts of the Claude Code gateway on {HOST}. Nothing is wrong."
    log.open(Alert("test", f"test/{number}", "Test of the gateway's alerts", text, {"host": HOST}), channels)
    results: list[dict[str, str | None]] = []
    due = log.take_due(key=f"test/{number}")
    attempts = [gevent.spawn(try_to_send, channels.get(one.channel), one.notice) for one in due]
    for delivery, attempt in zip(due, attempts, strict=True):
        problem = attempt.get()
        results.append({"channel": delivery.channel, "error": None if problem is None else str(problem)})
        if problem is None:
            log.record_sent(delivery)
        else:
            log.record_failure(delivery, str(problem), None)
    return results


def _claude_conditions(claude: Claude) -> Iterator[Condition]:
    status = claude.status()
    yield login_condition(ACCOUNT, status["logged_in"], claude.problem or "")
    yield start_condition(claude.start_problem)
    version = status["version"]
    is_older = version is not None and tuple(map(int, version.split("."))) < TESTED
    yield cli_condition(version, format_version(TESTED), is_older=is_older)

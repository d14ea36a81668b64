"""Watch budgets, subscriptions and the host, and open an alert when one of them needs a person.

Requests only note which clients have used something. Everything else happens in a greenlet of each worker. All workers
see the same events; the log of alerts in the database lets one of them send each alert.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gevent
from gevent.event import Event
from limits.errors import StorageError

from gateway.accounts.states import Window
from gateway.alerts.alert import Alert
from gateway.answering.alerting.conditions import Condition, budget_alerts, disk_conditions, window_alerts
from gateway.answering.alerting.delivery import Deliveries
from gateway.answering.limits import FALLBACK, TEAM, BudgetOwner, RequestLimits
from gateway.errors import KeyNotFound, StoreError
from gateway.settings import Settings
from gateway.store.alerts import Alerts
from gateway.store.keys import Keys
from gateway.store.teams import Teams

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.2  # a busy worker looks at many clients at once
CHECK_SECONDS = 5.0
SLOW_CHECK_SECONDS = 60.0  # of disks, which may be on a network
CALM_SECONDS = 120.0  # a state counts as corrected when it has been good for so long
MAX_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Watched:
    """The state to watch: the windows of each account by name, the conditions of the CLI, and folders on disks."""

    windows: Callable[[], Mapping[str, Mapping[str, Window]]]
    conditions: Callable[[], Iterable[Condition]]
    folders: Sequence[Path] = ()


class AlertWatch:
    """The watch of a worker. `on_open` is called for each alert that this worker opens, with its kind."""

    def __init__(
        self,
        settings: Settings,
        alerts: Alerts,
        deliveries: Deliveries,
        channels: Iterable[str],
        *,
        limits: RequestLimits,
        keys: Keys,
        teams: Teams,
        watched: Watched,
        on_open: Callable[[str], None] = lambda kind: None,
        calm_seconds: float = CALM_SECONDS,
    ) -> None:
        self.apply(settings)
        self._alerts, self._deliveries, self._channels = alerts, deliveries, tuple(channels)
        self._limits, self._keys, self._teams, self._watched = limits, keys, teams, watched
        self._on_open = on_open
        self._calm_seconds = calm_seconds
        self._used: dict[str, BudgetOwner] = {}
        self._has_used = Event()
        self._known: set[str] = set()  # the keys of alerts that exist, to ask the database once
        self._bad: set[str] = set()
        self._unresolved: set[str] = set()
        self._good_since: dict[str, float] = {}
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def apply(self, settings: Settings) -> None:
        """Take over changed settings. They apply from the next look on."""
        self._kinds = settings.alert_kinds
        self._budget_percents = sorted(map(int, settings.alert_budget_percents))
        self._window_percents = sorted(map(int, settings.alert_window_percents))
        self._disk_percent = settings.alert_disk_percent

    def open(self) -> None:
        """Start to watch."""
        self._limits.on_use = self.note_use
        self._greenlet = gevent.spawn(self._watch_forever)

    def close(self) -> None:
        """Look at the budgets once more, because the last answers have been charged."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._guarded(self._check_budgets)

    def note_use(self, client: BudgetOwner) -> None:
        """Note that a client has used a part of a budget, or asked for more than is left. Neither waits nor raises."""
        if "budget" in self._kinds:
            self._used[client.client_id] = client
            self._has_used.set()

    def check(self, *, slowly: bool = True) -> None:
        """Look at everything once; at the disks only with `slowly`."""
        self._guarded(self._check_budgets)
        self._guarded(self._check_windows)
        self._guarded(lambda: self._check_conditions(self._watched.conditions()))
        if slowly and self._disk_percent:
            self._guarded(self._check_disks)

    def _watch_forever(self) -> None:
        checked_at = disks_at = float("-inf")
        while True:
            now = time.monotonic()
            if now - checked_at >= CHECK_SECONDS:
                is_slow = now - disks_at >= SLOW_CHECK_SECONDS
                self.check(slowly=is_slow)
                checked_at, disks_at = now, now if is_slow else disks_at
            else:
                self._guarded(self._check_budgets)
            if self._has_used.wait(CHECK_SECONDS):
                gevent.sleep(GATHER_SECONDS)

    def _guarded(self, check: Callable[[], None]) -> None:
        """Call a check. The next round repeats one that has failed."""
        try:
            check()
        except (StoreError, StorageError):
            log.warning("alerts cannot be checked while the database fails; trying again")
        except Exception:  # a mistake in one check must not end the others
            log.exception("alerts could not be checked")

    def _check_budgets(self) -> None:
        self._has_used.clear()
        while self._used:
            client_id, client = next(iter(self._used.items()))
            states = self._limits.budget_states(client)
            alerts = budget_alerts(
                client_id, partial(self._name_of, client_id), states, self._budget_percents
            )
            self._open_all(alerts)
            if self._used.get(client_id) is client:  # otherwise it was used again, so it is looked at again
                del self._used[client_id]

    def _check_windows(self) -> None:
        for account, windows in self._watched.windows().items():
            self._open_all(window_alerts(account, windows, self._window_percents))

    def _check_disks(self) -> None:
        full = frozenset(self._bad)
        self._check_conditions(disk_conditions(self._watched.folders, self._disk_percent, full))

    def _check_conditions(self, conditions: Iterable[Condition]) -> None:
        for condition in conditions:
            if condition.alert is not None:
                self._good_since.pop(condition.key, None)
                self._bad.add(condition.key)
                self._open_all([condition.alert])
            elif condition.is_known and condition.key not in self._good_since:
                self._good_since[condition.key] = time.monotonic()
                self._bad.discard(condition.key)
                self._unresolved.add(condition.key)  # it may be open since before this worker's start
            if condition.key in self._unresolved and self._is_calm(condition.key):
                if self._alerts.resolve(condition.key, self._channels):
                    log.warning("alert resolved: %s", condition.key)
                    self._deliveries.wake()
                self._known.discard(condition.key)
                self._unresolved.discard(condition.key)

    def _is_calm(self, key: str) -> bool:
        since = self._good_since.get(key)
        return since is not None and time.monotonic() - since >= self._calm_seconds

    def _open_all(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            if alert.key in self._known or alert.kind not in self._kinds:
                continue
            is_new = self._alerts.open(alert, self._channels)
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known.add(alert.key)
            if is_new:
                log.warning("alert: %s", alert.title, extra={"kind": alert.kind, "key": alert.key})
                self._on_open(alert.kind)
                self._deliveries.wake()

    def _name_of(self, client_id: str) -> str:
        if client_id.startswith("address:"):
            return f"The address {client_id.partition(':')[2]}"
        if client_id.startswith(FALLBACK):
            return f"The fallback of the key {self._keys.get(client_id.removeprefix(FALLBACK)).name}"
        if client_id.startswith(TEAM):
            return f"The team {self._teams.find_name(client_id.removeprefix(TEAM))}"
        try:
            return f"The key {self._keys.get(client_id).name}"
        except KeyNotFound:
            return "A key of API_KEYS"

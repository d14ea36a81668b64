"""The conditions that cause alerts: shares that were reached, and states that last until they are corrected."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from gateway.accounts.states import Window
from gateway.alerts.alert import Alert
from gateway.store.backends import SQLITE
from gateway.store.limits.budgets import BudgetState

HYSTERESIS_PERCENT = 2  # a full disk counts as corrected only when it is this much below the limit
RESET_ROUNDING = 600  # seconds; reports of one window may differ by a moment
HOST = socket.gethostname()


@dataclass(frozen=True, slots=True)
class Condition:
    """A state. `alert` is None while all is well, and `is_known` is False while the state is unknown."""

    key: str
    alert: Alert | None
    is_known: bool = True


def budget_alerts(
    client: str, find_name: Callable[[], str], states: Sequence[BudgetState], percents: Sequence[int]
) -> Iterator[Alert]:
    """Yield an alert for each share of a budget that a client has reached."""
    for state in states:
        for percent in percents:
            if 100 * state.used >= percent * state.limit:
                yield _budget_alert(client, find_name(), state, percent)


def _budget_alert(client: str, name: str, state: BudgetState, percent: int) -> Alert:
    unit, _, span = state.name.partition("_per_")
    limit, used = (f"${x:,.2f}" if unit == "usd" else f"{x:,.0f} tokens" for x in (state.limit, state.used))
    share = "has used up its budget" if percent == 100 else f"has used {percent} % of its budget"
    refused = " Until then, its requests are refused." if percent == 100 else ""
    text = f"{name} has used {used} of {limit} per {span}. The budget is renewed at {_moment(state.ends_at)}."
    return Alert(
        "budget",
        f"budget/{client}/{state.name}/{state.limit:g}/{state.ends_at:.0f}/{percent}",
        f"{name} {share} per {span}",
        text + refused,
        {
            "key_id": client,
            "name": name,
            "budget": state.name,
            "percent": percent,
            "limit": state.limit,
            "used": state.used,
            "resets_at": state.ends_at,
        },
    )


def window_alerts(account: str, windows: Mapping[str, Window], percents: Sequence[int]) -> Iterator[Alert]:
    """Yield an alert for each share of a subscription's window that was reached, unless it was reset since."""
    now = time.time()
    for name, window in windows.items():
        for percent in percents:
            if 100 * window.used(now) >= percent:
                yield _window_alert(account, name, window, percent)


def _window_alert(account: str, name: str, window: Window, percent: int) -> Alert:
    words, end, used = name.replace("_", " "), window.resets_at, window.utilization or 0.0
    reset = "" if end is None else f" It resets at {_moment(end)}."
    return Alert(
        "window",
        f"window/{account}/{name}/{round((end or 0) / RESET_ROUNDING)}/{percent}",
        f"The account {account} has used {percent} % of its {words} window",
        f"{used:.0%} of the {words} window of the account {account} is used.{reset}",
        {"account": account, "window": name, "percent": percent, "utilization": used, "resets_at": end},
    )


def login_condition(account: str, is_good: bool | None, advice: str) -> Condition:
    """Return the state of an account's login."""
    key = f"login/{HOST}/{account}"
    title = f"Claude Code is not logged in (account {account}, host {HOST})"
    alert = Alert("login", key, title, f"{title}. {advice}", {"account": account, "host": HOST})
    return Condition(key, alert if is_good is False else None, is_known=is_good is not None)


def start_condition(problem: str | None) -> Condition:
    """Return the state of the starts of CLI processes."""
    key = f"starts/{HOST}"
    alert = Alert("starts", key, f"Claude Code does not start on {HOST}", problem or "", {"host": HOST})
    return Condition(key, alert if problem else None)


def disk_conditions(folders: Sequence[Path], percent: int, full: frozenset[str]) -> Iterator[Condition]:
    """Yield the state of the disk of each folder. `full` has the keys of those that were full before."""
    for folder in folders:
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            used = 100 * (1 - usage.free / usage.total)
            key = f"disk/{HOST}/{folder}"
            is_full = used >= percent - (HYSTERESIS_PERCENT if key in full else 0)
            title = f"The disk of {folder} on {HOST} is {used:.0f} % full"
            text = f"{title}: {usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB are left."
            data = {"host": HOST, "folder": str(folder), "used_percent": round(used, 1)}
            yield Condition(key, Alert("disk", key, title, text, data) if is_full else None)


def cli_condition(version: str | None, tested: str, *, is_older: bool) -> Condition:
    """Return if the CLI in use is older than the version with which this gateway was tested."""
    key = f"cli/{HOST}/{version}/{tested}"
    text = f"{HOST} runs Claude Code {version}. This gateway was tested with {tested}: update with `make install`."
    data = {"host": HOST, "version": version, "tested": tested}
    alert = Alert("cli", key, f"Claude Code {tested} is available", text, data)
    return Condition(key, alert if is_older else None, is_known=version is not None)


def data_folders(database_url: str, *others: Path) -> list[Path]:
    """Return the folders with the gateway's data, one for each disk."""
    found: dict[int, Path] = {}
    database = [Path(database_url.removeprefix(SQLITE)).parent] if database_url.startswith(SQLITE) else []
    for folder in (*database, *others):
        with suppress(OSError):
            found.setdefault(folder.stat().st_dev, folder.resolve())
    return list(found.values())


def find_disk_use(folders: Sequence[Path]) -> float:
    """Return the used fraction of the fullest disk; 0 without folders."""
    found = [0.0]
    for folder in folders:
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            found.append(1 - usage.free / usage.total)
    return max(found)


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC"

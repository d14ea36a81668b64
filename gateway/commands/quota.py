"""`claude-gateway quota`: show the rest of the accounts' windows and of the keys' budgets, for example `quota`."""

import time
from datetime import datetime
from typing import Any

import click

from gateway.accounts.states import load_states
from gateway.answering.caller import identity_of
from gateway.answering.fallbacks import find_owner
from gateway.answering.limit_storage import build_limits
from gateway.answering.quota import describe_account
from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_table, format_time
from gateway.settings import Settings, load
from gateway.store.account_facts import AccountFacts
from gateway.store.database import Store
from gateway.store.keys import Keys

ACCOUNTS = ("ACCOUNT", "KIND", "STATE", "WINDOW", "USED", "RESETS", "REPORTED")
BUDGETS = ("KEY", "NAME", "BUDGET", "USED", "LIMIT", "LEFT", "RENEWED")


@click.command("quota")
@click.option("--key", "key_id", metavar="ID", help="Show the budgets of this key only.")
def command(key_id: str | None) -> None:
    """Show the rest of the accounts' windows, as last reported, and of the keys' budgets. Times are in UTC."""
    settings = load()
    with open_store() as store:
        accounts, budgets = _list_windows(settings, store), _list_budgets(settings, store, key_id)
    click.echo(format_table([ACCOUNTS, *accounts]))
    click.echo()
    click.echo(format_table([BUDGETS, *budgets]) if budgets else "No key has a budget.")


def _list_windows(settings: Settings, store: Store) -> list[tuple[str, ...]]:
    states, rows = load_states(settings), []
    states.merge(AccountFacts(store).load())
    for account in states.all():
        found = describe_account(account, time.time())
        names = (account.name, account.kind, account.state.replace("_", " "))
        rows += [(*names, *_format_window(window)) for window in found["windows"]] or [(*names, *"-" * 4)]
    return rows


def _format_window(window: dict[str, Any]) -> tuple[str, ...]:
    used = window["utilization"]
    resets_at: datetime | None = window["resets_at"]
    return (
        window["name"].replace("_", " "),
        "-" if used is None else f"{used:.0%}",
        format_time(resets_at) if resets_at else "-",
        format_time(window["heard_at"]),
    )


def _list_budgets(settings: Settings, store: Store, key_id: str | None) -> list[tuple[str, ...]]:
    limits, keys = build_limits(settings, store), Keys(store)
    found = [keys.get(key_id)] if key_id else [key for key in keys.list() if key.state == "active"]
    rows = []
    for key in found:
        identity = identity_of(key)
        own, fallback = limits.list_budgets(identity), limits.list_owner_budgets(find_owner(identity))
        rows += [(key.id, key.name, *_format_budget(budget)) for budget in own]
        rows += [(key.id, key.name, *_format_budget(budget, "fallback: ")) for budget in fallback]
    return rows


def _format_budget(budget: dict[str, Any], prefix: str = "") -> tuple[str, ...]:
    name: str = budget["name"]
    figures = [budget["used"], budget["limit"], budget["remaining"]]
    amounts = [f"${amount:,.2f}" if name.startswith("usd") else f"{amount:,.0f}" for amount in figures]
    return f"{prefix}{name.replace('_', ' ')}", *amounts, format_time(budget["resets_at"])

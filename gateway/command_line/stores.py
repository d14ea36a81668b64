"""Open the gateway's database for a command."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from gateway.answering.live_settings import LiveSettings
from gateway.settings import Settings, SettingsError, load_valid
from gateway.store.backends import SQLITE
from gateway.store.database import Store
from gateway.store.runtime_settings import RuntimeSettings


@contextlib.contextmanager
def open_store() -> Iterator[Store]:
    """Open the database of the settings, and close it at the end."""
    store = Store(load_database_url())
    store.open()
    try:
        yield store
    finally:
        store.close()


def load_database_url() -> str:
    """Return the setting. A mistake in another one must not keep a key from being revoked."""
    settings, problem = load_valid()
    if "DATABASE_URL=" in problem:
        raise SettingsError(problem)
    if problem:
        click.echo(f"Warning: {problem}", err=True)
    return settings.database_url


def read_changes(settings: Settings, store: Store) -> LiveSettings:
    """Return the settings with the changes that were made at run time. Raises StoreError."""
    live = LiveSettings(settings, RuntimeSettings(store))
    live.refresh()
    return live


def find_changes(settings: Settings) -> LiveSettings:
    """Return the same as `read_changes`, of the database of the settings. It is not created. Raises StoreError."""
    with open_existing(settings.database_url) as store:
        if store is None:
            return LiveSettings(settings, RuntimeSettings(Store(settings.database_url)))
        return read_changes(settings, store)


@contextlib.contextmanager
def open_existing(url: str) -> Iterator[Store | None]:
    """Open a database. Yield None if it does not exist: opening would create it, perhaps as the wrong user."""
    if any(not path.exists() for path in list_sqlite_files(url)):
        yield None
        return
    store = Store(url)
    store.open()
    try:
        yield store
    finally:
        store.close()


def list_sqlite_files(url: str) -> list[Path]:
    """Return the file of a DATABASE_URL; nothing for PostgreSQL."""
    return [Path(url.removeprefix(SQLITE))] if url.startswith(SQLITE) else []

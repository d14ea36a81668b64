"""Open the gateway's database for a command."""

import contextlib
from collections.abc import Iterator

import click

from gateway.settings import SettingsError, load_valid
from gateway.store.database import Store


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

"""Choose how to copy the database of the settings, and find out whether a gateway uses it."""

from pathlib import Path
from typing import Protocol

from gateway.command_line.backups.postgres import PostgresDatabase
from gateway.command_line.backups.sqlite import SqliteDatabase
from gateway.command_line.client import Client, NoAnswer, Refused
from gateway.settings import Settings
from gateway.store.backends import POSTGRES, parse_sqlite_path
from gateway.store.database import MIGRATIONS

PATIENCE_SECONDS = 5


class Database(Protocol):
    """A database that can be copied and replaced. `name` is the name of a copy in a backup."""

    @property
    def name(self) -> str:
        """The name of a copy in a backup."""

    def save(self, target: Path) -> list[str]:
        """Write a copy, and return the names of its migrations. Raise BackupError."""

    def describe_users(self) -> str | None:
        """Return the programs that use the database in words, or None."""

    def replace(self, source: Path, suffix: str) -> str | None:
        """Put a copy in place. Return the place of the former data, or None. Raise BackupError."""


def find_database(url: str) -> Database:
    """Return the database of a DATABASE_URL."""
    return PostgresDatabase(url) if url.startswith(POSTGRES) else SqliteDatabase(parse_sqlite_path(url))


def list_known_migrations() -> list[str]:
    """Return the names of the migrations of this code."""
    return sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def describe_running_gateway(settings: Settings, database: Database) -> str | None:
    """Return the gateway or program that uses the database in words; None if it can be replaced."""
    client = Client(settings, timeout=PATIENCE_SECONDS)
    try:
        client.get("/health")
    except NoAnswer:
        return database.describe_users()
    except (Refused, ValueError):
        pass
    return f"the server at {client.url}"

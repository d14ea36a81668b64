"""`claude-gateway restore FILE`: put a backup in the place of the present data, which is kept beside it."""

import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import click

from gateway.command_line.backups.archive import PROJECTS, BackupError, Manifest, open_archive
from gateway.command_line.backups.databases import (
    Database,
    describe_running_gateway,
    find_database,
    list_known_migrations,
)
from gateway.command_line.backups.sqlite import NAME as SQLITE_NAME
from gateway.command_line.backups.sqlite import list_migrations
from gateway.command_line.checks.findings import find_existing
from gateway.command_line.paths import UserPath
from gateway.command_line.server import START
from gateway.settings import Settings, load
from gateway.store.database import Store


@click.command("restore")
@click.argument("file", type=UserPath())
def command(file: Path) -> None:
    """Put the backup in FILE in the place of the present data. The gateway must be stopped.

    The present data is kept under another name. Data of an older version is brought up to date.
    """
    settings = load()
    database = find_database(settings.database_url)
    try:
        with open_archive(file) as archive:
            _check(archive.manifest, settings, database)
            near = find_existing(settings.project_root.absolute().parent)
            with tempfile.TemporaryDirectory(prefix=".gateway-restore-", dir=near) as temporary:
                archive.extract_to(Path(temporary))
                former = _replace(archive.manifest, settings, database, Path(temporary))
    except (BackupError, OSError) as error:
        raise click.ClickException(str(error)) from error
    store = Store(settings.database_url)
    store.open()  # brings older data up to date
    store.close()
    click.echo(f"Restored the backup of {archive.manifest.created_at}, made by {archive.manifest.gateway}.")
    for place in former:
        click.echo(f"The former data is kept as {place}")
    click.echo(f"Start the gateway: {START}")


def _check(manifest: Manifest, settings: Settings, database: Database) -> None:
    """Raise BackupError unless the backup can take the place of the present data now."""
    manifest.check_readable(list_known_migrations())
    if manifest.database != database.name:
        raise BackupError(
            f"The backup has {manifest.database}, but DATABASE_URL needs {database.name}: a backup of SQLite cannot be "
            "restored into PostgreSQL, nor the other way round."
        )
    if user := describe_running_gateway(settings, database):
        raise BackupError(f"The database is in use by {user}. Stop the gateway on all machines first.")


def _replace(manifest: Manifest, settings: Settings, database: Database, folder: Path) -> list[str]:
    """Put the extracted files in place. Return the places of the former data."""
    copy = folder / manifest.database
    if manifest.database == SQLITE_NAME:
        list_migrations(copy)  # raises BackupError for a damaged copy, before anything is moved
    suffix = f".before-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
    former = [database.replace(copy, suffix)]
    if manifest.has_projects:
        try:
            former.append(_replace_projects(settings.project_root, folder / PROJECTS, suffix))
        except OSError as error:
            kept = f" The former database is kept as {former[0]}." if former[0] else ""
            raise BackupError(f"The projects' files could not be restored: {error}.{kept}") from error
    return [place for place in former if place]


def _replace_projects(root: Path, source: Path, suffix: str) -> str | None:
    root.parent.mkdir(parents=True, exist_ok=True)
    former = root.with_name(root.name + suffix)
    existed = root.exists()
    if existed:
        root.rename(former)
    source.mkdir(mode=0o700, exist_ok=True)  # a backup without any project has no such folder
    shutil.move(source, root)
    return str(former) if existed else None

"""`claude-gateway backup FILE`: write the database and the projects' files to one file."""

import tempfile
from pathlib import Path

import click

from gateway.command_line.backups.archive import BackupError, describe_now, write_archive
from gateway.command_line.backups.databases import find_database
from gateway.command_line.paths import UserPath
from gateway.home import COMMAND
from gateway.settings import load


@click.command("backup")
@click.argument("file", type=UserPath())
@click.option("--projects/--no-projects", default=True, help="Add the files of projects.")
def command(file: Path, projects: bool) -> None:
    """Write the database and the projects' files to FILE, also while the gateway runs.

    Settings and the login of the CLI are not in it.
    """
    settings = load()
    if file.exists():
        raise click.ClickException(f"{file} already exists. Choose a new name.")
    database = find_database(settings.database_url)
    folder = settings.project_root if projects and settings.project_root.is_dir() else None
    try:
        with tempfile.TemporaryDirectory(prefix=".gateway-backup-", dir=file.parent) as temporary:
            copy = Path(temporary, database.name)
            migrations = database.save(copy)
            manifest = describe_now(database.name, migrations, has_projects=folder is not None)
            write_archive(file, manifest, copy, folder)
    except (BackupError, OSError) as error:
        raise click.ClickException(str(error)) from error
    parts = "the database and the projects' files" if folder else "the database"
    click.echo(f"{file}: {parts}, {file.stat().st_size / 1e6:.1f} MB")
    click.echo(f"To restore it, also on another machine: {COMMAND} restore {file.name}")
    click.echo("Keep your settings, and the CLI's login if you need it, yourself: they are not in it.")

"""`claude-gateway install-cli`: install the tested Claude Code CLI unless there is a usable one."""

import click

from gateway.claude.cli.binary import TESTED, format_version
from gateway.command_line.get_claude import EXECUTABLE, InstallFailed, get_cli
from gateway.home import find_home


@click.command("install-cli")
def command() -> None:
    """Install the tested Claude Code CLI unless there is a usable one, and print its path."""
    try:
        found = get_cli(find_home() / ".claude-cli" / EXECUTABLE)
    except InstallFailed as error:
        raise click.ClickException(str(error)) from error
    click.echo(found.path)
    if found.version != TESTED:
        click.echo(f"This is {found.version_text}. {format_version(TESTED)} was tested.", err=True)

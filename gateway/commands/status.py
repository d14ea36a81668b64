"""`claude-gateway status`: see the help text."""

from pathlib import Path

import click

from gateway.command_line.server import LOG_FILE, PID_FILE, load_server
from gateway.command_line.server_options import add_server_options, or_default


@click.command("status")
@add_server_options
def command(pid_file: Path | None, log: Path | None) -> None:
    """Show the state of the gateway in the background, and the end of its log."""
    load_server(or_default(pid_file, PID_FILE), or_default(log, LOG_FILE), must_be_valid=False).status()

"""The options of the commands that manage the gateway in the background."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.command_line.paths import UserPath
from gateway.command_line.server import LOG_FILE, PID_FILE


def add_server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for the pid file and the log. Their defaults are in the gateway's folder."""
    command = click.option("--log", type=UserPath(), default=None, help=f"Log file.  [default: {LOG_FILE}]")(
        command
    )
    help_text = f"File with the process id.  [default: {PID_FILE}]"
    return click.option("--pid-file", type=UserPath(), default=None, help=help_text)(command)


def or_default(path: Path | None, default: Path) -> Path:
    """Return the path of an option, or the default in the gateway's folder."""
    return default if path is None else path

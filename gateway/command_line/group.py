"""The command line: `claude-gateway COMMAND`. Each module of `gateway.commands` is one command.

A module registers its command by existing: `gateway/commands/usage.py` has a click command named `command`, and becomes
`claude-gateway usage`. Modules are imported when they are needed, so that each command starts fast.
"""

import pkgutil
from importlib import import_module, resources
from typing import Any

import click

from gateway.errors import GatewayError, KeyNotFound
from gateway.home import COMMAND
from gateway.settings import SettingsError
from gateway.version import VERSION

PACKAGE = "gateway.commands"


class Commands(click.Group):
    """All commands. They report expected errors in one line, without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        folder = str(resources.files(PACKAGE))
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules([folder]))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command; None if there is no such command."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{PACKAGE}.{name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyNotFound as error:
            raise click.ClickException(f"{error.message} See: {COMMAND} keys list") from error
        except GatewayError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise click.ClickException(error.message + cause) from error
        except SettingsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands)
@click.version_option(VERSION, message="%(version)s")
def main() -> None:
    """Run the gateway, manage clients' keys, show their usage, and set clients up. The gateway's settings apply."""

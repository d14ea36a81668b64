"""`claude-gateway login`: log the gateway's CLI in. `login --console` is for an account that pays per token."""

import os

import click

from gateway.claude.cli.binary import find_binary
from gateway.claude.cli.login_command import login_command, login_environment
from gateway.settings import SettingsError, load_valid


@click.command("login", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run `claude auth login` with the CLI and the configuration folder that the gateway uses.

    All ARGUMENTS go to the CLI.
    """
    settings, problem = load_valid()
    if "CLAUDE_BINARY_PATH=" in problem:
        raise SettingsError(problem)
    program = find_binary(settings.claude_binary_path).path
    os.execve(program, [*login_command(program), *arguments], login_environment(settings.environ))

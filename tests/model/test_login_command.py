"""The command that messages about a missing login name exists in the CLI. Its source is `claude auth --help`."""

import subprocess

from gateway.claude.cli.binary import find_binary
from gateway.claude.cli.login_command import login_command


def test_cli_has_the_command_that_logs_it_in() -> None:
    program = find_binary(None).path
    done = subprocess.run([*login_command(program), "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "Sign in to your Anthropic account" in done.stdout

#!/usr/bin/env python3
"""Log the gateway's CLI in: run `claude auth login` with the CLI and the configuration folder that the gateway uses.

Further arguments go to the CLI, for example `make login ARGS=--console` for an account that pays per token.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.claude.cli.binary import find_binary
from gateway.claude.cli.login_command import login_command, login_environment
from gateway.errors import ClaudeUnavailable
from gateway.settings import load_valid


def main() -> None:
    """Replace this process with the CLI."""
    settings, problem = load_valid()
    if "CLAUDE_BINARY_PATH=" in problem:
        sys.exit(problem)
    try:
        program = find_binary(settings.claude_binary_path).path
    except ClaudeUnavailable as error:
        sys.exit(error.message)
    os.execve(program, [*login_command(program), *sys.argv[1:]], login_environment(settings.environ))


if __name__ == "__main__":
    main()

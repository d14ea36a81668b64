"""Find the folder of this gateway: `.env`, `data/` and its own copy of the CLI are in it.

In a clone it is the clone. For an installed package it is `~/.local/share/claude-gateway`. CLAUDE_GATEWAY_HOME names
another one. Relative paths in settings start there.

>>> find_home({"CLAUDE_GATEWAY_HOME": "/srv/gateway"})
PosixPath('/srv/gateway')
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
IS_CLONE = (PROJECT / "pyproject.toml").exists()  # otherwise PROJECT is the folder of all installed packages
#: The command line as the user of this installation types it.
COMMAND = "./claude-gateway" if IS_CLONE else "claude-gateway"
#: The command that installs the CLI.
INSTALL_CLI = "make install" if IS_CLONE else f"{COMMAND} install-cli"
NAME = "claude-gateway"


def find_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of this gateway. It may not exist yet."""
    named = environ.get("CLAUDE_GATEWAY_HOME")
    if named:
        return Path(named).expanduser()
    if IS_CLONE:
        return PROJECT
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", NAME)


def enter_home() -> Path:
    """Create the folder if necessary, make it the working folder, and return it. Exits with a message if it cannot."""
    home = find_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        os.chdir(home)
    except OSError as error:
        sys.exit(f"The gateway's folder cannot be used: {error}. Set CLAUDE_GATEWAY_HOME to another one.")
    return home

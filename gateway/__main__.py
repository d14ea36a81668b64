"""Entry point of `claude-gateway`, and of `python -m gateway`."""

import os
from pathlib import Path

from gateway.command_line.group import main
from gateway.home import COMMAND, enter_home


def run() -> None:
    """Run the command line in the gateway's folder."""
    os.umask(0o077)  # a database that a command creates is private to its user
    started_in = Path.cwd()
    enter_home()
    main(prog_name=COMMAND, obj=started_in)


if __name__ == "__main__":
    run()

"""Entry point of `python -m gateway`."""

import os

from gateway.commands import main

os.umask(0o077)  # a database that a command creates is private to its user
main(prog_name="python -m gateway")

"""`python -m gateway`."""

import os

from gateway.commands import main

os.umask(0o077)  # a database that is made here is for its user alone
main(prog_name="python -m gateway")

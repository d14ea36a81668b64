"""`python -m gateway`."""

from gateway.commands import main

main(prog_name="python -m gateway")

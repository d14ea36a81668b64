"""Cline's program for the terminal. The extensions for editors share its agent."""

from gateway.client_recipes.cline import CLINE
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

CLIENTS = [
    Client(
        recipe=CLINE,
        version=npm_version("cline", "cline"),
        program=lambda: npm_program("cline", "cline"),
        ask=("{prompt}",),
        image=("{prompt} @{image}",),
        # Otherwise it leaves a daemon behind that serves the sessions of all terminals.
        environ={"CLINE_SESSION_BACKEND_MODE": "local"},
        exceptions={
            "resume": "With `--id`, Cline takes no prompt from its command line and asks for a terminal."
        },
    )
]

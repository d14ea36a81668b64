"""Cline's program for the terminal. The extensions for editors share its agent."""

import json

from gateway.client_recipes.cline import CLINE
from tests.clients.client import Client, Desk
from tests.clients.installs import npm_program, npm_version


def latest_session(desk: Desk) -> str:
    """Return the id of the latest session."""
    sessions = json.loads(desk.run(("history", "--json")).out)
    return str(sessions[0]["sessionId"])


CLIENTS = [
    Client(
        recipe=CLINE,
        version=npm_version("cline", "cline"),
        program=lambda: npm_program("cline", "cline"),
        ask=("{prompt}",),
        resume=("--json", "--id", "{session}", "{prompt}"),
        image=("{prompt} @{image}",),
        session=latest_session,
        # Otherwise it leaves a daemon behind that serves the sessions of all terminals.
        environ={"CLINE_SESSION_BACKEND_MODE": "local"},
    )
]

"""The lines that a gateway prints when it is ready: addresses, who may use it, and missing parts.

On a terminal they are for people. Elsewhere they are one record of the log:

    {"event": "ready", "address": "http://localhost:8000/v1", "access": "…", "missing": null, …}
"""

import logging
import sys
import time
from collections.abc import Collection
from typing import Protocol

import gevent

from gateway.command_line.client import url_of
from gateway.exposure import describe_exposure
from gateway.home import COMMAND
from gateway.observe.logs import is_for_people
from gateway.settings import Settings
from gateway.version import VERSION

log = logging.getLogger(__name__)

STARTING = "The gateway is starting"
PATIENCE_SECONDS = 60.0


class Status(Protocol):
    """The part of the CLI's facade that the welcome reads."""

    @property
    def problem(self) -> str | None:
        """The reason why no turn can be answered; None if all is well."""


def announce(settings: Settings, status: Status, changed: Collection[str] = ()) -> None:
    """Wait until the CLI is ready or cannot be, and say where the gateway is, and which settings were `changed`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (status.problem or "").startswith(STARTING) and time.monotonic() < deadline:
        gevent.sleep(0.1)
    facts = describe_gateway(settings, status.problem, changed)
    if is_for_people(settings.log_format):
        sys.stderr.write(format_welcome(facts))
        sys.stderr.flush()
    else:
        log.info("ready", extra=facts)


def describe_gateway(
    settings: Settings, problem: str | None, changed: Collection[str] = ()
) -> dict[str, str | None]:
    """Return the facts in the order in which they are shown."""
    url = url_of(settings).replace("//127.0.0.1:", "//localhost:")
    return {
        "address": f"{url}/v1",
        "dashboard": f"{url}/dashboard" if settings.dashboard else None,
        "docs": f"{url}/docs",
        "access": describe_access(settings),
        "changed": f"at run time: {', '.join(sorted(changed))}. See: {COMMAND} settings list"
        if changed
        else None,
        "missing": problem,
    }


def describe_access(settings: Settings) -> str:
    """Say who may use this gateway."""
    if settings.require_auth:
        return f"clients with a key. Create one: {COMMAND} keys create NAME"
    exposed = describe_exposure(settings)
    if exposed:
        return f"WARNING: {' '.join(exposed)} Set REQUIRE_AUTH=true."
    return "every program on this machine, without a key"


def format_welcome(facts: dict[str, str | None]) -> str:
    """Return the lines for people.

    >>> print(format_welcome({"address": "http://localhost:8000/v1", "missing": None}), end="")  # doctest: +ELLIPSIS
    <BLANKLINE>
      Claude Code gateway ...
    <BLANKLINE>
      Address    http://localhost:8000/v1
      Missing    nothing
    <BLANKLINE>
    """
    known = {**facts, "missing": facts["missing"] or "nothing"}
    lines = [f"  {name.capitalize():10} {value}" for name, value in known.items() if value]
    return "\n".join(["", f"  Claude Code gateway {VERSION}", "", *lines, "", ""])

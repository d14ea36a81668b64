"""Checks of the gateway's own parts: the port, the Claude Code CLI and its login."""

import os
from collections.abc import Iterator
from typing import Any

from gateway.accounts.states import load_states
from gateway.claude.cli.binary import TESTED, find_binary, format_version
from gateway.command_line.checks.findings import NOTE, OK, WRONG, Finding
from gateway.command_line.client import Client, NoAnswer, Refused
from gateway.command_line.ports import describe_listeners, find_listeners
from gateway.command_line.server import RESTART, START
from gateway.errors import ClaudeUnavailable
from gateway.settings import Settings, SettingsError
from gateway.version import VERSION

PATIENCE_SECONDS = 10


def check_port(settings: Settings) -> Iterator[Finding]:
    """Check that the gateway, and no other program, has the port."""
    client = Client(settings, timeout=PATIENCE_SECONDS)
    health = _read_health(client)
    if health is not None:
        yield OK, f"the gateway {health['version']} answers at {client.url}"
        if health["version"] != VERSION:
            yield NOTE, f"it has not loaded the code that is installed, {VERSION}: {RESTART}"
    elif os.environ.get("BASE_URL"):
        yield WRONG, f"no gateway answers at {client.url}: check the address, and the proxy in front of it"
    elif find_listeners(settings.port):
        holder = describe_listeners(settings.port)
        yield (
            WRONG,
            f"port {settings.port} is in use by {holder}, which is not the gateway: set another PORT",
        )
    else:
        yield NOTE, f"no gateway is running, and port {settings.port} is free: {START}"


def check_claude(settings: Settings) -> Iterator[Finding]:
    """Check that the CLI is installed, and that its version was tested."""
    try:
        found = find_binary(settings.claude_binary_path)
    except ClaudeUnavailable as error:
        yield WRONG, error.message
        return
    tested = "" if found.version == TESTED else f" (tested: {format_version(TESTED)})"
    yield (NOTE if tested else OK), f"Claude Code {found.version_text} at {found.path}{tested}"


def check_login(settings: Settings) -> Iterator[Finding]:
    """Check that the running gateway finds the CLI logged in."""
    try:
        Client(settings, timeout=PATIENCE_SECONDS).get("/health")
    except NoAnswer:
        yield (
            NOTE,
            f"the login was not checked because the gateway is not running: {START}, then check again",
        )
    except Refused as error:
        yield WRONG, f"the running gateway is unhealthy: {error}"
    else:
        yield OK, "the running gateway is healthy and logged in"


def check_accounts(settings: Settings) -> Iterator[Finding]:
    """Check that the list of accounts has no mistake, and that the running gateway has applied it."""
    try:
        states = load_states(settings)
    except SettingsError as error:
        yield WRONG, f"a running gateway keeps its old list: {error}"
        return
    if not states.is_listed:
        return
    health = _read_health(Client(settings, timeout=PATIENCE_SECONDS))
    applied = [one["name"] for one in health["claude"]["accounts"]] if health is not None else None
    if applied in (None, [*states.accounts]):
        yield OK, f"the list has {len(states.accounts)}: {', '.join(states.accounts)}"
    else:
        yield (
            WRONG,
            f"the running gateway has other accounts than {settings.accounts_path}: look into its log, or {RESTART}",
        )


def _read_health(client: Client) -> dict[str, Any] | None:
    """Return the answer of a gateway, healthy or not; None if another program or none answers."""
    try:
        found = client.get("/health")
    except Refused as error:
        found = error.body
    except (NoAnswer, ValueError):
        return None
    return found if isinstance(found, dict) and "claude" in found and "version" in found else None

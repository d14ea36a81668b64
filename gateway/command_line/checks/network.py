"""Checks of an installation before it goes on the network: who could use it, and for which purposes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.answering.unknown_settings import find_unknown_settings
from gateway.claude.cli.sandbox import find_problem
from gateway.command_line.checks.findings import (
    NOTE,
    OK,
    WRONG,
    Finding,
    find_existing,
    list_data_folders,
)
from gateway.command_line.stores import list_sqlite_files, open_existing
from gateway.exposure import ANY, describe_exposure, is_loopback
from gateway.home import COMMAND
from gateway.settings import Settings
from gateway.store.keys import Keys

MIN_KEY_LENGTH = 24
BUDGETS = ("tokens_per_day", "tokens_per_month", "usd_per_day", "usd_per_month")
TOOLS_BEYOND_FOLDER = ("Bash", "WebFetch", "WebSearch")


def check_auth(settings: Settings) -> Iterator[Finding]:
    """Check that strangers cannot use the gateway."""
    if settings.require_auth:
        yield OK, "every client needs a key"
    else:
        yield (
            NOTE,
            "no key is required, so every user of this machine can use the gateway: set REQUIRE_AUTH=true",
        )
    for sentence in find_unknown_settings(settings):
        yield NOTE, sentence
    for sentence in describe_exposure(settings):
        yield WRONG, f"no key is required. {sentence} Set REQUIRE_AUTH=true"
    if not is_loopback(settings.host):
        yield NOTE, f"HOST={settings.host}: behind nginx on this machine, HOST=127.0.0.1 is enough"
    if settings.require_auth and (ANY in settings.allowed_origins or not settings.allowed_origins):
        yield NOTE, "web pages of any origin may call the gateway with a key: set ALLOWED_ORIGINS to yours"
    if settings.metrics and not settings.require_auth:
        yield (
            NOTE,
            "GET /metrics is open to every client that can reach the port: set REQUIRE_AUTH=true or METRICS=false",
        )
    if settings.debug:
        yield WRONG, "DEBUG=true logs too much: remove it"
    if settings.log_content:
        yield WRONG, "LOG_CONTENT=true writes all conversations to the log: remove it"


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Check that there are keys, and that they are long enough."""
    if any(len(key) < MIN_KEY_LENGTH for key in settings.api_keys):
        yield (
            WRONG,
            f"a key in API_KEYS has fewer than {MIN_KEY_LENGTH} characters: use 24 random characters or more",
        )
    stored = _count_stored_keys(settings.database_url)
    count = len(settings.api_keys) + stored
    if not count and settings.require_auth:
        yield WRONG, f"there is no key, so the gateway does not start: {COMMAND} keys create NAME"
    elif count:
        yield OK, f"{len(settings.api_keys)} keys in API_KEYS, {stored} in the database"


def check_usage(settings: Settings) -> Iterator[Finding]:
    """Check that one client cannot use up the capacity of all."""
    requests = settings.rate_limit_requests_per_minute
    if requests:
        yield OK, f"{requests} requests per minute and client, plus a burst of {settings.rate_limit_burst}"
    else:
        yield (
            NOTE,
            "clients have no request limit: set RATE_LIMIT_REQUESTS_PER_MINUTE",
        )
    if not any(getattr(settings, f"rate_limit_{name}") for name in BUDGETS):
        yield (
            NOTE,
            "keys have no budget by default: set RATE_LIMIT_USD_PER_DAY or RATE_LIMIT_USD_PER_MONTH",
        )
    if settings.require_auth and not settings.rate_limit_failed_auth_per_minute:
        yield WRONG, "the number of guessed keys is not limited: set RATE_LIMIT_FAILED_AUTH_PER_MINUTE=60"
    if settings.trusted_proxies and not is_loopback(settings.host):
        yield (
            NOTE,
            f"TRUSTED_PROXIES={settings.trusted_proxies}: a client that reaches port {settings.port} directly"
            " can forge its address; open the port to the proxies only",
        )


def check_agents(settings: Settings) -> Iterator[Finding]:
    """Check what clients can make Claude Code do on this machine."""
    if not settings.allow_agent_projects:
        yield OK, "clients cannot use Claude Code's own tools"
        return
    if "Bash" in settings.agent_tools:
        yield _check_sandbox(settings)
    reaching = [tool for tool in settings.agent_tools if tool in TOOLS_BEYOND_FOLDER]
    if reaching:
        yield (
            NOTE,
            f"AGENT_TOOLS contains {', '.join(reaching)}: only for clients that you trust (docs/projects.md)",
        )
    if settings.require_auth:
        yield NOTE, "every key can use Claude Code's tools on files here (ALLOW_AGENT_PROJECTS=true)"
    else:
        yield (
            WRONG,
            "every client can use Claude Code's tools on files here: set REQUIRE_AUTH=true",
        )


def _check_sandbox(settings: Settings) -> Finding:
    if settings.agent_sandbox == "off":
        return WRONG, "agents' commands run as the gateway's user: remove AGENT_SANDBOX=off"
    problem = find_problem()
    if problem is None:
        domains = ", ".join(settings.agent_sandbox_domains) or "no network"
        return OK, f"agents' commands run in a sandbox (domains they reach: {domains})"
    if settings.agent_sandbox == "required":
        return WRONG, f"agents' commands are refused because this host has no sandbox: {problem}"
    return (
        WRONG,
        f"agents' commands run as the gateway's user because this host has no sandbox: {problem}. Install bubblewrap "
        "and socat, or set AGENT_SANDBOX=required",
    )


def check_permissions(settings: Settings) -> Iterator[Finding]:
    """Check that only the gateway's user can read secrets, and that it is not root."""
    if os.geteuid() == 0:
        yield (
            NOTE,
            "this check runs as root: give the gateway a user of its own (deploy/claude-gateway.service)",
        )
    secret = [Path(os.environ.get("CLAUDE_CODE_API_ENV_FILE") or ".env")]
    secret += list_sqlite_files(settings.database_url)
    for path in filter(Path.exists, secret):
        is_open = path.stat().st_mode & stat.S_IRWXO
        yield (
            (WRONG, f"other users can read {path}: chmod o= {path}")
            if is_open
            else (OK, f"{path} is private")
        )
    for folder in list_data_folders(settings):
        if not os.access(find_existing(folder), os.W_OK):
            yield WRONG, f"{folder} cannot be written to"


def _count_stored_keys(url: str) -> int:
    with open_existing(url) as store:
        return sum(key.state == "active" for key in Keys(store).list()) if store else 0

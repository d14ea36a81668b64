#!/usr/bin/env python3
"""Check this installation before it goes on the network, and print what to change, for `make deploy-check`.

The checks read the settings and files, ask the running gateway for its health, and read nginx's configuration if
possible. They start no chat. The exit code is 1 if something has to be changed.
"""

import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.answering.unknown_settings import find_unknown_settings  # noqa: E402
from gateway.claude.cli.binary import TESTED, find_binary, format_version  # noqa: E402  the project is not installed
from gateway.claude.cli.sandbox import find_problem  # noqa: E402
from gateway.command_line.client import Client, NoAnswer, Refused  # noqa: E402
from gateway.errors import ClaudeUnavailable, GatewayError  # noqa: E402
from gateway.exposure import ANY, describe_exposure, is_loopback  # noqa: E402
from gateway.memory import PROCESS_BYTES, WORKER_BYTES, find_total, usable_bytes  # noqa: E402
from gateway.settings import Settings, SettingsError, load  # noqa: E402
from gateway.store.database import Store  # noqa: E402
from gateway.store.keys import Keys  # noqa: E402

MIN_KEY_LENGTH = 24
MIN_FREE_BYTES = 1 << 30
DESCRIPTORS_PER_TURN = 4
SPARE_DESCRIPTORS = 256
BUDGETS = ("tokens_per_day", "tokens_per_month", "usd_per_day", "usd_per_month")
TOOLS_BEYOND_FOLDER = ("Bash", "WebFetch", "WebSearch")

OK, NOTE, WRONG = "ok", "note", "WRONG"
Finding = tuple[str, str]


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
            f"a key in API_KEYS has fewer than {MIN_KEY_LENGTH} characters: scripts/generate_api_keys.py --env",
        )
    stored = _count_stored_keys(settings.database_url)
    count = len(settings.api_keys) + stored
    if not count and settings.require_auth:
        yield WRONG, "there is no key, so the gateway does not start: claude-gateway keys create NAME"
    elif count:
        yield OK, f"{len(settings.api_keys)} keys in API_KEYS, {stored} in the database"


def check_claude(settings: Settings) -> Iterator[Finding]:
    """Check that the CLI is installed, and that the running gateway finds it logged in."""
    try:
        found = find_binary(settings.claude_binary_path)
    except ClaudeUnavailable as error:
        yield WRONG, error.message
        return
    tested = "" if found.version == TESTED else f" (tested: {format_version(TESTED)})"
    yield (NOTE if tested else OK), f"Claude Code {found.version_text} at {found.path}{tested}"
    try:
        Client(settings, timeout=10).get("/health")
    except NoAnswer:
        yield (
            NOTE,
            "the login was not checked because the gateway is not running: make start-prod-bg, then check again",
        )
    except Refused as error:
        yield WRONG, f"the running gateway is unhealthy: {error}"
    else:
        yield OK, "the running gateway is healthy and logged in"


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Check that memory and file descriptors suffice for the limits in the settings."""
    workers = settings.web_concurrency
    needed = workers * (settings.max_processes * PROCESS_BYTES + WORKER_BYTES)
    available = find_total(settings.max_memory_mb)
    sizes = f"{needed / 1e9:.1f} of {available / 1e9:.1f} GB"
    mark = OK if needed <= usable_bytes(available) else WRONG
    yield mark, f"memory: up to {sizes} for {workers} x MAX_PROCESSES={settings.max_processes}"
    if settings.max_concurrent_sessions > settings.max_processes:
        yield (
            NOTE,
            "each answer needs a process: raise MAX_PROCESSES to MAX_CONCURRENT_SESSIONS or more",
        )
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_PER_TURN * settings.max_processes + settings.max_queued_requests + SPARE_DESCRIPTORS
    enough = limit == resource.RLIM_INFINITY or limit >= wanted
    yield (OK if enough else WRONG), f"file descriptors: {limit} allowed, {wanted} needed (ulimit -Hn)"


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


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Check the free disk space in the folders that the gateway writes to."""
    for folder in {_find_existing(path) for path in _list_data_folders(settings)}:
        free = shutil.disk_usage(folder).free
        yield (OK if free > MIN_FREE_BYTES else WRONG), f"{free / 1e9:.1f} GB free in {folder}"


def check_permissions(settings: Settings) -> Iterator[Finding]:
    """Check that only the gateway's user can read secrets, and that it is not root."""
    if os.geteuid() == 0:
        yield (
            NOTE,
            "this check runs as root: give the gateway a user of its own (deploy/claude-gateway.service)",
        )
    secret = [Path(os.environ.get("CLAUDE_CODE_API_ENV_FILE") or ".env")]
    secret += [Path(path) for path in _list_sqlite_files(settings.database_url)]
    for path in filter(Path.exists, secret):
        is_open = path.stat().st_mode & stat.S_IRWXO
        yield (
            (WRONG, f"other users can read {path}: chmod o= {path}")
            if is_open
            else (OK, f"{path} is private")
        )
    for folder in _list_data_folders(settings):
        if not os.access(_find_existing(folder), os.W_OK):
            yield WRONG, f"{folder} cannot be written to"


def check_nginx(settings: Settings) -> Iterator[Finding]:
    """Check that nginx, if it is installed, passes streams on without delay."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        yield NOTE, "nginx is not installed; another proxy in front must not buffer (docs/deploy.md)"
        return
    dumped = subprocess.run([program, "-T"], capture_output=True, text=True, check=False)
    if dumped.returncode:
        yield (
            NOTE,
            "this user cannot read nginx's configuration: check that it contains proxy_buffering off",
        )
        return
    yield from _check_nginx_lines(
        settings, [line.split("#")[0].strip() for line in dumped.stdout.splitlines()]
    )


def _check_nginx_lines(settings: Settings, lines: Sequence[str]) -> Iterator[Finding]:
    if not any(f":{settings.port}" in line for line in lines):
        yield NOTE, f"nginx passes nothing to port {settings.port}: see deploy/nginx/claude-gateway.conf"
        return
    if "proxy_buffering off;" in lines:
        yield OK, "nginx does not buffer answers"
    else:
        yield WRONG, "nginx buffers answers: set proxy_buffering off;"
    if settings.trusted_proxies:
        yield OK, "nginx passes on the clients' addresses"
    else:
        yield WRONG, "all clients have nginx's address and share one client's limits: set TRUSTED_PROXIES=1"
    if any(line.startswith("proxy_read_timeout") for line in lines):
        yield OK, "nginx waits for slow answers"
    else:
        yield WRONG, "nginx cuts answers off after 60 s of silence: set proxy_read_timeout 1h;"


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_auth,
    check_keys,
    check_claude,
    check_limits,
    check_usage,
    check_agents,
    check_disk,
    check_permissions,
    check_nginx,
)


def _count_stored_keys(url: str) -> int:
    if any(not Path(path).exists() for path in _list_sqlite_files(url)):
        return 0  # opening the database would create it, perhaps as the wrong user
    store = Store(url)
    store.open()
    try:
        return sum(key.state == "active" for key in Keys(store).list())
    finally:
        store.close()


def _list_sqlite_files(url: str) -> list[str]:
    return [url.removeprefix("sqlite:///")] if url.startswith("sqlite:///") else []


def _list_data_folders(settings: Settings) -> list[Path]:
    files = [Path(path) for path in _list_sqlite_files(settings.database_url)]
    files += [settings.log_file_path] if settings.log_file_path else []
    return [settings.claude_work_dir, settings.project_root, *(file.parent for file in files)]


def _find_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def main() -> int:
    """Run all checks. Return the exit code."""
    os.chdir(PROJECT)
    wrong = 0
    try:
        settings = load()
        for check in CHECKS:
            for mark, finding in check(settings):
                print(f"{check.__name__.removeprefix('check_'):12} {mark:6} {finding}", flush=True)
                wrong += mark == WRONG
    except (SettingsError, GatewayError) as error:
        sys.exit(f"{error} {error.__cause__ or ''}")
    print(
        f"{wrong} problem(s) to fix before this goes on the network."
        if wrong
        else "Nothing has to be changed."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Look at this installation as it would be put on the network, and say what to change. Behind `make deploy-check`.

Reads the settings and the files, and asks the running gateway for its health; no chat is made. nginx's configuration is
looked at where it is readable. Ends with 1 when something is wrong that must not stay so.
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.claude.cli.binary import TESTED, find_binary, format_version  # noqa: E402  the project is not installed
from gateway.errors import ClaudeUnavailable, GatewayError  # noqa: E402
from gateway.settings import Settings, SettingsError, load  # noqa: E402
from gateway.store.database import Store  # noqa: E402
from gateway.store.keys import Keys  # noqa: E402
from scripts.client import Client, NoAnswer, Refused  # noqa: E402

LEAST_KEY = 24
LEAST_DISK = 1 << 30
PROCESS_BYTES = 100_000_000
WORKER_BYTES = 50_000_000
DESCRIPTORS_A_TURN = 4
SPARE_DESCRIPTORS = 256
BUDGETS = ("tokens_per_day", "tokens_per_month", "usd_per_day", "usd_per_month")
REACHING = ("Bash", "WebFetch", "WebSearch")  # beyond the project's folder
LOOPBACK = ("127.0.0.1", "::1", "localhost")

OK, NOTE, WRONG = "ok", "note", "WRONG"
Finding = tuple[str, str]


def auth(settings: Settings) -> Iterator[Finding]:
    """Whether strangers are kept out."""
    if settings.require_auth:
        yield OK, "every client is asked for a key"
    elif settings.host in LOOPBACK:
        yield NOTE, "no key is asked for; anybody on this machine may use the gateway: REQUIRE_AUTH=true"
    else:
        yield (
            WRONG,
            f"no key is asked for, and HOST={settings.host} is open to the network: REQUIRE_AUTH=true",
        )
    if settings.host not in LOOPBACK:
        yield NOTE, f"HOST={settings.host}: behind nginx on this machine HOST=127.0.0.1 is enough"
    if "*" in settings.allowed_origins:
        yield NOTE, "web pages of any origin may use a key they know: name yours in ALLOWED_ORIGINS"
    if settings.metrics and not settings.require_auth:
        yield (
            NOTE,
            "GET /metrics is open to everybody who reaches the port: REQUIRE_AUTH=true, or METRICS=false",
        )
    if settings.debug:
        yield WRONG, "DEBUG=true logs too much: take it out"
    if settings.log_content:
        yield WRONG, "LOG_CONTENT=true writes all conversations to the log: take it out"


def keys(settings: Settings) -> Iterator[Finding]:
    """Whether there are keys, and good ones."""
    if any(len(key) < LEAST_KEY for key in settings.api_keys):
        yield WRONG, f"a key in API_KEYS is shorter than {LEAST_KEY}: scripts/generate_api_keys.py --env"
    stored = _stored_keys(settings.database_url)
    count = len(settings.api_keys) + stored
    if not count and settings.require_auth:
        yield WRONG, "there is no key, so the gateway will not start: python -m gateway keys create NAME"
    elif count:
        yield OK, f"{len(settings.api_keys)} keys in API_KEYS, {stored} in the database"


def claude(settings: Settings) -> Iterator[Finding]:
    """Whether the CLI is there and the running gateway finds it logged in."""
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
        yield NOTE, "the login is not known as the gateway does not run: make start-prod-bg, and look again"
    except Refused as error:
        yield WRONG, f"the running gateway is not healthy: {error}"
    else:
        yield OK, "the running gateway is healthy and logged in"


def limits(settings: Settings) -> Iterator[Finding]:
    """Whether memory and descriptors suffice for what the settings allow."""
    workers = settings.web_concurrency
    needed = workers * (settings.max_processes * PROCESS_BYTES + WORKER_BYTES)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    sizes = f"{needed / 1e9:.1f} GB for {workers} x MAX_PROCESSES={settings.max_processes}, {there / 1e9:.1f} GB there"
    yield (OK if needed < 0.8 * there else WRONG), f"memory: up to {sizes}"
    if settings.max_concurrent_sessions > settings.max_processes:
        yield (
            NOTE,
            "MAX_CONCURRENT_SESSIONS is more than MAX_PROCESSES: raise that, each answer needs a process",
        )
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_A_TURN * settings.max_processes + settings.max_queued_requests + SPARE_DESCRIPTORS
    enough = most == resource.RLIM_INFINITY or most >= wanted
    yield (OK if enough else WRONG), f"file descriptors: {most}, at least {wanted} are wanted (ulimit -Hn)"


def usage(settings: Settings) -> Iterator[Finding]:
    """Whether one client can use up what is there for all."""
    requests = settings.rate_limit_requests_per_minute
    if requests:
        yield OK, f"{requests} requests a minute for each client, in a burst {settings.rate_limit_burst} more"
    else:
        yield NOTE, "no client is limited by default: RATE_LIMIT_REQUESTS_PER_MINUTE, or keys limit ID"
    if not any(getattr(settings, f"rate_limit_{name}") for name in BUDGETS):
        yield (
            NOTE,
            "no budget holds for keys that have none of their own: RATE_LIMIT_USD_PER_DAY, …_PER_MONTH",
        )
    if settings.require_auth and not settings.rate_limit_failed_auth_per_minute:
        yield WRONG, "keys can be guessed without end: RATE_LIMIT_FAILED_AUTH_PER_MINUTE=60"
    if settings.trusted_proxies and settings.host not in LOOPBACK:
        yield (
            NOTE,
            f"TRUSTED_PROXIES={settings.trusted_proxies}: whoever reaches port {settings.port} past the proxies"
            " chooses the address he is counted by; keep the port closed to others",
        )


def agents(settings: Settings) -> Iterator[Finding]:
    """Whether clients can make Claude Code act on this machine."""
    if not settings.allow_agent_projects:
        yield OK, "Claude Code's own tools are off"
        return
    reaching = [tool for tool in settings.agent_tools if tool in REACHING]
    if reaching:
        yield (
            NOTE,
            f"AGENT_TOOLS has {', '.join(reaching)}: only for clients you would give a shell (docs/projects.md)",
        )
    if settings.require_auth:
        yield NOTE, "every key may have Claude Code work with files here: ALLOW_AGENT_PROJECTS=true"
    else:
        yield WRONG, "anybody may have Claude Code work with files here: REQUIRE_AUTH=true"


def disk(settings: Settings) -> Iterator[Finding]:
    """Whether there is room where the gateway writes."""
    for folder in {_existing(path) for path in _data_folders(settings)}:
        free = shutil.disk_usage(folder).free
        yield (OK if free > LEAST_DISK else WRONG), f"{free / 1e9:.1f} GB free at {folder}"


def permissions(settings: Settings) -> Iterator[Finding]:
    """Whether secrets are for the gateway's user alone, who is not root."""
    if os.geteuid() == 0:
        yield NOTE, "this runs as root: give the gateway a user of its own (deploy/claude-gateway.service)"
    secret = [Path(os.environ.get("CLAUDE_CODE_API_ENV_FILE") or ".env")]
    secret += [Path(path) for path in _sqlite_files(settings.database_url)]
    for path in filter(Path.exists, secret):
        is_open = path.stat().st_mode & stat.S_IRWXO
        yield (WRONG, f"others may read {path}: chmod o= {path}") if is_open else (OK, f"{path} is private")
    for folder in _data_folders(settings):
        if not os.access(_existing(folder), os.W_OK):
            yield WRONG, f"{folder} cannot be written to"


def nginx(settings: Settings) -> Iterator[Finding]:
    """Whether nginx, if it is there, lets streams through as they come."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        yield NOTE, "no nginx on this machine; whatever stands in front must not buffer (docs/deploy.md)"
        return
    dumped = subprocess.run([program, "-T"], capture_output=True, text=True, check=False)
    if dumped.returncode:
        yield (
            NOTE,
            "nginx's configuration is not for this user to read: see yourself that it says proxy_buffering off",
        )
        return
    lines = [line.split("#")[0].strip() for line in dumped.stdout.splitlines()]
    if not any(f":{settings.port}" in line for line in lines):
        yield NOTE, f"nginx does not pass anything to port {settings.port}: deploy/nginx/claude-gateway.conf"
        return
    yield (
        (OK, "nginx does not buffer")
        if "proxy_buffering off;" in lines
        else (
            WRONG,
            "nginx buffers answers: proxy_buffering off;",
        )
    )
    if settings.trusted_proxies:
        yield OK, "clients are told apart by the address that nginx passes on"
    else:
        yield WRONG, "all clients have nginx's address, and share the limits of one: TRUSTED_PROXIES=1"
    waits = any(line.startswith("proxy_read_timeout") for line in lines)
    yield (
        (OK, "nginx waits for long answers")
        if waits
        else (
            WRONG,
            "nginx gives up after 60 s of silence: proxy_read_timeout 1h;",
        )
    )


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    auth,
    keys,
    claude,
    limits,
    usage,
    agents,
    disk,
    permissions,
    nginx,
)


def _stored_keys(url: str) -> int:
    if any(not Path(path).exists() for path in _sqlite_files(url)):
        return 0  # opening it would make it, perhaps for the wrong user
    store = Store(url)
    store.open()
    try:
        return sum(key.state == "active" for key in Keys(store).list())
    finally:
        store.close()


def _sqlite_files(url: str) -> list[str]:
    return [url.removeprefix("sqlite:///")] if url.startswith("sqlite:///") else []


def _data_folders(settings: Settings) -> list[Path]:
    files = [Path(path) for path in _sqlite_files(settings.database_url)]
    files += [settings.log_file_path] if settings.log_file_path else []
    return [settings.claude_work_dir, settings.project_root, *(file.parent for file in files)]


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def main() -> int:
    """The command line; the exit code."""
    os.chdir(PROJECT)
    wrong = 0
    try:
        settings = load()
        for check in CHECKS:
            for mark, told in check(settings):
                print(f"{check.__name__:12} {mark:6} {told}", flush=True)
                wrong += mark == WRONG
    except (SettingsError, GatewayError) as error:
        sys.exit(f"{error} {error.__cause__ or ''}")
    print(f"{wrong} to change before this goes on the network." if wrong else "Nothing has to be changed.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

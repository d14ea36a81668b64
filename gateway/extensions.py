"""What the app is configured with: API documentation, body limits, CORS, database, usage, metrics.

In `app.extensions` are lists of functions for whoever has to do something at a certain time: `on_start` (the worker
serves from now on), `on_request` (a Handled request is over), `on_record` (the Record of an answer that is over),
`on_exit` (the worker ends; each has a fraction of a second).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, request
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway.claude.service import Claude
from gateway.errors import ModelNotFound, StoreError
from gateway.observe import logs
from gateway.observe.metrics import Metrics, MetricsSnapshot
from gateway.settings import TITLE, VERSION, Settings, SettingsError
from gateway.store.admin_sessions import AdminSessions
from gateway.store.backends import hide_password
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.leases import DatabaseLeases
from gateway.store.limits.redis_counters import RedisCounters  # noqa: F401  Limiter finds it by the URL's scheme
from gateway.store.limits.redis_leases import RedisLeases
from gateway.store.project_folders import ProjectFolders
from gateway.store.projects import Projects
from gateway.store.responses import Responses
from gateway.store.usage import UsageTable
from gateway.store.usage_writer import UsageWriter

LIMIT_HEADERS = tuple(
    f"x-ratelimit-{what}-{unit}"
    for unit in ("requests", "tokens")
    for what in ("limit", "remaining", "reset")
)
EXPOSED_HEADERS = (
    "x-request-id",
    "x-session-id",
    "x-project-id",
    "x-ignored-parameters",
    "retry-after",
    "x-should-retry",
    *LIMIT_HEADERS,
)
API_PATHS = (
    r"^/(?!dashboard(/|$))"  # what other sites' pages may call; the dashboard is for its own page only
)

REDIS_TIMEOUTS = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}


def init_app(app: Flask, settings: Settings, now: Callable[[], float]) -> None:
    """Bind everything to the app. Raises SettingsError if the database cannot be used."""
    store = _open(settings.database_url)
    app.extensions["store"] = store
    app.extensions["keys"] = Keys(store)
    app.extensions["admin_sessions"] = AdminSessions(store)
    app.extensions["projects"] = Projects(store)
    app.extensions["folders"] = ProjectFolders(
        settings.project_root, settings.max_project_size_mb * 1024 * 1024
    )
    app.extensions["responses"] = Responses(store, timedelta(days=settings.responses_ttl_days))
    app.extensions |= {"on_start": [], "on_request": [logs.log_request], "on_record": [], "on_exit": []}
    app.extensions["live"] = set()
    app.extensions["description"] = {}
    _count_in(app, settings.rate_limit_storage_url, store, now)
    writer = _usage(app, store)
    if settings.metrics:
        _metrics(app, writer, settings)
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
    )
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies)  # type: ignore[method-assign]
    _cors(app, settings)


def _cors(app: Flask, settings: Settings) -> None:
    CORS(
        app,
        resources=API_PATHS,
        origins=list(settings.allowed_origins),
        expose_headers=list(EXPOSED_HEADERS),
    )
    # Only browsers say where they come from: for all others it would take 0.1 ms of each request to tell them nothing.
    permit = app.after_request_funcs[None].pop()
    app.after_request(lambda response: permit(response) if "origin" in request.headers else response)


def _count_in(app: Flask, url: str | None, store: Store, now: Callable[[], float]) -> None:
    """Counters of the limits in Redis, or else in the database. The limiter is bound to the app when auth is."""
    options: dict[str, Any] = (
        {"wrap_exceptions": True, **REDIS_TIMEOUTS} if url else {"store": store, "now": now}
    )
    app.extensions["limits"] = Limiter(
        get_remote_address,
        storage_uri=url or DatabaseCounters.STORAGE_SCHEME[0] + "://",
        storage_options=options,
        strategy="sliding-window-counter",
    )
    app.extensions["leases"] = RedisLeases(url, **REDIS_TIMEOUTS) if url else DatabaseLeases(store)


def _usage(app: Flask, store: Store) -> UsageWriter:
    """Usage is written in the background."""
    usage = app.extensions["usage"] = UsageTable(store)
    writer = UsageWriter(usage)
    app.extensions["on_record"].append(writer.put)
    app.extensions["on_exit"].append(writer.close)
    return writer


def _metrics(app: Flask, writer: UsageWriter, settings: Settings) -> None:
    claude: Claude = app.extensions["claude"]

    def look() -> MetricsSnapshot:
        windows = {
            name: (seen.utilization, seen.resets_at) for name, seen in claude.rate_limit_windows.items()
        }
        return MetricsSnapshot(claude.status(), windows, len(writer))

    def label(model: str) -> str:
        try:
            return claude.catalog.find(model).id
        except ModelNotFound:
            return "other"

    metrics = Metrics(settings.environ.get("PROMETHEUS_MULTIPROC_DIR"), look, label)
    app.extensions["metrics"] = metrics
    app.extensions["on_start"].append(metrics.open)
    app.extensions["on_request"].append(metrics.count_request)
    app.extensions["on_record"].append(metrics.count_answer)


def _open(url: str) -> Store:
    try:
        store = Store(url)
        store.open()
    except StoreError as error:
        reason = f"DATABASE_URL={hide_password(url)}: {error.__cause__}" if error.__cause__ else error.message
        raise SettingsError(f"The database cannot be used. {reason}") from error
    return store

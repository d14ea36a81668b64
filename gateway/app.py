"""The application factory: settings → services → blueprints → error handlers and hooks."""

import time
from collections.abc import Callable

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway.answering.services import build_services
from gateway.api.dashboard import access
from gateway.api.dashboard import views as dashboard
from gateway.api.dashboard.blueprints import trial
from gateway.api.hooks.chain import install_hooks
from gateway.api.hooks.errors import GatewayApi
from gateway.api.http.access_rules import AccessRules
from gateway.api.http.context import attach_services
from gateway.api.http.forwarding import strip_ports
from gateway.api.http.in_process import InProcessSender
from gateway.api.http.lean_flask import LeanFlask, add_cors
from gateway.api.http.paths import repair_paths
from gateway.api.openapi import docs
from gateway.api.openapi.description import HEADERS, CompleteOperations, make_options
from gateway.api.views import (
    admin_accounts,
    admin_alerts,
    admin_audit,
    admin_inventory,
    admin_keys,
    admin_settings,
    admin_teams,
    assets,
    batches,
    chat,
    completions,
    conversations,
    files,
    me,
    message_batches,
    messages,
    meta,
    metrics,
    models,
    not_served,
    project_activity,
    project_checkpoints,
    project_files,
    projects,
    quota,
    requests,
    response_socket,
    responses,
    sessions,
    usage,
)
from gateway.dialects.messages import limit_headers
from gateway.observe import logs
from gateway.settings import TITLE, Settings, SettingsError, load
from gateway.version import VERSION

VIEWS = (
    chat,
    responses,
    messages,
    completions,
    conversations,
    models,
    batches,
    message_batches,
    sessions,
    projects,
    project_activity,
    project_checkpoints,
    project_files,
    files,
    usage,
    quota,
    me,
    admin_accounts,
    admin_alerts,
    requests,
    admin_keys,
    admin_teams,
    admin_settings,
    admin_audit,
    meta,
    docs,
)
PUBLIC = (meta.blueprint.name, docs.blueprint.name, assets.blueprint.name)  # all others need a key
#: Blueprints whose POSTs count as requests.
ANSWERING = (chat.blueprint, responses.blueprint, messages.blueprint, completions.blueprint, trial)
LIMIT_HEADERS = [
    f"x-ratelimit-{kind}-{unit}"
    for unit in ("requests", "tokens")
    for kind in ("limit", "remaining", "reset")
]
EXPOSED_HEADERS = (*HEADERS, *LIMIT_HEADERS, *limit_headers.NAMES)
# Pages of other sites may call these paths. The dashboard is for its own pages only.
API_PATHS = r"^/(?!(dashboard|assets)(/|$))"


def create_app(settings: Settings | None = None, *, now: Callable[[], float] = time.time) -> Flask:
    """Return the app. It is ready except for `services_of(app).open()`, which starts processes.

    `now` is the clock of the rate limits in the database, in seconds since 1970; tests replace it. Raises SettingsError
    if the settings cannot be used.
    """
    settings = settings or load()
    _configure_logs(settings)
    app = LeanFlask("gateway", static_folder=None)
    services = build_services(settings, now, InProcessSender(app))
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
    )
    if settings.trusted_proxies:
        bare = strip_ports(app.wsgi_app)
        app.wsgi_app = ProxyFix(bare, x_for=settings.trusted_proxies)  # type: ignore[method-assign]
    attach_services(app, services)
    rules = AccessRules(settings)
    add_cors(app, API_PATHS, rules.allows_page, EXPOSED_HEADERS)
    _register_blueprints(app, settings)
    repair_paths(app)
    identify = access.find_signed_in_identity
    fallbacks = {blueprint.name: identify for blueprint in dashboard.BLUEPRINTS}
    install_hooks(app, services, rules, answering=ANSWERING, public=PUBLIC, fallbacks=fallbacks)
    return app


def _register_blueprints(app: Flask, settings: Settings) -> None:
    anthropic = [messages.blueprint.name, message_batches.blueprint.name]
    both = [models.blueprint.name, files.blueprint.name]
    plugin = CompleteOperations(app, PUBLIC, anthropic, both)
    api = GatewayApi(app, spec_kwargs={**make_options(settings), "extra_plugins": [plugin]})
    for module in (*VIEWS, *([metrics] if settings.metrics else [])):
        api.register_blueprint(module.blueprint)
    for blueprint in (requests.admin, *admin_inventory.BLUEPRINTS):
        api.register_blueprint(blueprint)
    for blueprint in (
        response_socket.blueprint,
        not_served.blueprint,
        assets.blueprint,
        *(dashboard.BLUEPRINTS if settings.dashboard else ()),
    ):
        app.register_blueprint(blueprint)


def _configure_logs(settings: Settings) -> None:
    try:
        logs.configure_logging(
            settings.lowest_log_level,
            settings.log_format,
            settings.log_file_path,
            max_bytes=settings.log_max_bytes,
            backups=settings.log_backup_count,
        )
    except OSError as error:
        raise SettingsError(f"LOG_FILE_PATH cannot be written: {error}") from error

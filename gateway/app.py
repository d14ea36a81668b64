"""The application factory: settings → extensions → blueprints → error handlers."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

from gateway import extensions
from gateway.answering import answer as running
from gateway.answering.sessions import SessionTurns
from gateway.api.dashboard import access as dashboard_access
from gateway.api.dashboard import views as dashboard
from gateway.api.hooks import anthropic_dialect as anthropic
from gateway.api.hooks import auth, errors, limits, reporting
from gateway.api.hooks import key_guessing as attempts
from gateway.api.hooks import request_ids as requests
from gateway.api.openapi import description, docs
from gateway.api.views import (
    chat,
    completions,
    messages,
    meta,
    metrics,
    models,
    not_served,
    project_files,
    projects,
    responses,
    sessions,
    usage,
)
from gateway.claude.catalog import ModelCatalog
from gateway.claude.launcher import Launcher
from gateway.claude.limits import Limits
from gateway.claude.service import Claude
from gateway.observe import logs
from gateway.settings import Settings, SettingsError, load
from gateway.store.database import Store
from gateway.store.session_claims import SessionClaims
from gateway.store.sessions import SessionExpiry, Sessions
from gateway.store.sweeper import Sweeper

PUBLIC = (
    meta.blueprint.name,
    docs.blueprint.name,
    dashboard.assets.name,
)  # every other blueprint asks for a key
SIGNED_IN = {
    blueprint.name: dashboard_access.signed_in for blueprint in (dashboard.blueprint, dashboard.trial)
}
# Their POSTs count as requests, and are what limits and budgets are for.
ANSWERING = (
    chat.blueprint,
    responses.blueprint,
    messages.blueprint,
    completions.blueprint,
    dashboard.trial,
)


class NoSession(SessionInterface):
    """Flask's own cookie is not used: not worth a look at every request."""

    _null = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """One for all, as nothing can be put into it."""
        return self._null


class Gateway(Flask):
    """The gateway as a Flask app."""

    session_interface = NoSession()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Nothing here is async: not worth a look at every function that a request calls."""
        return func


def create_app(settings: Settings | None = None, *, now: Callable[[], float] = time.time) -> Flask:
    """Return the app. It is ready except for `app.extensions["claude"].open()`, which starts processes.

    `now` is the clock of the rate limits in the database, in seconds since 1970; tests replace it.
    """
    settings = settings or load()
    _configure_logs(settings)
    app = Gateway("gateway", static_folder=None)
    app.extensions["settings"] = settings
    app.extensions["claude"] = _claude(settings)
    extensions.init_app(app, settings, now)
    app.extensions["on_exit"].insert(0, lambda: running.end_all(app))  # before usage is written
    turns = app.extensions["session_turns"] = _session_turns(settings, app.extensions["store"])
    expiring = {
        "sessions": turns.sessions.delete_expired,
        "responses": app.extensions["responses"].delete_expired,
    }
    app.extensions["on_start"].append(Sweeper(expiring, settings.cleanup_interval_minutes * 60).open)
    api = errors.OpenAIApi(app, spec_kwargs=_description(app, settings))
    modules = (
        chat,
        responses,
        messages,
        completions,
        models,
        sessions,
        projects,
        project_files,
        usage,
        meta,
        docs,
    )
    for module in (*modules, *([metrics] if settings.metrics else [])):
        api.register_blueprint(module.blueprint)
    app.register_blueprint(not_served.blueprint)
    for blueprint in (dashboard.blueprint, dashboard.trial, dashboard.assets) if settings.dashboard else ():
        app.register_blueprint(blueprint)
    anthropic.init_app(app)
    requests.init_app(app)  # first, so that refusals have an id as well
    reporting.init_app(app, app.extensions["on_request"])
    attempts.init_app(app, settings)
    auth.init_app(app, settings, app.extensions["keys"], PUBLIC, SIGNED_IN)
    limits.init_app(app, settings, ANSWERING, PUBLIC)
    return app


def _description(app: Flask, settings: Settings) -> dict[str, Any]:
    plugin = description.Describe(app, PUBLIC, [messages.blueprint.name], [models.blueprint.name])
    return {**description.options(settings), "extra_plugins": [plugin]}


def _configure_logs(settings: Settings) -> None:
    try:
        logs.configure_logging(
            "DEBUG" if settings.debug else settings.log_level,
            settings.log_format,
            settings.log_file_path,
            max_bytes=settings.log_max_bytes,
            backups=settings.log_backup_count,
        )
    except OSError as error:
        raise SettingsError(f"LOG_FILE_PATH cannot be written: {error}") from error


def _claude(settings: Settings) -> Claude:
    return Claude(
        ModelCatalog(settings.claude_code_api_models_path, settings.default_model),
        Limits(
            turns=settings.max_concurrent_sessions,
            queue=settings.max_queued_requests,
            queue_seconds=settings.queue_timeout_seconds,
            start_seconds=settings.start_timeout_seconds,
            silence_seconds=settings.streaming_timeout_seconds,
            turn_seconds=settings.turn_timeout_seconds,
            tool_seconds=settings.tool_wait_seconds,
            park_seconds=settings.keep_seconds,
            processes=settings.max_processes,
            warm_processes=settings.warm_processes,
            max_warm_processes=settings.max_warm_processes,
        ),
        Launcher(
            work_dir=settings.claude_work_dir,
            environ=settings.environ,
            binary_path=settings.claude_binary_path,
            api_key=settings.claude_api_key,
            max_retries=settings.claude_max_retries,
        ),
    )


def _session_turns(settings: Settings, store: Store) -> SessionTurns:
    minutes = settings.session_timeout_minutes
    expiry = SessionExpiry(timedelta(minutes=minutes) if minutes else None)
    return SessionTurns(
        Sessions(store, expiry),
        SessionClaims(store, expiry),
        store_all=settings.store_conversations,
    )

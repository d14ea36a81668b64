"""What the app is configured with: API documentation, body limits, CORS, database."""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS

from gateway.errors import StoreError
from gateway.settings import VERSION, Settings, SettingsError
from gateway.store.database import Store
from gateway.store.keys import Keys

EXPOSED_HEADERS = (
    "x-request-id",
    "x-session-id",
    "x-project-id",
    "x-ignored-parameters",
    "retry-after",
    "x-should-retry",
)


def init_app(app: Flask, settings: Settings) -> None:
    """Bind everything to the app. Raises SettingsError if the database cannot be used."""
    store = _open(settings.database_url)
    app.extensions["store"] = store
    app.extensions["keys"] = Keys(store)
    app.extensions["on_record"] = []
    app.config.update(
        API_TITLE="Claude Code gateway",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
    )
    CORS(app, origins=list(settings.allowed_origins), expose_headers=list(EXPOSED_HEADERS))


def _open(url: str) -> Store:
    try:
        store = Store(url)
        store.open()
    except StoreError as error:
        reason = f"DATABASE_URL={url}: {error.__cause__}" if error.__cause__ else error.message
        raise SettingsError(f"The database cannot be used. {reason}") from error
    return store

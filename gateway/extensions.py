"""What the app is configured with: API documentation, body limits, CORS."""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS

from gateway.settings import VERSION, Settings

EXPOSED_HEADERS = ("x-request-id", "x-ignored-parameters", "retry-after", "x-should-retry")


def init_app(app: Flask, settings: Settings) -> None:
    """Bind everything to the app."""
    app.config.update(
        API_TITLE="Claude Code gateway",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
    )
    CORS(app, origins=list(settings.allowed_origins), expose_headers=list(EXPOSED_HEADERS))

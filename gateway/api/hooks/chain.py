"""The hooks that every request passes, in their order."""

from collections.abc import Collection, Iterable, Mapping

from flask import Blueprint, Flask

from gateway.answering.services import Services
from gateway.api.hooks import (
    account_header,
    anthropic_dialect,
    auth,
    limits,
    origins,
    reporting,
    request_ids,
    tracing,
)
from gateway.api.http.access_rules import AccessRules


def install_hooks(
    app: Flask,
    services: Services,
    rules: AccessRules,
    *,
    answering: Iterable[Blueprint],
    public: Collection[str],
    fallbacks: Mapping[str, auth.Fallback],
) -> None:
    """Install the hooks. Requests pass them from first to last, responses from last to first.

    `public` are names of blueprints that need no key, `answering` the blueprints whose POSTs are limited. Raises
    SettingsError if no key could pass `auth`.
    """
    app.before_request(services.watchdog.wake)
    # First, so that errors of the other hooks have an id and are reported.
    request_ids.init_app(app)
    if services.telemetry is not None:
        tracing.init_app(app, services.telemetry)
    anthropic_dialect.init_app(app)
    account_header.init_app(app)
    reporting.init_app(app, services)
    # Before everything that does something.
    origins.init_app(app, rules)
    auth.init_app(app, services, public, fallbacks)
    if services.telemetry is not None:
        app.before_request(tracing.mark_authenticated)
    # After auth, which finds the caller whose limits apply.
    limits.init_app(app, services, answering, public)
    if services.telemetry is not None:
        app.before_request(tracing.mark_admitted)

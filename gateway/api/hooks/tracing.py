"""The trace of each request, if OpenTelemetry is on. A client's `traceparent` makes the request a part of its trace.

https://www.w3.org/TR/trace-context/
"""

from time import monotonic
from typing import TYPE_CHECKING

import structlog
from flask import Flask, request

from gateway.api.http.context import get_state
from gateway.observe.logs import QUIET_ROUTES

if TYPE_CHECKING:
    from gateway.observe.telemetry import Telemetry


def init_app(app: Flask, telemetry: "Telemetry") -> None:
    """Begin the span of every request, except of those that programs send every few seconds."""

    def begin_trace() -> None:
        route = request.url_rule.rule if request.url_rule else ""
        structlog.contextvars.unbind_contextvars("trace_id", "span_id")  # of the connection's last request
        if route in QUIET_ROUTES:
            return
        given = request.environ.get
        headers = {"traceparent": given("HTTP_TRACEPARENT", ""), "tracestate": given("HTTP_TRACESTATE", "")}
        state, name = get_state(), f"{request.method[:20]} {route}".rstrip()
        trace = state.trace = telemetry.begin(name, headers, state.started_at)
        structlog.contextvars.bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)

    app.before_request(begin_trace)


def mark_authenticated() -> None:
    """Note the moment when the caller is known."""
    trace = get_state().trace
    if trace is not None:
        trace.authenticated_at = monotonic()


def mark_admitted() -> None:
    """Note the moment when the limits have admitted the request."""
    trace = get_state().trace
    if trace is not None:
        trace.admitted_at = monotonic()

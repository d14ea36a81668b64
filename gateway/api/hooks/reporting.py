"""Report each request to the log and the metrics when its last byte has been sent, or its client has left."""

import re
import time
from collections.abc import Callable

from flask import Flask, Response, request

from gateway.answering.body_keeping import keeps_bodies
from gateway.answering.services import Services
from gateway.api.http.context import RequestState, get_state
from gateway.api.http.large_bodies import LARGE_BYTES, release_frames, release_memory_later
from gateway.record import RequestSummary

# The credentials of MCP servers in the body of a request.
_TOKEN = re.compile(r'("(?:authorization|authorization_token)"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_HEADERS = re.compile(r'("headers"\s*:\s*)\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\}')

UNKNOWN_ROUTE = "unknown"


def init_app(app: Flask, services: Services) -> None:
    """Give each of the services' request observers the summary of every request."""

    def report_at_end(response: Response) -> Response:
        report = _make_report(response.status_code, services)
        if response.direct_passthrough:  # a file; its response is not closed
            report()
        else:
            response.call_on_close(report)
        return response

    app.after_request(report_at_end)


def _make_report(status: int, services: Services) -> Callable[[], None]:
    """Return the function to call at the end, when the request context is gone."""
    state = get_state()
    method, path, address = request.method, request.path, request.remote_addr or ""
    route = request.url_rule.rule if request.url_rule else UNKNOWN_ROUTE
    client = request.environ.get("HTTP_USER_AGENT", "")
    is_large = (request.content_length or 0) >= LARGE_BYTES

    def report() -> None:
        caller = state.caller
        summary = RequestSummary(
            request_id=state.request_id,
            method=method,
            path=path,
            route=route,
            status=status,
            seconds=time.monotonic() - state.started_at,
            address=address,
            key_name=caller.key_name if caller else None,
            error=state.error,
            record=state.answer.record if state.answer else None,
            content=_find_content(state) if services.settings.log_content else {},
            kept=_find_content(state) if keeps_bodies(caller, services.settings) else {},
            began_at=state.started_at,
            key_id=caller.key_id if caller else None,
            owner_id=caller.owner_id if caller else "",
            client=client,
            trace=state.trace,
        )
        if state.call is not None:
            state.call.summary = summary
        for observer in services.request_observers:
            observer(summary)
        release_frames(state.error)
        if is_large:
            release_memory_later()

    return report


def hide_credentials(body: str) -> str:
    """Return a body without the credentials of MCP servers.

    >>> hide_credentials('{"authorization": "abc", "headers": {"X-Key": "abc"}}')
    '{"authorization": "…", "headers": {}}'
    """
    body = _TOKEN.sub(r'\1"…"', body)
    return _HEADERS.sub(r"\1{}", body)


def _find_content(state: RequestState) -> dict[str, object]:
    """Return the request's body and the answer's text."""
    transcript = state.answer.transcript if state.answer else None
    content: dict[str, object] = {}
    if state.body is not None:
        content["body"] = hide_credentials(state.body.decode("utf-8", "replace"))
    if transcript is not None:
        content["answer"] = transcript.texts()
    return content

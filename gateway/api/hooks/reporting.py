"""Tell the log and the metrics of each request, when the last byte of its answer is sent or its client has left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, Response, g, request

from gateway.api.hooks import auth
from gateway.api.http import context as current
from gateway.observe.request_summary import RequestSummary

UNKNOWN = "unknown"

Observer = Callable[[RequestSummary], None]


def init_app(app: Flask, observers: Sequence[Observer]) -> None:
    """Call each of `observers` with every request. To be the first, so that refusals are seen as well."""

    def finish(response: Response) -> Response:
        report = _report(response.status_code, observers)
        if response.direct_passthrough:  # a file; its response is not closed
            report()
        else:
            response.call_on_close(report)
        return response

    app.before_request(_begin)
    app.after_request(finish)


def _begin() -> None:
    g.began = time.monotonic()


def _report(status: int, observers: Sequence[Observer]) -> Callable[[], None]:
    """The call to make at the end, when there is no request context any more."""
    known = _known()
    began, transcript = g.began, g.get("transcript")

    def report() -> None:
        if transcript is not None:
            known["content"]["answer"] = transcript.texts()
        handled = RequestSummary(status=status, seconds=time.monotonic() - began, **known)
        for observer in observers:
            observer(handled)

    return report


def _known() -> dict[str, Any]:
    who = auth.identity()
    return {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "route": request.url_rule.rule if request.url_rule else UNKNOWN,
        "address": request.remote_addr or "",
        "key_name": who.name if who else None,
        "error": g.get("error"),
        "record": g.get("record"),
        "content": _content(),
    }


def _content() -> dict[str, Any]:
    body: bytes | None = g.get("body") if current.settings().log_content else None
    return {} if body is None else {"body": body.decode("utf-8", "replace")}

"""Logging: JSON or text, in the same form for every logger, with one line per request.

No line contains any part of a conversation, a key or a token. If LOG_CONTENT is set, the request's line contains the
request and the answer. For example, in JSON:

    {"event": "request", "path": "/v1/messages", "status": 200, "seconds": 1.2, "outcome": "complete", …}
"""

import logging
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor

from gateway.record import Record, RequestSummary

log = logging.getLogger("gateway.requests")

#: Routes that are requested every few seconds.
QUIET_ROUTES = ("/health", "/metrics", "/dashboard/live", "/dashboard/today", "/dashboard/requests/rows")
MAX_PATH_LENGTH = 200
FAILURE_SECONDS = 60.0
SECONDS_DIGITS = 4  # a tenth of a millisecond


def configure_logging(
    level: str, form: str, path: Path | None = None, *, max_bytes: int = 0, backups: int = 1
) -> None:
    """Send all log records from `level` up to stderr, and to the file `path`.

    `form` is "json", "text", or "auto": text if stderr is a terminal. With "auto", the file has JSON.

    `max_bytes` and `backups` are passed to `open_log_file`. Raise OSError if the file cannot be written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _add_timestamp,
    ]
    handlers: list[tuple[logging.Handler, list[Processor]]] = []
    handlers.append((logging.StreamHandler(), _choose_renderer(form)))
    if path is not None:
        renderer = _choose_renderer("json" if form == "auto" else form)
        handlers.append((open_log_file(path, max_bytes, backups), renderer))
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    for handler, rendering in handlers:
        formatter = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[meta, *rendering]
        )
        handler.setFormatter(formatter)
    logging.basicConfig(handlers=[one for one, _ in handlers], force=True)
    set_level(level)
    gunicorn = logging.getLogger("gunicorn.error")  # its own handlers would write in another format
    gunicorn.handlers.clear()
    gunicorn.propagate = True


def set_level(level: str) -> None:
    """Log all records from `level` up.

    At DEBUG, libraries log too much: peewee logs each statement with its values, conversations and digests included.
    """
    logging.getLogger().setLevel("INFO" if level == "DEBUG" else level)
    logging.getLogger("gateway").setLevel(level)


def open_log_file(path: Path, max_bytes: int, backups: int) -> logging.Handler:
    """Return a handler for a file that all workers write and rotate without losing a line.

    At `max_bytes` (0: never) the file becomes `path.1`, which becomes `path.2`, and so on up to `backups`. A file that
    logrotate has moved is created again. The handler takes 20 µs per line, against 12 µs without its checks.

    Raise OSError if the file cannot be written.
    """
    from concurrent_log_handler import ConcurrentRotatingFileHandler  # only LOG_FILE_PATH needs it

    path.parent.mkdir(parents=True, exist_ok=True)

    class QuietHandler(ConcurrentRotatingFileHandler):
        """Say that the file cannot be written once per minute: the default is a traceback per line."""

        reported_at = -FAILURE_SECONDS

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
            if time.monotonic() - self.reported_at >= FAILURE_SECONDS:
                self.reported_at = time.monotonic()
                problem = (
                    f"lines are missing in LOG_FILE_PATH, because it cannot be written: {sys.exc_info()[1]}"
                )
                sys.stderr.write(f"gateway: {problem}\n")

    handler = QuietHandler(
        str(path), maxBytes=max_bytes, backupCount=backups, encoding="utf-8", unicode_error_policy="replace"
    )
    handler.do_open().close()  # it would open the file with the first line, when it is too late to refuse to start
    return handler


def log_request(summary: RequestSummary) -> None:
    """Log a finished request."""
    level = logging.DEBUG if summary.route in QUIET_ROUTES else logging.INFO
    if log.isEnabledFor(level):
        fields = (
            _request_fields(summary)
            | (_answer_fields(summary.record) if summary.record else {})
            | summary.content
        )
        log.log(level, "request", extra={name: value for name, value in fields.items() if value is not None})


def _request_fields(summary: RequestSummary) -> dict[str, Any]:
    error = summary.error
    return {
        "request_id": summary.request_id,
        "method": summary.method,
        "path": quote(summary.path)[:MAX_PATH_LENGTH],
        "status": summary.status,
        "seconds": round(summary.seconds, SECONDS_DIGITS),
        "address": summary.address,
        "key": summary.key_name,
        "error": error.code if error else None,
        # Messages of server errors are our own words. Messages of client errors may quote the request.
        "reason": error.message if error and error.status >= 500 else None,
    }


def _answer_fields(record: Record) -> dict[str, Any]:
    first = record.first_seconds
    usage = record.usage
    return {
        "model": record.model,
        "account": record.account,
        "fallback_model": record.fallback_model,
        "outcome": record.outcome,
        "error": record.error,
        "stop_reason": record.stop_reason,
        "streamed": record.streamed,
        "first_seconds": None if first is None else round(first, SECONDS_DIGITS),
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "thinking_tokens": usage.thinking_tokens,
        "web_searches": usage.web_searches or None,
        "web_fetches": usage.web_fetches or None,
        "cost": usage.cost_usd,
        "is_estimated": record.is_estimated or None,
        "project_id": record.project_id,
        "session_id": record.session_id,
    }


def _add_timestamp(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the time of the log call, so that the line is the same on stderr and in the file."""
    moment = datetime.fromtimestamp(event["_record"].created, timezone.utc)
    event["timestamp"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


def _shorten_timestamp(_: Any, __: str, event: EventDict) -> EventDict:
    """Leave only the time of day in this machine's time zone."""
    moment = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
    event["timestamp"] = f"{moment.astimezone():%H:%M:%S}"
    return event


def is_for_people(form: str) -> bool:
    """Return True if the log on stderr is text: `form` is LOG_FORMAT."""
    return form == "text" or (form == "auto" and sys.stderr.isatty())


def _choose_renderer(form: str) -> list[Processor]:
    if is_for_people(form):
        # The default traceback shows local variables, which include clients' messages and secrets.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=form == "auto", exception_formatter=plain)
        return [_shorten_timestamp, renderer] if form == "auto" else [renderer]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]

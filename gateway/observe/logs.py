"""Log lines: JSON in production, readable in development, one shape for every logger, one line a request.

No line has anything of a conversation, a key or a token in it, unless LOG_CONTENT is set; then the request's line has
what was sent and said.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor

from gateway.observe.request_summary import RequestSummary
from gateway.record import Record

log = logging.getLogger("gateway.requests")

QUIET = ("/health", "/metrics", "/dashboard/live")  # asked for all the time
MOST_OF_A_PATH = 200
DIGITS = 4  # of seconds: a tenth of a millisecond


def configure_logging(
    level: str, form: str, path: Path | None = None, *, max_bytes: int = 0, backups: int = 1
) -> None:
    """Send all log records to stderr in `form` ("json" or "text"), from `level` up, and to the file `path`.

    Raises OSError if the file cannot be written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _timestamp,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
    )
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path is not None:
        handlers.append(open_log_file(path, max_bytes, backups))
    for handler in handlers:
        handler.setFormatter(formatter)
    # Libraries tell everything at DEBUG: peewee each statement with its values, conversations and digests among them.
    logging.basicConfig(level="INFO" if level == "DEBUG" else level, handlers=handlers, force=True)
    logging.getLogger("gateway").setLevel(level)
    _use_our_handlers("gunicorn.error")


def open_log_file(path: Path, max_bytes: int, backups: int) -> logging.Handler:
    """Return a handler for a file that all workers write and rotate without losing a line.

    At `max_bytes` (0: never) the file becomes `path.1`, which becomes `path.2`, and so on up to `backups`. A file that
    logrotate has moved is created again. The handler takes 20 µs per line, against 12 µs without its checks.

    Raise OSError if the file cannot be written.
    """
    from concurrent_log_handler import ConcurrentRotatingFileHandler  # only LOG_FILE_PATH needs it

    path.parent.mkdir(parents=True, exist_ok=True)
    handler = ConcurrentRotatingFileHandler(
        str(path), maxBytes=max_bytes, backupCount=backups, encoding="utf-8", unicode_error_policy="replace"
    )
    handler.do_open().close()  # it would open the file with the first line, when it is too late to refuse to start
    return handler


def log_request(summary: RequestSummary) -> None:
    """The request's line."""
    level = logging.DEBUG if summary.route in QUIET else logging.INFO
    if log.isEnabledFor(level):
        fields = _request(summary) | (_answer(summary.record) if summary.record else {}) | summary.content
        log.log(level, "request", extra={name: value for name, value in fields.items() if value is not None})


def _request(summary: RequestSummary) -> dict[str, Any]:
    error = summary.error
    return {
        "request_id": summary.request_id,
        "method": summary.method,
        "path": quote(summary.path)[:MOST_OF_A_PATH],
        "status": summary.status,
        "seconds": round(summary.seconds, DIGITS),
        "address": summary.address,
        "key": summary.key_name,
        "error": error.code if error else None,
        # Faults of our own are told in our own words; those of clients may quote what they sent.
        "reason": error.message if error and error.status >= 500 else None,
    }


def _answer(record: Record) -> dict[str, Any]:
    first = record.first_seconds
    usage = record.usage
    return {
        "model": record.model,
        "outcome": record.outcome,
        "error": record.error,
        "stop_reason": record.stop_reason,
        "streamed": record.streamed,
        "first_seconds": None if first is None else round(first, DIGITS),
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "thinking_tokens": usage.thinking_tokens,
        "cost": usage.cost_usd,
        "is_estimated": record.is_estimated or None,
        "project_id": record.project_id,
        "session_id": record.session_id,
    }


def _timestamp(_: Any, __: str, event: EventDict) -> EventDict:
    """When it was logged, and not when it is written: the same in every place."""
    moment = datetime.fromtimestamp(event["_record"].created, timezone.utc)
    event["timestamp"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


def _use_our_handlers(name: str) -> None:
    """A logger that has handlers of its own, the server's: in the worker it speaks like the others."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True


def _rendering(form: str) -> list[Processor]:
    if form == "text":
        # Its own choice of traceback would show local variables, clients' messages and secrets among them.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]

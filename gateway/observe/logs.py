"""Log lines: JSON in production, readable in development, one shape for every logger."""

from __future__ import annotations

import logging

import structlog
from structlog.typing import Processor


def configure(level: str, form: str) -> None:
    """Send all log records to stderr in `form` ("json" or "text"), from `level` up."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _rendering(form: str) -> list[Processor]:
    if form == "text":
        # Its own choice of traceback would show local variables, clients' messages and secrets among them.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]

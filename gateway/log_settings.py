"""The settings of what the gateway tells about itself: the log, the list of requests, metrics and the dashboard."""

from dataclasses import dataclass
from pathlib import Path

from gateway.setting_fields import at_least, one_of, setting


@dataclass(frozen=True)  # a class cannot have two bases with slots
class LogSettings:
    """The settings of the log, the list of requests, metrics and the dashboard, as a part of `Settings`."""

    log_level: str = setting(
        "INFO",
        "Lowest level to log. With `DEBUG=true`, it is always `DEBUG`.",
        one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        section="Log and metrics",
        is_live=True,
    )
    log_format: str = setting(
        "auto",
        "Format of the log: one JSON object per line, or text for people. `auto` is text on a terminal.",
        one_of("auto", "json", "text"),
    )
    log_file_path: Path | None = setting(
        None, "File for the log, in addition to stderr. See [operations.md](operations.md#logs)."
    )
    log_max_bytes: int = setting(10 * 1024 * 1024, "Size at which the log file is rotated. 0 means never.")
    log_backup_count: int = setting(5, "Number of rotated log files to keep.", at_least(1))
    log_content: bool = setting(False, "Log the content of requests and answers. Use it for debugging only.")
    request_log_days: float = setting(
        30.0,
        "Days after which the [list of requests](admin.md#requests) forgets a request. 0 means no list.",
        is_live=True,
    )
    request_log_rows: int = setting(
        1_000_000, "Largest number of requests in the list.", at_least(1), is_live=True
    )
    request_bodies: bool = setting(
        False,
        "Keep the bodies of all requests and answers in the list, not only for keys that ask for it.",
    )
    request_bodies_days: float = setting(7.0, "Days after which kept bodies are deleted.", is_live=True)
    request_body_max_kb: int = setting(256, "Largest part of a body that is kept.", at_least(1))
    metrics: bool = setting(
        True, "Serve `GET /metrics` for Prometheus. It requires an admin key if `REQUIRE_AUTH` is set."
    )
    dashboard: bool = setting(
        True,
        "Serve the pages of [/dashboard](operations.md#dashboard). They require a key if `REQUIRE_AUTH` is set.",
    )

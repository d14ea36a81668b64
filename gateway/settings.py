"""All settings, from the environment and `.env`; the only place that reads either.

`.env` is looked for in the working directory, or is the file named by CLAUDE_CODE_API_ENV_FILE; the environment wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values
from environs import Env, EnvValidationError, validate

TITLE = "Claude Code gateway"
VERSION = "1.0.0"
# Tools of Claude Code that agent projects may have. Bash and the Web ones reach beyond the project's folder.
BUILT_IN_TOOLS = ("Bash", "Edit", "Glob", "Grep", "NotebookEdit", "Read", "WebFetch", "WebSearch", "Write")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsError(Exception):
    """One or more settings are not usable; the message names each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, validated. Names are those of the environment variables in lower case.

    `environ` is the whole environment that was read, for the CLI's child processes to be given a part of.
    """

    host: str = "0.0.0.0"
    port: int = 8000
    debug: bool = False
    log_level: str = "INFO"
    log_format: str = "json"
    log_file_path: Path | None = None
    log_max_bytes: int = 10 * 1024 * 1024
    log_backup_count: int = 5
    log_content: bool = False
    metrics: bool = True
    dashboard: bool = True
    claude_binary_path: str | None = None
    claude_api_key: str | None = field(default=None, repr=False)
    claude_code_api_models_path: Path | None = None
    claude_work_dir: Path = Path("data/empty")
    claude_max_retries: int = 2
    default_model: str | None = None
    warm_processes: int = 2
    max_warm_processes: int = 16
    max_concurrent_sessions: int = 10
    max_queued_requests: int = 20
    queue_timeout_seconds: float = 10.0
    streaming_timeout_seconds: float = 300.0
    turn_timeout_seconds: float = 3600.0
    start_timeout_seconds: float = 30.0
    tool_wait_seconds: float = 300.0
    keep_seconds: float = 300.0
    max_processes: int = 16
    require_auth: bool = False
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    database_url: str = field(default="sqlite:///data/gateway.db", repr=False)
    store_responses: bool = True
    responses_ttl_days: int = 30
    store_conversations: bool = False
    session_timeout_minutes: float = 30.0
    cleanup_interval_minutes: float = 60.0
    max_request_bytes: int = 64 * 1024 * 1024
    project_root: Path = Path("data/projects")
    max_project_size_mb: int = 1000
    allow_agent_projects: bool = False
    agent_tools: tuple[str, ...] = ("Edit", "Glob", "Grep", "NotebookEdit", "Read", "Write")
    agent_max_turns: int = 30
    allowed_origins: tuple[str, ...] = ("*",)
    trusted_proxies: int = 0
    rate_limit_requests_per_minute: int = 100
    rate_limit_burst: int = 10
    rate_limit_tokens_per_minute: int = 0
    rate_limit_answers_at_once: int = 0
    rate_limit_tokens_per_day: int = 0
    rate_limit_tokens_per_month: int = 0
    rate_limit_usd_per_day: float = 0.0
    rate_limit_usd_per_month: float = 0.0
    rate_limit_failed_auth_per_minute: int = 60
    rate_limit_storage_url: str | None = field(default=None, repr=False)
    web_concurrency: int = 1
    graceful_timeout_seconds: int = 60
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def load() -> Settings:
    """Read the settings. Raises SettingsError that names every bad one."""
    file = os.environ.get("CLAUDE_CODE_API_ENV_FILE") or ".env"
    env = Env(eager=False)
    env.read_env(file, recurse=False)
    values = _read(env)
    try:
        env.seal()
    except EnvValidationError as error:
        raise SettingsError(_explain(error)) from error
    from_file = {name: value for name, value in dotenv_values(file).items() if value is not None}
    return Settings(environ=from_file | dict(os.environ), **values)


def _explain(error: EnvValidationError) -> str:
    messages = cast("Mapping[str, list[str]]", error.error_messages)  # environs gives no list
    faults = (f"{name}: {' '.join(texts)}" for name, texts in messages.items())
    return f"Bad settings. {'; '.join(faults)}"


def _list(text: str) -> tuple[str, ...]:
    """`a,b`; the form `["a","b"]`, which other gateways ask for, means the same."""
    items = (part.strip(" \t[]\"'") for part in text.split(","))
    return tuple(item for item in items if item)


def _read(env: Env) -> dict[str, Any]:
    default = Settings()

    def number(name: str, least: int = 1) -> int:
        known: int = getattr(default, name)
        return env.int(name.upper(), known, validate=validate.Range(min=least))

    def seconds(name: str) -> float:
        known: float = getattr(default, name)
        return env.float(name.upper(), known, validate=validate.Range(min=0, min_inclusive=False))

    def amount(name: str) -> float:
        known: float = getattr(default, name)
        return env.float(name.upper(), known, validate=validate.Range(min=0))

    return {
        "host": env.str("HOST", default.host),
        "port": env.int("PORT", default.port, validate=validate.Range(min=0, max=65535)),
        "debug": env.bool("DEBUG", default.debug),
        "log_level": env.str("LOG_LEVEL", default.log_level, validate=validate.OneOf(LOG_LEVELS)),
        "log_format": env.str("LOG_FORMAT", default.log_format, validate=validate.OneOf(["json", "text"])),
        "log_file_path": env.path("LOG_FILE_PATH", None),
        "log_max_bytes": number("log_max_bytes", 0),
        "log_backup_count": number("log_backup_count"),
        "log_content": env.bool("LOG_CONTENT", default.log_content),
        "metrics": env.bool("METRICS", default.metrics),
        "dashboard": env.bool("DASHBOARD", default.dashboard),
        "claude_binary_path": env.str("CLAUDE_BINARY_PATH", None) or None,
        "claude_api_key": env.str("CLAUDE_API_KEY", None) or None,
        "claude_code_api_models_path": env.path("CLAUDE_CODE_API_MODELS_PATH", None),
        "claude_work_dir": env.path("CLAUDE_WORK_DIR", default.claude_work_dir),
        "claude_max_retries": number("claude_max_retries"),
        "default_model": env.str("DEFAULT_MODEL", None) or None,
        "warm_processes": number("warm_processes", 0),
        "max_warm_processes": number("max_warm_processes", 0),
        "max_concurrent_sessions": number("max_concurrent_sessions"),
        "max_queued_requests": number("max_queued_requests", 0),
        "queue_timeout_seconds": seconds("queue_timeout_seconds"),
        "streaming_timeout_seconds": seconds("streaming_timeout_seconds"),
        "turn_timeout_seconds": seconds("turn_timeout_seconds"),
        "start_timeout_seconds": seconds("start_timeout_seconds"),
        "tool_wait_seconds": seconds("tool_wait_seconds"),
        "keep_seconds": amount("keep_seconds"),
        "max_processes": number("max_processes"),
        "require_auth": env.bool("REQUIRE_AUTH", default.require_auth),
        "api_keys": _list(env.str("API_KEYS", "")),
        "database_url": env.str("DATABASE_URL", default.database_url),
        "store_responses": env.bool("STORE_RESPONSES", default.store_responses),
        "responses_ttl_days": number("responses_ttl_days"),
        "store_conversations": env.bool("STORE_CONVERSATIONS", default.store_conversations),
        "session_timeout_minutes": env.float(
            "SESSION_TIMEOUT_MINUTES", default.session_timeout_minutes, validate=validate.Range(min=0)
        ),
        "cleanup_interval_minutes": seconds("cleanup_interval_minutes"),
        "max_request_bytes": number("max_request_bytes"),
        "project_root": env.path("PROJECT_ROOT", default.project_root),
        "max_project_size_mb": number("max_project_size_mb"),
        "allow_agent_projects": env.bool("ALLOW_AGENT_PROJECTS", default.allow_agent_projects),
        "agent_tools": tuple(
            env.list("AGENT_TOOLS", list(default.agent_tools), validate=validate.ContainsOnly(BUILT_IN_TOOLS))
        ),
        "agent_max_turns": number("agent_max_turns"),
        "allowed_origins": _list(env.str("ALLOWED_ORIGINS", ",".join(default.allowed_origins))),
        "trusted_proxies": number("trusted_proxies", 0),
        "rate_limit_requests_per_minute": number("rate_limit_requests_per_minute", 0),
        "rate_limit_burst": number("rate_limit_burst", 0),
        "rate_limit_tokens_per_minute": number("rate_limit_tokens_per_minute", 0),
        "rate_limit_answers_at_once": number("rate_limit_answers_at_once", 0),
        "rate_limit_tokens_per_day": number("rate_limit_tokens_per_day", 0),
        "rate_limit_tokens_per_month": number("rate_limit_tokens_per_month", 0),
        "rate_limit_usd_per_day": amount("rate_limit_usd_per_day"),
        "rate_limit_usd_per_month": amount("rate_limit_usd_per_month"),
        "rate_limit_failed_auth_per_minute": number("rate_limit_failed_auth_per_minute", 0),
        "rate_limit_storage_url": env.str(
            "RATE_LIMIT_STORAGE_URL", "", validate=validate.Regexp(r"((rediss?|redis\+unix)://.+)?$")
        )
        or None,
        "web_concurrency": number("web_concurrency"),
        "graceful_timeout_seconds": number("graceful_timeout_seconds", 5),
    }

"""Every setting of the reference exists, with the same default and the same effect."""

import json
from dataclasses import fields
from pathlib import Path

from gateway.settings import Settings
from tests.ops.reference.contract import (
    ALLOWED_ORIGIN,
    API_KEYS,
    CHAT,
    CLAUDE_API_KEY,
    LOG_BACKUP_COUNT,
    LOG_MAX_BYTES,
)
from tests.support.api_client import Api, Body, error_of
from tests.support.gateway import Gateway, wait_for
from tests.support.scripted import ScriptedCli


def test_cors_preflight_needs_no_key_and_allows_listed_origins_only(reference_gateway: Gateway) -> None:
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in ((ALLOWED_ORIGIN, ALLOWED_ORIGIN), ("https://evil.example", None)):
        answer = reference_gateway.api.options(CHAT, headers={"Origin": origin, **preflight})
        assert answer.status_code == 200
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_cli_gets_its_key_an_empty_folder_and_no_tools(reference_gateway: Gateway) -> None:
    processes = wait_for(reference_gateway.cli_processes, 10)
    for process in processes:
        with process.oneshot():
            environ, command, folder = process.environ(), process.cmdline(), Path(process.cwd())
        assert environ["ANTHROPIC_API_KEY"] == CLAUDE_API_KEY
        assert not {"API_KEYS", "CLAUDE_API_KEY", "DATABASE_URL"} & environ.keys()
        assert not any(CLAUDE_API_KEY in part or API_KEYS[0] in part for part in command)
        assert "--tools=" in command
        assert not any("bypass" in part or "dangerously" in part for part in command)
        assert folder == Path(reference_gateway.home.name, "empty").resolve()
        assert list(folder.iterdir()) == []


def test_size_of_a_project_is_limited(api: Api, cli: ScriptedCli) -> None:
    project = api.create_project()
    assert (cli.home / "projects" / project["path"]).is_dir()
    url = f"/v1/projects/{project['id']}/files/large"
    too_large = api.put(url, content=b"x" * (1 << 20) + b"x")
    assert error_of(too_large)[:2] == (413, "project_too_large")
    assert api.put(url, content=b"x" * 1000).status_code == 200


def test_log_file_is_rotated(api: Api, cli: ScriptedCli) -> None:
    answer = api.get("/v1/models/capabilities")

    request_id = answer.headers["x-request-id"]

    def logged() -> list[Body]:
        return [json.loads(line) for line in (cli.home / "file.log").read_text("utf-8").splitlines()]

    wait_for(lambda: any(line.get("request_id") == request_id for line in logged()))
    while not (cli.home / f"file.log.{LOG_BACKUP_COUNT}").exists():
        assert api.get("/v1/models").status_code == 200
    assert not (cli.home / f"file.log.{LOG_BACKUP_COUNT + 1}").exists()
    for path in cli.home.glob("file.log*"):
        *lines, _ = path.read_bytes().splitlines(keepends=True) or [b""]
        assert sum(map(len, lines)) < LOG_MAX_BYTES, path  # the last line may pass the limit


REFERENCE_DEFAULTS = {
    "port": 8000,
    "debug": False,
    "log_level": "INFO",
    "max_concurrent_sessions": 10,
    "session_timeout_minutes": 30,
    "max_project_size_mb": 1000,
    "cleanup_interval_minutes": 60,
    "rate_limit_requests_per_minute": 100,
    "rate_limit_burst": 10,
    "streaming_timeout_seconds": 300,
    "require_auth": False,
    "api_keys": (),
}
OTHER_SETTINGS = (
    "log_format log_file_path log_max_bytes log_backup_count claude_binary_path claude_api_key default_model "
    "project_root host database_url allowed_origins claude_code_api_models_path"
)


def test_every_setting_of_the_reference_exists() -> None:
    settings = Settings()
    assert {name: getattr(settings, name) for name in REFERENCE_DEFAULTS} == REFERENCE_DEFAULTS
    assert {field.name for field in fields(Settings)} >= set(OTHER_SETTINGS.split())

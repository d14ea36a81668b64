"""Settings over HTTP and on the command line: values, sources, changes, refusals, and the findings of `doctor`."""

from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from gateway.api.http.context import services_of
from gateway.command_line.checks.run_time import apply_run_time
from gateway.command_line.group import main
from gateway.command_line.welcome import describe_gateway, format_welcome
from gateway.settings import DECLARED, Settings
from gateway.store.audit import Actor
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.runtime_settings import RuntimeSettings
from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApp

URL = "/v1/admin/settings"


@pytest.fixture
def app(make_app: MakeApp, keys: Keys) -> Flask:
    keys.create("unused")
    return make_app(require_auth=True, api_keys=("not-to-be-shown",), claude_api_key="sk-not-to-be-shown")


def test_all_settings_are_listed_without_secrets(admin: Api) -> None:
    answer = admin.get(URL)
    listed = {one["name"]: one for one in answer.json()["data"]}
    assert list(listed) == [one.name.upper() for one in DECLARED]
    assert "not-to-be-shown" not in answer.text
    assert listed["API_KEYS"]["value"] == "set, not shown"
    assert listed["PROJECT_ROOT"]["value"] == "data/projects"
    assert listed["KEEP_SECONDS"] == {
        "object": "setting",
        "name": "KEEP_SECONDS",
        "value": 300.0,
        "source": "default",
        "default": 300.0,
        "configured": 300.0,
        "place": "",
        "is_live": True,
        "accepted": "number: 0 or more",
        "description": "Time that a process stays with its conversation for the next turn. 0 means none.",
        "section": "Processes and limits, per worker",
        "changed_at": None,
        "changed_by": None,
    }


def test_setting_is_changed_and_reset(app: Flask, admin: Api) -> None:
    changed = admin.patch(f"{URL}/keep_seconds", json={"value": 60}).json()
    assert (changed["value"], changed["source"], changed["changed_by"]) == (60.0, "run_time", "root")
    assert services_of(app).settings.keep_seconds == 60
    assert admin.get(f"{URL}/KEEP_SECONDS").json() == changed
    assert admin.patch(f"{URL}/ALERT_KINDS", json={"value": ["disk", "cli"]}).json()["value"] == [
        "disk",
        "cli",
    ]
    restored = admin.delete(f"{URL}/KEEP_SECONDS").json()
    assert (restored["value"], restored["source"], restored["changed_at"]) == (300.0, "default", None)
    actions = admin.get("/v1/admin/audit?action=setting").json()["data"]
    assert [(one["action"], one["target_id"], one["actor_name"]) for one in actions] == [
        ("setting.reset", "KEEP_SECONDS", "root"),
        ("setting.change", "ALERT_KINDS", "root"),
        ("setting.change", "KEEP_SECONDS", "root"),
    ]


def test_list_of_requests_can_be_turned_off_and_on(app: Flask, admin: Api) -> None:
    services = services_of(app)
    for days, count in ((30, 1), (0, 1), (30, 2)):
        assert admin.patch(f"{URL}/REQUEST_LOG_DAYS", json={"value": days}).status_code == 200
        assert admin.with_key("wrong").get("/v1/models").status_code == 401
        services.request_log.flush()
        assert len(admin.get("/v1/admin/requests").json()["data"]) == count


def test_refusals_name_the_reason(admin: Api) -> None:
    wrong = error_of(admin.patch(f"{URL}/KEEP_SECONDS", json={"value": -1}))
    assert (wrong.code, wrong.param) == ("invalid_request", "value")
    assert wrong.message.startswith("KEEP_SECONDS=-1: ")
    assert wrong.message.endswith(" Expected number: 0 or more.")
    for method in ("PATCH", "DELETE"):
        body = {"value": "false"} if method == "PATCH" else None
        fixed = admin.request(method, f"{URL}/REQUIRE_AUTH", json=body)
        assert (fixed.status_code, error_of(fixed).code) == (400, "setting_fixed")
        unknown = admin.request(method, f"{URL}/NO_SETTING", json=body)
        assert (unknown.status_code, error_of(unknown).code) == (404, "setting_not_found")
    assert admin.get(f"{URL}/environ").status_code == 404
    wrong_bodies: list[Any] = [{}, {"value": None}, {"value": {}}, [], {"values": 1}]
    for wrong_body in wrong_bodies:
        assert admin.patch(f"{URL}/KEEP_SECONDS", json=wrong_body).status_code == 400
    assert admin.get("/v1/admin/audit?action=setting").json()["data"] == []


def test_command_line_changes_a_running_gateway(
    app: Flask, admin: Api, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    monkeypatch.setenv("CLAUDE_API_KEY", "sk-not-to-be-shown")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["settings", *arguments])

    done = run("set", "keep_seconds", "60")
    assert done.output.startswith("KEEP_SECONDS=60 (run time: command line, "), done.output
    services_of(app).live_settings.refresh()
    assert admin.get(f"{URL}/KEEP_SECONDS").json()["value"] == 60
    listed = {line.split()[0]: line for line in run("list", "--changed").output.splitlines()}
    assert "the environment" in listed["LOG_LEVEL"]
    assert "60" in listed["KEEP_SECONDS"]
    assert "not-to-be-shown" not in run("list").output
    assert "PORT" not in run("list", "--live").output
    for arguments, words in (
        (("set", "KEEP_SECONDS", "-1"), "Expected number: 0 or more."),
        (("set", "PORT", "80"), "cannot be changed while the gateway runs"),
        (("reset", "KEEP_SECOND"), "Did you mean KEEP_SECONDS?"),
    ):
        refused = run(*arguments)
        assert (refused.exit_code, words in refused.output) == (1, True)
    assert run("reset", "KEEP_SECONDS").output.startswith("KEEP_SECONDS=300 (default). ")


def test_doctor_and_the_start_name_the_changed_settings(store: Store, database_url: str) -> None:
    RuntimeSettings(store).change("RATE_LIMIT_REQUESTS_PER_MINUTE", "7", Actor("root"))
    settings, ((mark, text),) = apply_run_time(Settings(database_url=database_url))
    assert (mark, settings.rate_limit_requests_per_minute) == ("note", 7)
    assert text.startswith(
        "RATE_LIMIT_REQUESTS_PER_MINUTE=7 was set at run time by root, and wins over 100 (default)"
    )
    shown = format_welcome(describe_gateway(Settings(), None, ["KEEP_SECONDS", "LOG_LEVEL"]))
    assert "  Changed    at run time: KEEP_SECONDS, LOG_LEVEL. See: " in shown
    assert "Changed" not in format_welcome(describe_gateway(Settings(), None))


def test_doctor_creates_no_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("empty") / "gateway.db"
    settings = Settings(database_url=f"sqlite:///{path}")
    assert apply_run_time(settings) == (settings, [])
    assert not path.exists()
    broken = Settings(database_url="postgresql://nobody@127.0.0.1:1/none")
    found, ((mark, text),) = apply_run_time(broken)
    assert (found, mark, "changes at run time are unknown" in text) == (broken, "note", True)

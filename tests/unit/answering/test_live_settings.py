"""Settings that change at run time: precedence, refusals, and changes by other processes."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answering.live_settings import LIVE, LiveSettings
from gateway.answering.services import Services, build_services
from gateway.errors import GatewayError, InvalidRequest, SettingFixed, SettingNotFound, StoreError
from gateway.setting_fields import format_value, parse_setting
from gateway.settings import DECLARED, Settings
from gateway.store.audit import COMMAND_LINE, Actor, AuditLog, AuditQuery
from gateway.store.runtime_settings import RuntimeSettings

ALICE = Actor("alice", "key_1")
#: Settings whose change could open the gateway, or lead it to other files, programs or hosts.
PROTECTING = (
    "require_auth", "api_keys", "host", "port", "trusted_proxies", "allowed_origins", "allowed_hosts", "database_url",
    "rate_limit_failed_auth_per_minute", "rate_limit_storage_url", "project_root", "allow_agent_projects",
    "agent_tools", "agent_sandbox", "agent_sandbox_domains", "hosted_tools", "mcp_config_path", "mcp_allow_any_server",
    "claude_binary_path", "claude_api_key", "accounts_path", "claude_work_dir", "log_content", "request_bodies",
    "log_file_path", "alert_webhook_url", "alert_slack_url", "alert_ntfy_url", "alert_smtp_url", "alert_email_to",
)  # fmt: skip


def refusal(live: LiveSettings, name: str, value: object) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        live.change(name, value, ALICE)
    return caught.value


def test_nothing_that_protects_the_gateway_is_live() -> None:
    assert not {name.upper() for name in PROTECTING} & LIVE.keys()
    assert set(PROTECTING) <= {one.name for one in DECLARED}
    assert not [one.name for one in LIVE.values() if not one.repr or "path" in one.name or "url" in one.name]


def test_change_wins_over_the_settings_file_until_it_is_reset(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.env"
    file.write_text("PORT=8001\nKEEP_SECONDS=120\n")
    environ = {
        "CLAUDE_CODE_API_ENV_FILE": str(file),
        "KEEP_SECONDS": "120",
        "PORT": "8001",
        "LOG_LEVEL": "INFO",
    }
    live = LiveSettings(
        replace(Settings(), keep_seconds=120.0, environ=environ), RuntimeSettings(services.store)
    )
    assert [
        (one.source, one.place)
        for one in map(live.describe, ("KEEP_SECONDS", "LOG_LEVEL", "TURN_TIMEOUT_SECONDS"))
    ] == [
        ("file", f"{file}, line 2"),
        ("environment", "the environment"),
        ("default", ""),
    ]
    live.change("keep_seconds", 60, ALICE)
    changed = live.describe("KEEP_SECONDS")
    assert (changed.source, changed.value, changed.configured) == ("run_time", 60.0, 120.0)
    assert changed.change is not None
    assert (changed.change.changed_by, live.current.keep_seconds) == ("alice", 60.0)
    live.reset("KEEP_SECONDS", ALICE)
    assert (live.describe("KEEP_SECONDS").source, live.current) == ("file", live.configured)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("KEEP_SECONDS", -1, "KEEP_SECONDS=-1: .* Expected number: 0 or more."),
        ("KEEP_SECONDS", "soon", "KEEP_SECONDS=soon: Not a valid number. Expected number: 0 or more."),
        ("KEEP_SECONDS", "nan", "KEEP_SECONDS=nan: "),
        ("MAX_KEY_SHARE_PERCENT", 101, "Expected integer: 1 to 100."),
        ("MAX_KEY_SHARE_PERCENT", 1.5, "Expected integer: 1 to 100."),
        ("MAX_KEY_SHARE_PERCENT", "", "Expected integer: 1 to 100."),
        ("LOG_LEVEL", "LOUD", "Expected DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        ("ALERT_KINDS", ["budget", "weather"], "ALERT_KINDS=budget,weather: "),
        ("ALERT_KINDS", [["budget"]], "Expected a text, a number, a boolean or a list of texts."),
        ("DEFAULT_MODEL", {"name": "haiku"}, "Expected a text"),
        ("MODEL_PATTERNS", "gpt", "Expected list of PATTERN=MODEL."),
    ],
)  # fmt: skip
def test_invalid_value_is_refused_with_name_value_and_range(
    services: Services, name: str, value: object, words: str
) -> None:
    error = refusal(services.live_settings, name, value)
    assert (type(error), error.status, error.param) == (InvalidRequest, 400, "value")
    with pytest.raises(InvalidRequest, match=words):
        raise error
    assert services.settings == services.live_settings.configured


def test_fixed_and_unknown_settings_are_refused_with_the_reason(services: Services) -> None:
    live = services.live_settings
    fixed, unknown = refusal(live, "REQUIRE_AUTH", "false"), refusal(live, "KEEP_SECOND", 1)
    assert (type(fixed), fixed.status) == (SettingFixed, 400)
    assert "restart" in fixed.message
    assert (type(unknown), unknown.status) == (SettingNotFound, 404)
    assert unknown.message == "There is no setting KEEP_SECOND. Did you mean KEEP_SECONDS?"
    for method in (live.reset, lambda name, by: live.describe(name)):
        with pytest.raises(SettingNotFound):
            method("ENVIRON", ALICE)


def test_change_of_another_process_is_applied_by_the_next_look(services: Services) -> None:
    other = LiveSettings(Settings(), RuntimeSettings(services.store))
    other.change("WARM_PROCESSES", "7", COMMAND_LINE)
    assert services.settings.warm_processes == 2
    services.live_settings.refresh()
    assert services.settings.warm_processes == 7
    heard: list[Settings] = []
    services.live_settings.on_change = heard.append
    services.live_settings.refresh()
    assert heard == []  # nothing is new


def test_change_survives_a_restart(services: Services, database_url: str) -> None:
    services.live_settings.change("FILES_TTL_DAYS", 3, ALICE)
    again = build_services(Settings(database_url=database_url))
    assert (again.settings.files_ttl_days, again.files.limits.ttl.days) == (3, 3)
    again.store.close()


def test_rows_of_another_release_are_ignored_with_a_warning(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    table = RuntimeSettings(services.store)
    for name, value in (
        ("REQUIRE_AUTH", "false"),
        ("OLD_SETTING", "1"),
        ("KEEP_SECONDS", "-3"),
        ("FILES_TTL_DAYS", "4"),
    ):
        table.change(name, value, ALICE)
    with caplog.at_level(logging.WARNING):
        services.live_settings.refresh()
    assert services.settings == replace(services.live_settings.configured, files_ttl_days=4)
    assert services.live_settings.changes.keys() == {"FILES_TTL_DAYS"}
    assert caplog.text.count("is ignored") == 3


def test_each_change_is_in_the_audit_log(services: Services) -> None:
    live = services.live_settings
    live.change("KEEP_SECONDS", 60, ALICE)
    live.change("KEEP_SECONDS", "30", COMMAND_LINE)
    live.reset("KEEP_SECONDS", ALICE)
    live.reset("KEEP_SECONDS", ALICE)  # no change, and no entry
    entries = AuditLog(services.store).list_page(AuditQuery(target_id="KEEP_SECONDS")).entries
    assert [(one.action, one.actor_name, one.before, one.after) for one in reversed(entries)] == [
        ("setting.change", "alice", None, {"value": "60"}),
        ("setting.change", "command line", {"value": "60"}, {"value": "30"}),
        ("setting.reset", "alice", {"value": "30"}, None),
    ]


def test_database_that_fails_leaves_the_settings_as_they_are(services: Services) -> None:
    services.live_settings.change("KEEP_SECONDS", 60, ALICE)
    services.store.write(lambda db: db.execute_sql("DROP TABLE runtime_settings"))
    with pytest.raises(StoreError):
        services.live_settings.refresh()
    assert services.settings.keep_seconds == 60


@given(data=st.data())
def test_value_in_force_is_read_back_as_it_is_shown(data: st.DataObject) -> None:
    """A form or a client that sends back what it was shown changes nothing."""
    declared = data.draw(st.sampled_from([one for one in LIVE.values() if one.type in (int, float)]))
    numbers = st.integers(1, 100) if declared.type is int else st.floats(0.001, 1e9)
    value = data.draw(numbers)
    assert parse_setting(declared, format_value(value)) == value


def test_defaults_are_valid_values() -> None:
    for declared in LIVE.values():
        assert parse_setting(declared, format_value(declared.default)) == declared.default

"""The command line: `claude-gateway keys …`, `usage …` and `connect …`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.client_recipes.catalog import RECIPES
from gateway.command_line.group import main
from gateway.store.keys import Keys
from gateway.store.usage import UsageTable
from tests.support.apps import MakeApi
from tests.support.gateway import ROOT
from tests.support.usage_records import make_record

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command on this test's database, for example `run("keys", "list")`."""
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_gateway_is_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: ./claude-gateway" in done.stdout


# Keys


def test_team_is_made_and_its_changes_are_in_the_audit_log(run: Run, keys: Keys) -> None:
    assert run("teams", "list").output == "There are no teams.\n"
    team_id = run("teams", "create", "web", "--usd-per-month", "200").output.partition(" ")[0]
    run("keys", "create", "alice", "--team", team_id)
    (key,) = keys.list()
    assert (key.team_id, key.team_limits) == (team_id, {"usd_per_month": 200})
    assert "usd_per_day=5" in run("teams", "limit", team_id, "--usd-per-day", "5").output
    assert run("teams", "delete", team_id).exit_code == 1
    assert run("keys", "team", key.id, "none").output == f"{key.id} (alice): no team\n"
    assert run("keys", "team", key.id, "team_none").exit_code == 1
    assert run("teams", "delete", team_id).exit_code == 0
    listed = run("audit", "--action", "team").output
    assert [line.split()[4] for line in listed.splitlines()[1:]] == [
        "team.delete",
        "team.change",
        "team.create",
    ]
    assert f"team_id: {team_id} → -" in run("audit", "--target", key.id).output


def test_hosted_tools_of_a_key_replace_the_setting(run: Run, keys: Keys) -> None:
    run("keys", "create", "alice")
    run("keys", "create", "bob", "--hosted-tool", "web_search")
    run("keys", "create", "carol", "--hosted-tool", "none")
    assert [key.hosted_tools for key in keys.list()] == [None, ("web_search",), ()]
    alice = keys.list()[0].id
    assert run("keys", "tools", alice, "web_search", "web_fetch").output.endswith(": web_search, web_fetch\n")
    assert "Hosted tools:  web_search, web_fetch" in run("keys", "show", alice).output
    run("keys", "tools", alice, "none")
    assert keys.get(alice).hosted_tools == ()
    run("keys", "tools", alice, "default")
    assert keys.get(alice).hosted_tools is None
    assert run("keys", "tools", alice, "telepathy").exit_code == 2


def test_key_is_created_shown_rotated_and_revoked(run: Run, make_api: MakeApi, keys: Keys) -> None:
    api = make_api(require_auth=True, api_keys=("configured",))
    assert run("keys", "list").output == "There are no keys.\n"
    plain = run("keys", "create", "alice", "--days", "2", "--model", "haiku", "--admin").stdout.strip()
    run("keys", "create", "somebody with a long name")
    assert api.with_key(plain).get("/v1/models").status_code == 200
    alice = keys.list()[0]
    assert (alice.is_admin, alice.allowed_models, alice.allowed_projects) == (True, ("haiku",), None)
    assert alice.expires_at is not None
    assert timedelta(days=1.9) < alice.expires_at - datetime.now(timezone.utc) < timedelta(days=2)
    rotated = run("keys", "rotate", alice.id).stdout.strip()
    assert rotated not in ("", plain)
    shown = run("keys", "show", alice.id).output
    assert re.search(r"^Models: +haiku$", shown, re.M)
    assert run("keys", "revoke", alice.id).output == f"{alice.id} (alice) is revoked.\n"
    assert api.with_key(rotated).get("/v1/models").status_code == 401
    for text in (shown, run("keys", "list").output):
        assert rotated not in text


def test_columns_of_the_key_list_are_aligned(run: Run) -> None:
    for name in ("a", "a much longer name"):
        run("keys", "create", name)
    lines = run("keys", "list").output.splitlines()
    assert len(lines) == 3
    words = ("STATE", "active", "active")
    assert len({line.index(word) for line, word in zip(lines, words, strict=True)}) == 1


@pytest.mark.parametrize("command", ["show", "revoke", "rotate"])
def test_unknown_key_is_a_one_line_error(run: Run, command: str) -> None:
    result = run("keys", command, "key_unknown")
    assert result.exit_code == 1
    assert result.output == "Error: There is no key key_unknown. See: ./claude-gateway keys list\n"


@pytest.mark.parametrize("database_url", ["postgresql://host/db", "sqlite:////proc/none/x.db"])
def test_unusable_database_is_a_one_line_error(run: Run) -> None:
    result = run("keys", "list")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_limits_of_a_key_are_set_changed_and_shown(run: Run, keys: Keys) -> None:
    run("keys", "create", "alice", "--usd-per-month", "2.5", "--requests-per-minute", "7")
    (alice,) = keys.list()
    assert alice.limits == {"usd_per_month": 2.5, "requests_per_minute": 7}
    changed = run("keys", "limit", alice.id, "--tokens-per-day", "0", "--usd-per-month", "default").output
    assert changed == f"{alice.id} (alice): requests_per_minute=7, tokens_per_day=0\n"
    assert "requests_per_minute=7, tokens_per_day=0" in run("keys", "show", alice.id).output
    for value in ("-1", "1.5", "nan", "many"):
        rejected = run("keys", "limit", alice.id, "--tokens-per-day", value).output
        assert "Use a number that is 0 or more, or 'default'." in rejected
    unknown = run("keys", "limit", "key_unknown", "--tokens-per-day", "1").output
    assert "There is no key key_unknown" in unknown
    assert json.dumps(keys.get(alice.id).limits) == '{"requests_per_minute": 7, "tokens_per_day": 0}'


# Usage


def test_usage_is_a_table_with_aligned_columns_and_a_total(run: Run, usage_table: UsageTable) -> None:
    def lines(*arguments: str) -> list[str]:
        result = run("usage", *arguments)
        assert result.exit_code == 0, result.output
        return list(result.output.splitlines())

    assert lines() == ["There is no usage."]
    alices = make_record(key_id="a", key_name="alice")
    long_ago = make_record(started_at=datetime.now(timezone.utc) - timedelta(days=3))
    usage_table.add_records([alices, alices, make_record(), long_ago])
    heading, alice, no_key, sums = lines("--by", "key", "--days", "2")
    assert heading.split()[:2] == ["KEY", "REQUESTS"]
    assert re.fullmatch(r"a \(alice\) +2 +0 +0 +2 +40 +600 +8,000 +\$0\.50", alice)
    assert (no_key.split()[:2], sums.split()[:2]) == (["-", "1"], ["TOTAL", "3"])
    assert len({len(line) for line in (heading, alice, no_key, sums)}) == 1
    assert len(lines()) == 4  # two days
    assert run("usage", "--days", "0").exit_code == 2


# Connect


def test_connect_lists_clients(run: Run) -> None:
    listed = run("connect").output
    assert re.search(r"^codex +Codex CLI +/v1/responses$", listed, re.M)
    assert len(listed.splitlines()) == len(RECIPES) + 1


def test_connect_shows_a_client_with_address_key_and_model(run: Run) -> None:
    options = ("--address", "https://gateway.example/v1/", "--key", "sk-1", "--model", "opus")
    shown = run("connect", "codex", *options).output
    assert 'base_url = "https://gateway.example/v1"\n' in shown
    assert 'model = "opus"\n' in shown
    assert "export GATEWAY_API_KEY=sk-1\n" in shown


def test_connect_uses_the_settings_of_the_gateway(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("DEFAULT_MODEL", "haiku")
    shown = run("connect", "codex").stdout
    assert 'base_url = "http://localhost:8123/v1"\n' in shown
    assert 'model = "haiku"\n' in shown
    assert "=unused\n" in shown
    monkeypatch.setenv("REQUIRE_AUTH", "true")
    asked = run("connect", "codex")
    assert "=YOUR_KEY\n" in asked.stdout
    assert "./claude-gateway keys create codex" in asked.stderr


def test_connect_rejects_unknown_clients_and_models(run: Run) -> None:
    unknown = run("connect", "netscape")
    assert unknown.exit_code == 2
    assert "'codex'" in unknown.output
    refused = run("connect", "codex", "--model", "gpt-17")
    assert refused.exit_code == 1
    assert "The model 'gpt-17' is not supported." in refused.output


def test_mistake_in_another_setting_does_not_keep_a_key_from_being_revoked(
    run: Run, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = keys.create("alice")
    monkeypatch.setenv("PORT", "many")
    assert "the environment: PORT=many" in run("keys", "revoke", key.id).output
    assert "revoked" in run("keys", "list").output


def test_paths_of_users_are_relative_to_the_folder_that_they_are_in(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CLAUDE_GATEWAY_HOME": str(home)}

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(command, cwd=here, env=environ, capture_output=True, text=True, timeout=60)

    assert run_here("keys", "create", "alice").returncode == 0
    saved = run_here("backup", "saved.tar.gz")
    assert saved.returncode == 0, saved.stderr
    assert [path.name for path in here.iterdir()] == ["saved.tar.gz"]
    assert (home / "data/gateway.db").exists()

"""`/v1/admin/accounts`, and `claude-gateway accounts resume`.

tests/model/test_accounts.py tests logins with the real CLI.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.api.http.context import services_of
from gateway.command_line.group import main
from gateway.store.keys import Key
from gateway.turn import Usage
from tests.support.accounts import record_states, write_accounts
from tests.support.api_client import Api, body_of, error_of
from tests.support.apps import MakeApp
from tests.support.usage_records import make_record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_accounts(tmp_path)


@pytest.fixture
def app(make_app: MakeApp, path: Path) -> Flask:
    """Return an app with five accounts: one rests, and one is logged out."""
    app = make_app(accounts_path=path)
    record_states(services_of(app).accounts)
    return app


@pytest.fixture
def api(app: Flask) -> Api:
    """Return a client of the app, which asks for no keys."""
    return Api.of_app(app)


@pytest.fixture
def user(app: Flask) -> Key:
    """Return a key that is bound to two accounts."""
    return services_of(app).keys.create("alice", accounts=["team", "bob"])[0]


def test_accounts_are_listed_without_their_secrets(app: Flask, api: Api, user: Key) -> None:
    keys = services_of(app).keys
    keys.revoke(keys.create("gone", accounts=["team"])[0].id)
    answer = api.get("/v1/admin/accounts")
    assert "secret" not in answer.text
    found = {one["name"]: one for one in body_of(answer)["data"]}
    assert {name: (one["kind"], one["source"], one["is_shared"]) for name, one in found.items()} == {
        "team": ("login", "folder", True),
        "metered": ("api_key", "variables", True),
        "bob": ("token", "variables", False),
        "cloud": ("bedrock", "variables", False),
        "own": ("login", "environment", False),
    }
    states = [found[name]["state"] for name in ("team", "metered", "bob", "own")]
    assert states == ["ready", "resting", "logged_out", "ready"]
    assert [found[name]["logged_in"] for name in ("team", "bob")] == [None, False]
    assert [rest["reason"] for rest in found["metered"]["rests"]] == ["overloaded", "quota"]
    assert found["bob"]["advice"] == "Correct the variables of the account bob in the list of accounts."
    assert found["team"]["windows"][0]["utilization"] == 0.92
    assert found["team"]["keys"] == [{"id": user.id, "name": "alice"}]
    assert found["team"]["processes"] == {"warm": 0, "starting": 0, "kept": 0, "running": 0}
    assert body_of(api.get("/v1/admin/accounts/team")) == found["team"]


def test_usage_of_an_account_is_summed_up(app: Flask, api: Api) -> None:
    cost = Usage(output_tokens=5, cost_usd=1.5)
    services_of(app).usage.add_records(
        [
            make_record(account="team", usage=cost),
            make_record(account="bob", usage=cost),
            make_record(usage=cost),
        ]
    )
    usage = body_of(api.get("/v1/admin/accounts/team"))["usage"]
    for period in ("last_24_hours", "last_30_days"):
        assert (usage[period]["requests"], usage[period]["cost"], usage[period]["total_tokens"]) == (
            1,
            1.5,
            5,
        )
    rows = {row["account"]: row["requests"] for row in api.usage(group_by="account")["data"]}
    assert rows == {"team": 1, "bob": 1, None: 1}


def test_usage_without_a_list_belongs_to_the_only_account(make_app: MakeApp) -> None:
    app = make_app()
    services_of(app).usage.add_records([make_record()])
    (account,) = body_of(Api.of_app(app).get("/v1/admin/accounts"))["data"]
    assert (account["name"], account["source"]) == ("default", "environment")
    assert account["usage"]["last_24_hours"]["requests"] == 1


def test_account_that_rests_is_resumed_for_all_workers(
    app: Flask, api: Api, make_app: MakeApp, path: Path
) -> None:
    second = make_app(accounts_path=path)
    other = services_of(second)
    services_of(app).account_sync.share()
    assert body_of(Api.of_app(second).get("/v1/admin/accounts/metered"))["state"] == "resting"
    assert body_of(api.post("/v1/admin/accounts/metered/resume"))["state"] == "ready"
    other.account_sync.share()
    assert other.accounts.status("metered").rests == ()
    assert api.post("/v1/admin/accounts/metered/resume").status_code == 200  # again, without an entry
    (entry,) = api.get("/v1/admin/audit?action=account").json()["data"]
    assert (entry["action"], entry["target_id"], entry["after"]) == (
        "account.resume",
        "metered",
        {"rests": []},
    )
    assert [text.partition(" ")[0] for text in entry["before"]["rests"]] == ["overloaded", "quota"]


def test_command_resumes_an_account(
    app: Flask, path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services_of(app).account_sync.share()
    settings = {
        "CLAUDE_CODE_API_ENV_FILE": "/nonexistent",
        "DATABASE_URL": database_url,
        "ACCOUNTS_PATH": str(path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(main, ["accounts", "resume", "metered"]).output == "metered is asked again.\n"
    services_of(app).account_sync.share()
    assert services_of(app).accounts.status("metered").rests == ()
    assert CliRunner().invoke(main, ["accounts", "resume", "nobody"]).exit_code == 1


def test_unknown_account_and_missing_cli_are_named(api: Api) -> None:
    for method, path in (("GET", ""), ("POST", "/test"), ("POST", "/resume")):
        found = error_of(api.request(method, f"/v1/admin/accounts/nobody{path}"))
        assert found[:2] == (404, "account_not_found")
        assert "team, metered, bob, cloud, own" in found.message
    assert error_of(api.post("/v1/admin/accounts/team/test"))[:2] == (503, "claude_unavailable")

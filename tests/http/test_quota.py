"""`GET /v1/quota` and `claude-gateway quota`: the rest of limits, budgets and the accounts' windows."""

import time
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.accounts.states import Window
from gateway.answering.caller import Caller, identity_of
from gateway.api.http.context import services_of
from gateway.command_line.group import main
from gateway.store.keys import Key, Keys
from gateway.turn import Usage
from tests.support.api_client import Api
from tests.support.apps import MakeApi, MakeApp

LIMITS: dict[str, Any] = {"usd_per_month": 5, "tokens_per_month": 1000, "answers_at_once": 2}
SOON = time.time() + 3600


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return an app whose account has used 42 % of a window and whose weekly window was reset since."""
    app = make_app(require_auth=True, api_keys=("configured",), rate_limit_burst=10)
    services = services_of(app)
    windows = {"five_hour": Window(0.42, SOON, "allowed"), "seven_day": Window(0.9, time.time() - 60)}
    services.accounts.record_windows("default", windows)
    services.account_sync.share()
    return app


def charge(app: Flask, key: Key, usage: Usage) -> None:
    """Charge an answer to the budgets of a key."""
    limits = services_of(app).limits
    caller = Caller(identity_of(key), key.id, address="", user_agent="", request_id="")
    limits.charge(limits.find_client(caller), usage)


def test_key_sees_its_limits_their_rests_and_the_windows(app: Flask, keys: Keys) -> None:
    alice, secret = keys.create("alice", limits=LIMITS)
    charge(app, alice, Usage(output_tokens=200, cost_usd=1.25))
    api = Api.of_app(app, key=secret)
    api.chat([])  # counts as a request
    found = api.get("/v1/quota").json()
    assert found["object"] == "quota"
    assert found["key"] == {"id": alice.id, "name": "alice", "team_id": None}
    assert found["limits"]["usd_per_month"] == 5
    assert found["limits"]["tokens_per_day"] == 0
    left = {row["name"]: (row["limit"], row["used"], row["remaining"]) for row in found["budgets"]}
    assert left == {
        "requests_per_minute": (100, 1, 99),
        "usd_per_month": (5, 1.25, 3.75),
        "tokens_per_month": (1000, 200, 800),
    }
    (account,) = found["accounts"]
    assert (account["name"], account["state"], account["resting_until"]) == ("default", "ready", None)
    used = {window["name"]: window["utilization"] for window in account["windows"]}
    assert used == {"five_hour": 0.42, "seven_day": 0.0}
    resets_at = datetime.fromisoformat(account["windows"][0]["resets_at"])
    assert resets_at.timestamp() == pytest.approx(SOON)


def test_quota_needs_a_key_and_shows_no_other_key(app: Flask, keys: Keys) -> None:
    keys.create("alice", limits=LIMITS)
    bob = Api.of_app(app, key=keys.create("bob")[1]).get("/v1/quota")
    assert "alice" not in bob.text
    assert [row["name"] for row in bob.json()["budgets"]] == ["requests_per_minute"]
    assert Api.of_app(app).get("/v1/quota").status_code == 401
    assert Api.of_app(app, key="configured").get("/v1/quota").json()["key"]["name"] == "API_KEYS"


def test_gateway_without_keys_shows_the_quota_of_the_address(make_api: MakeApi) -> None:
    found = make_api(rate_limit_tokens_per_day=50).get("/v1/quota").json()
    assert found["key"] is None
    assert [row["name"] for row in found["budgets"]] == ["requests_per_minute", "tokens_per_day"]


def test_command_shows_windows_and_budgets_of_active_keys(
    app: Flask, keys: Keys, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = keys.create("alice", limits=LIMITS)
    gone, _ = keys.create("gone", limits=LIMITS)
    keys.revoke(gone.id)
    charge(app, alice, Usage(output_tokens=200, cost_usd=1.25))
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)
    output = CliRunner().invoke(main, ["quota"]).output
    rows = [" ".join(line.split()) for line in output.splitlines()]
    assert rows[1].startswith("default login ready five hour 42%")
    assert f"{alice.id} alice usd per month $1.25 $5.00 $3.75" in "\n".join(rows)
    assert "gone" not in output
    assert CliRunner().invoke(main, ["quota", "--key", "key_unknown"]).exit_code == 1


def test_page_of_a_key_shows_its_quota(app: Flask, keys: Keys) -> None:
    _, secret = keys.create("alice", limits=LIMITS)
    page = Api.of_app(app, key=secret).get("/dashboard/me", headers={"accept": "text/html"}).text
    assert "$0.00 of $5.00 per month" in page
    assert "5 hours" in page
    assert "42 %" in page

"""The fallback of a key in `/v1/admin/keys`, `/v1/me`, `/v1/quota` and the commands."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.answering.caller import identity_of
from gateway.answering.fallbacks import find_owner
from gateway.api.http.context import services_of
from gateway.command_line.group import main
from gateway.store.keys import Keys
from gateway.turn import Usage
from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApp

URL = "/v1/admin/keys"
FALLBACK = {"model": "haiku", "account": "paid", "usd_per_day": 5.0}


@pytest.fixture
def accounts_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a list of the gateway's own login and an API key."""
    path = tmp_path / "accounts.toml"
    path.write_text('[own]\nshared = true\n[paid]\nvariables = { ANTHROPIC_API_KEY = "sk-ant-dummy" }\n')
    monkeypatch.setenv("ACCOUNTS_PATH", str(path))
    return path


@pytest.fixture
def app(make_app: MakeApp, accounts_file: Path) -> Flask:
    return make_app(require_auth=True, api_keys=("configured",), accounts_path=accounts_file)


def test_fallback_is_set_shown_with_the_rest_of_its_budget_and_removed(app: Flask, admin: Api) -> None:
    created = admin.post(URL, json={"name": "alice", "fallback": FALLBACK}).json()
    assert created["fallback"] == FALLBACK
    services, url = services_of(app), f"{URL}/{created['id']}"
    owner = find_owner(identity_of(services.keys.get(created["id"])))
    services.limits.charge_owner(owner, Usage(output_tokens=1, cost_usd=1.25))
    alice = admin.with_key(created["secret"])
    for path in ("/v1/me", "/v1/quota"):
        shown = alice.get(path).json()["fallback"]
        assert (shown["model"], shown["account"]) == ("haiku", "paid")
        (budget,) = shown["budgets"]
        assert (budget["name"], budget["limit"], budget["used"]) == ("usd_per_day", 5.0, 1.25)
    assert [budget["remaining"] for budget in admin.get(url).json()["fallback_budgets"]] == [3.75]
    pages = ((admin, f"/dashboard/keys/{created['id']}"), (alice, "/dashboard/me"))
    for api, path in pages:
        page = api.get(path, headers={"accept": "text/html"}).text
        assert "haiku answers with the account paid" in page
        assert "$1.25 of $5.00" in page
    assert admin.patch(url, json={"notes": "x"}).json()["fallback"] == FALLBACK
    assert admin.patch(url, json={"fallback": None}).json()["fallback"] is None
    assert alice.get("/v1/quota").json()["fallback"] is None
    assert 'id="fallback"' not in alice.get("/dashboard/me", headers={"accept": "text/html"}).text
    assert admin.get(url).json()["fallback_budgets"] == []


@pytest.mark.parametrize(
    ("fallback", "code"),
    [
        ({"account": "paid"}, "invalid_request"),
        ({"usd_per_day": 5}, "invalid_request"),
        ({"model": "gpt-unknown", "usd_per_day": 5}, "model_not_supported"),
        ({"account": "gone", "usd_per_day": 5}, "invalid_request"),
        ({"account": "paid", "usd_per_day": -1}, "invalid_request"),
    ],
)
def test_fallback_that_cannot_answer_is_refused(admin: Api, fallback: dict[str, Any], code: str) -> None:
    refused = admin.post(URL, json={"name": "alice", "fallback": fallback})
    assert error_of(refused)[:2] == (400, code)


def test_fallback_on_the_command_line(
    accounts_file: Path, database_url: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments)
        return result.output + str(result.exception or "")

    run("keys", "create", "alice", "--fallback-account", "paid", "--fallback-usd-per-month", "9")
    (alice,) = keys.list()
    assert alice.fallback == {"account": "paid", "usd_per_month": 9}
    changed = run("keys", "fallback", alice.id, "--fallback-model", "haiku")
    assert changed.endswith("(alice): account=paid, usd_per_month=9.0, model=haiku\n")
    assert changed.partition("): ")[2].strip() in run("keys", "show", alice.id)
    assert "fallback: usd per month $0.00 $9.00 $9.00" in " ".join(run("quota").split())
    assert "not supported" in run("keys", "fallback", alice.id, "--fallback-model", "gpt-unknown")
    assert "needs a budget" in run("keys", "fallback", alice.id, "--fallback-usd-per-month", "0")
    assert run("keys", "fallback", alice.id, "--off").endswith("(alice): none\n")
    assert keys.get(alice.id).fallback is None

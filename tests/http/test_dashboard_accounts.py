"""The dashboard's page of accounts, and its buttons. tests/ops/test_dashboard_browser.py uses it in a browser."""

from pathlib import Path

import pytest
from flask import Flask

from gateway.api.http.context import services_of
from tests.support.accounts import record_states, write_accounts
from tests.support.api_client import Api
from tests.support.apps import MakeApp
from tests.support.dashboard import HTML, dashboard_page


@pytest.fixture
def app(make_app: MakeApp, tmp_path: Path) -> Flask:
    """Return an app with five accounts: one rests, and one is logged out."""
    app = make_app(accounts_path=write_accounts(tmp_path))
    record_states(services_of(app).accounts)
    return app


@pytest.fixture
def api(app: Flask) -> Api:
    """Return a client of the app, which asks for no keys."""
    return Api.of_app(app)


def test_page_tells_the_state_and_the_use_of_each_account(app: Flask, api: Api) -> None:
    user, _ = services_of(app).keys.create("alice", accounts=["team", "bob"])
    page = dashboard_page(api, "/accounts")
    assert "secret" not in page
    for words in (
        "92 %, nearly used up",
        "in 2 h 0 min",
        'warn">resting</span>',
        "The account metered rests until",
        "is asked last for Opus models until",
        "because its quota is used up",
        "The account bob is not logged in.",
        "Correct the variables of the account bob",
        f'/dashboard/keys/{user.id}">alice</a>, and all that are bound to no account',
        "bills its answers by tokens",
        "Amazon Bedrock",
    ):
        assert words in page, words
    assert "92 %, nearly used up" in dashboard_page(api)  # the overview has the same table


def test_account_is_resumed_and_tested_on_its_page(api: Api) -> None:
    answer = api.post("/dashboard/accounts/metered/resume", headers=HTML)
    assert answer.status_code == 303
    shown = api.get(answer.headers["location"], headers=HTML).text
    assert "The account metered is asked again" in shown
    assert "The account metered rests" not in shown
    tested = api.post("/dashboard/accounts/team/test", headers=HTML)
    assert (tested.status_code, "The test could not be run. The gateway is starting." in tested.text) == (
        200,
        True,
    )
    assert api.post("/dashboard/accounts/nobody/test", headers=HTML).status_code == 404


def test_page_without_a_list_says_how_to_add_an_account(make_app: MakeApp) -> None:
    page = dashboard_page(Api.of_app(make_app()), "/accounts")
    assert "This gateway has one account" in page
    assert "accounts add NAME --shared</pre>" in page

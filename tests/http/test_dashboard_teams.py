"""The dashboard's pages of teams: the forms, their mistakes, and keys that belong to a team."""

import pytest

from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.teams import Teams
from tests.support.api_client import Api
from tests.support.apps import MakeApi
from tests.support.dashboard import HTML, csrf_token, dashboard_page, sign_in

SCRIPT = "<script>alert(1)</script>'\""


@pytest.fixture
def admin(make_api: MakeApi, keys: Keys) -> Api:
    """Return the browser of an administrator who has signed in."""
    secret = keys.create("boss", is_admin=True)[1]
    browser = make_api(require_auth=True)
    sign_in(browser, secret)
    return browser


def test_team_is_managed_on_its_pages(admin: Api, keys: Keys, store: Store) -> None:
    teams, sent = Teams(store), {"csrf_token": csrf_token(admin)}
    assert "There are no teams yet." in dashboard_page(admin, "/teams")
    created = admin.post("/dashboard/teams", data={"name": SCRIPT, "usd_per_day": "5", **sent})
    assert created.status_code == 303
    (team,) = teams.list()
    page = f"/teams/{team.id}"
    assert (team.limits, "/dashboard" + page in created.headers["Location"]) == ({"usd_per_day": 5}, True)
    key, _ = keys.create("alice", team_id=team.id)
    shown = (
        dashboard_page(admin, page)
        + dashboard_page(admin, "/teams")
        + dashboard_page(admin, f"/keys/{key.id}")
    )
    assert "<script>alert" not in shown
    assert shown.count("$0.00 of $5.00 per day") == 3
    changed = {"name": "web", "notes": "Ann", "usd_per_month": "20.5"}
    assert admin.post(f"/dashboard{page}", data=changed | sent).status_code == 303
    assert (teams.get(team.id).name, teams.get(team.id).limits) == ("web", {"usd_per_month": 20.5})
    refused = admin.post(f"/dashboard{page}/delete", data=sent, headers=HTML)
    assert (refused.status_code, "1 key shares" in refused.text) == (409, True)
    keys.change(key.id, {"team_id": None})
    assert admin.post(f"/dashboard{page}/delete", data=sent).status_code == 303
    assert teams.list() == []


def test_mistakes_of_a_team_are_named_beside_their_inputs(admin: Api) -> None:
    sent = {"csrf_token": csrf_token(admin), "name": "", "usd_per_day": "much", "tokens_per_day": "1.5"}
    answer = admin.post("/dashboard/teams", data=sent, headers=HTML)
    assert (answer.status_code, answer.text.count('aria-invalid="true"')) == (400, 3)
    assert 'id="usd_per_day-problem">Expected a number.' in answer.text


def test_forms_of_other_sites_change_no_team(admin: Api, store: Store) -> None:
    team = Teams(store).create("web")
    for path in ("", f"/{team.id}", f"/{team.id}/delete"):
        assert admin.post(f"/dashboard/teams{path}", data={"name": "x"}).status_code == 403
    assert Teams(store).list() == [team]

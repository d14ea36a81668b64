"""The dashboard's pages of requests: filters in the URL, the live view, details, comparison, and whose they are."""

import pytest
from flask import Flask

from gateway.api.http.context import services_of
from gateway.store.keys import Keys
from tests.http.test_admin_requests import answered
from tests.support.api_client import Api
from tests.support.dashboard import HTML, dashboard_page, sign_in

SCRIPT = "<script>alert(1)</script>'\""


@pytest.fixture
def admin(app: Flask, keys: Keys) -> Api:
    browser = Api.of_app(app)
    sign_in(browser, keys.create("boss", is_admin=True)[1])
    return browser


def shown(browser: Api, query: str = "") -> set[str]:
    """Return the endings of the ids of the requests in the list."""
    page = dashboard_page(browser, f"/requests?{query}")
    return {name for name in ("a", "b", "c") if f"/v1/{name}" in page}


def fill(app: Flask, owner: str = "key_1") -> None:
    answered(app, "req_a", path="/v1/a")
    answered(app, "req_b", path="/v1/b", owner=owner, status=504)
    answered(app, "req_c", path="/v1/c")
    services_of(app).request_log.flush()


def test_filters_of_the_url_select_requests(app: Flask, admin: Api) -> None:
    fill(app)
    queries = {
        "": {"a", "b", "c"}, "q=req_a": {"a"}, "status=5xx": {"b"}, "min_seconds=9": set(),
        "from=2100-01-01T00:00": set(),
        "to=2100-01-01T00:00&model=haiku&key_id=&status=": {"a", "b", "c"}, "process=kept": {"a", "b", "c"},
    }  # fmt: skip
    assert {query: shown(admin, query) for query in queries} == queries
    for mistake in ("status=abc", "from=yesterday", "min_seconds=-1", "cursor=x"):
        assert 'role="alert"' in dashboard_page(admin, f"/requests?{mistake}")


def test_live_view_is_sent_only_if_something_is_new(app: Flask, admin: Api) -> None:
    fill(app)
    page = dashboard_page(admin, "/requests?live=1&model=haiku")
    assert 'hx-get="/dashboard/requests/rows?seen=3&amp;live=1&amp;model=haiku"' in page
    assert admin.get("/dashboard/requests/rows?seen=3&live=1", headers=HTML).status_code == 204
    assert 'id="rows"' in dashboard_page(admin, "/requests/rows?seen=2&live=1")


def test_older_requests_are_on_the_next_page(app: Flask, admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.dashboard.requests.PER_PAGE", 2)
    fill(app)
    page = dashboard_page(admin, "/requests")
    older = page.partition('rel="next"')[0].rpartition('href="/dashboard/requests?')[2].partition('"')[0]
    assert shown(admin) == {"b", "c"}
    assert shown(admin, older) == {"a"}


def test_request_is_shown_with_phases_and_compared(app: Flask, admin: Api) -> None:
    fill(app)
    answered(app, "req_x", path="/v1/messages", client=SCRIPT, kept={"body": SCRIPT, "answer": ["Hello"]})
    services_of(app).request_log.flush()
    page = dashboard_page(admin, "/requests/req_x")
    for words in ("First token", "Set-up", "curl", "a hit: it had this conversation", "Hello"):
        assert words in page
    assert "<script>alert" not in page
    compared = dashboard_page(admin, "/requests/compare?pick=1&pick=2")
    assert "504" in compared
    for query in ("", "?pick=1", "?pick=1&pick=2&pick=3"):
        assert admin.get(f"/dashboard/requests/compare{query}", headers=HTML).status_code == 400
    assert admin.get("/dashboard/requests/req_none", headers=HTML).status_code == 404


def test_owner_of_a_key_sees_only_its_own_requests(app: Flask, keys: Keys) -> None:
    key, secret = keys.create("alice")
    fill(app, owner=key.id)
    browser = Api.of_app(app)
    sign_in(browser, secret)
    assert shown(browser) == {"b"}
    assert shown(browser, "key_id=key_1") == set()
    assert browser.get("/dashboard/requests/req_b", headers=HTML).status_code == 200
    for hidden in ("req_a", "compare?pick=1&pick=2"):
        assert browser.get(f"/dashboard/requests/{hidden}", headers=HTML).status_code == 404

"""The dashboard's pages of keys: the forms, the secret that is shown once, and who may send them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from gateway.api.http.context import services_of
from gateway.store.database import Store
from gateway.store.keys import Key, Keys
from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApi, MakeApp
from tests.support.dashboard import HTML, csrf_token, dashboard_page, sign_in

SCRIPT = "<script>alert(1)</script>'\""
Send = Callable[..., httpx.Response]


@pytest.fixture
def admin(make_api: MakeApi, keys: Keys) -> Api:
    """Return the browser of an administrator who has signed in."""
    secret = keys.create("boss", is_admin=True)[1]
    browser = make_api(require_auth=True, rate_limit_requests_per_minute=60)
    assert sign_in(browser, secret).status_code == 303
    return browser


@pytest.fixture
def send(admin: Api) -> Send:
    """Return a function that submits the form at a path, with the token of the session."""
    token = csrf_token(admin)

    def submit(path: str, **texts: str) -> httpx.Response:
        return admin.post(f"/dashboard/keys{path}", data={**texts, "csrf_token": token}, headers=HTML)

    return submit


def find(keys: Keys, name: str) -> Key:
    return next(key for key in keys.list() if key.name == name)


def test_key_made_in_the_form_is_shown_once_and_works(admin: Api, send: Send, keys: Keys) -> None:
    texts = {"name": "alice", "notes": "Desk 4", "usd_per_day": "2.5", "answers_at_once": "3",
             "allowed_models_rule": "some", "allowed_models": "haiku, opus",
             "expires_at": "2100-01-31T12:00"}  # fmt: skip
    answer = send("", **texts)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    secret = re.search(r'<pre class="secret" data-copy tabindex="0">([^<]+)<', answer.text)
    assert secret
    key = find(keys, "alice")
    assert (key.limits, key.allowed_models) == ({"usd_per_day": 2.5, "answers_at_once": 3}, ("haiku", "opus"))
    assert (key.notes, key.hosted_tools, key.is_admin) == ("Desk 4", None, False)
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2100-01-31T12:00:00+00:00"
    assert admin.with_key(secret[1]).get("/v1/usage").status_code == 200
    pages = dashboard_page(admin, "/keys") + dashboard_page(admin, f"/keys/{key.id}")
    assert secret[1] not in pages
    assert "$0.00 of $2.50 per day" in pages


def test_mistakes_are_named_beside_their_inputs_and_the_texts_stay(send: Send, keys: Keys) -> None:
    cases: list[tuple[dict[str, str], str, str]] = [
        ({"name": " "}, "name", "Expected 1 to 200 characters."),
        ({"usd_per_day": "much"}, "usd_per_day", "Expected a number."),
        ({"tokens_per_day": "-1"}, "tokens_per_day", "Expected a number of 0 or more."),
        ({"expires_at": "tomorrow"}, "expires_at", "Not a valid datetime."),
        ({"allowed_models": "gpt-9"}, "allowed_models", "Unknown models: gpt-9."),
    ]
    for texts, name, words in cases:
        answer = send("", **{"name": "alice", "notes": SCRIPT, **texts})
        assert answer.status_code == 400
        assert f'id="{name}-problem">{words}' in answer.text
        assert answer.text.count("aria-invalid") == 1
        assert "&lt;script&gt;alert" in answer.text
        assert "<script>alert" not in answer.text
    assert len(keys.list()) == 1


def test_names_that_are_filled_in_limit_the_key_without_scripts(send: Send, keys: Keys) -> None:
    """A script makes the choice "Only these". Without it, the key must not be allowed all models."""
    send("", name="alice", allowed_models_rule="all", allowed_models="haiku", hosted_tools="web_search")
    key = find(keys, "alice")
    assert (key.allowed_models, key.hosted_tools) == (("haiku",), ("web_search",))
    texts = {
        "name": "alice",
        "allowed_models_rule": "all",
        "allowed_models": "haiku",
        "hosted_tools_rule": "some",
    }
    assert (
        send(f"/{key.id}", **texts, hosted_tools="web_search", allowed_projects_rule="all").status_code == 303
    )
    assert keys.get(key.id).allowed_models is None  # only the choice was changed


def test_only_changed_fields_are_written(admin: Api, send: Send, keys: Keys, store: Store) -> None:
    """A form shows minutes and no empty list of models, so it must not write what it did not change."""
    key, _ = keys.create("alice", allowed_models=[], limits={"usd_per_day": 5, "tokens_per_day": 2_500_000})
    path = f"/{key.id}"
    page = dashboard_page(admin, f"/keys{path}")
    shown = dict(re.findall(r'<input id="(\w+)"[^>]* value="([^"]*)"', page))
    shown |= dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    rules = {f"{name}_rule": "all" for name in ("allowed_projects", "hosted_tools")}
    texts = {**shown, **rules, "allowed_models_rule": "some", "notes": ""}
    assert send(path, **texts).headers["Location"].endswith("said=unchanged")
    assert keys.get(key.id) == key
    assert send(path, **{**texts, "usd_per_day": "", "notes": "Desk 4"}).status_code == 303
    changed = keys.get(key.id)
    assert (changed.limits, changed.notes, changed.allowed_models) == (
        {"tokens_per_day": 2_500_000},
        "Desk 4",
        (),
    )
    assert send(path, **{**texts, "allowed_models_rule": "all"}).status_code == 303
    assert keys.get(key.id).allowed_models is None


def test_key_is_bound_to_accounts_in_the_form(make_app: MakeApp, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(
        "[a]\nshared = true\n[b]\nvariables = { ANTHROPIC_API_KEY = 'x' }\n[c]\nconfig_dir = '/c'\n"
    )
    app = make_app(accounts_path=accounts)
    api, keys = Api.of_app(app), services_of(app).keys
    sent: dict[str, Any] = {"name": "alice", "accounts_rule": "all", "accounts": ["b", "c"]}
    assert api.post("/dashboard/keys", data=sent, headers=HTML).status_code == 200
    alice = find(keys, "alice")
    assert alice.accounts == ("b", "c")
    taken = api.post("/dashboard/keys", data={"name": "bob", "accounts": ["a", "c"]}, headers=HTML)
    assert taken.status_code == 409
    assert 'id="accounts-problem">The account &#39;c&#39; is not shared, and the key' in taken.text
    assert len(re.findall(r'name="accounts" value="[ac]"[^>]* checked', taken.text)) == 2
    assert "not shared, used by alice" in taken.text
    assert len(keys.list()) == 1
    keys.change(alice.id, {"accounts": ["c", "a"]})
    page = dashboard_page(api, f"/keys/{alice.id}")
    assert re.findall(r'name="accounts" value="(\w)"', page) == ["c", "a", "b"]  # its own ones, in its order
    assert "<dd>c, a</dd>" in page
    assert 'data-label="Accounts">c, a<' in dashboard_page(api, "/keys")
    rules = {f"{name}_rule": "all" for name in ("allowed_models", "allowed_projects", "hosted_tools")}
    same = {"name": "alice", **rules, "accounts_rule": "some", "accounts": ["c", "a"]}
    changes: list[dict[str, Any]] = [
        {},
        {"accounts": ["b"]},
        {"accounts": []},
        {"accounts_rule": "all", "accounts": []},
    ]
    answers = [
        api.post(f"/dashboard/keys/{alice.id}", data={**same, **change}, headers=HTML) for change in changes
    ]
    assert [one.headers["location"].partition("=")[2] for one in answers] == ["unchanged", *["saved"] * 3]
    assert keys.get(alice.id).accounts is None
    unknown = api.post(f"/dashboard/keys/{alice.id}", data={**same, "accounts": ["x"]}, headers=HTML)
    assert (unknown.status_code, "There is no account &#39;x&#39;" in unknown.text) == (400, True)


def test_secret_is_replaced_and_key_revoked(admin: Api, send: Send, keys: Keys) -> None:
    key, old = keys.create("alice")
    answer = send(f"/{key.id}/rotate")
    new = re.search(r'<pre class="secret" data-copy tabindex="0">([^<]+)<', answer.text)
    assert new
    assert [admin.with_key(one).get("/v1/usage").status_code for one in (old, new[1])] == [401, 200]
    assert send(f"/{key.id}/revoke").headers["Location"].endswith(f"/dashboard/keys/{key.id}?said=revoked")
    assert "Replace the secret" not in dashboard_page(admin, f"/keys/{key.id}")
    assert send("/key_none/revoke").status_code == 404


def test_list_is_searched_and_escaped(admin: Api, keys: Keys) -> None:
    keys.create(SCRIPT, notes=SCRIPT)
    revoked, _ = keys.create("carol")
    keys.revoke(revoked.id)
    page = dashboard_page(admin, "/keys")
    assert "<script>alert" not in page
    assert "carol" not in dashboard_page(admin, "/keys?state=active")
    assert "carol" in dashboard_page(admin, "/keys?q=CAR")
    assert "No key matches" in dashboard_page(admin, "/keys?q=nobody-has-this")
    for number in range(30):
        keys.create(f"key-{number}")
    assert "Page 2 of 2" in dashboard_page(admin, "/keys?page=2")


def test_forms_of_other_sites_are_refused(admin: Api, keys: Keys) -> None:
    key, secret = keys.create("alice")
    token = csrf_token(admin)
    attempts: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"csrf_token": "0" * 64}, {}),
        ({"csrf_token": token}, {"Sec-Fetch-Site": "same-site"}),
    ]
    for path in ("", f"/{key.id}", f"/{key.id}/rotate", f"/{key.id}/revoke"):
        for texts, headers in attempts:
            answer = admin.post(f"/dashboard/keys{path}", data={"name": "x", **texts}, headers=headers)
            assert error_of(answer)[:2] == (403, "csrf_failed")
    assert [one.name for one in keys.list()] == ["boss", "alice"]
    assert keys.find(secret)


def test_without_keys_only_our_own_page_makes_keys(make_api: MakeApi) -> None:
    """Without a session there is no token; local web apps may use the API, but must not make themselves keys."""
    api = make_api()
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "chrome-extension://abc"}, 403),
    ]
    for headers, status in cases:
        assert api.post("/dashboard/keys", data={"name": "x"}, headers=headers).status_code == status


def test_without_keys_only_the_own_machine_manages_keys(make_api: MakeApi) -> None:
    api = make_api(trusted_proxies=1)
    other: dict[str, Any] = {"headers": {"X-Forwarded-For": "192.0.2.7"}}
    assert error_of(api.get("/dashboard/keys", **other)).code == "admin_required"
    assert error_of(api.post("/dashboard/keys", data={"name": "x"}, **other)).code == "admin_required"
    assert "/dashboard/keys" not in api.get("/dashboard", headers=HTML | other["headers"]).text
    assert "/dashboard/keys" in dashboard_page(api)

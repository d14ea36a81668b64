"""The rights of each role: every endpoint of administration and every page, with and without keys.

A new rule below `/v1/admin` or `/dashboard` fails the test until it has a row here.
"""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.store.keys import Keys
from tests.http.test_web_pages import fill_path
from tests.support.apps import MakeApp

#: The callers that pass, by the method and the rule. "manager": admin keys, and without keys only this machine.
#: "viewer": admin keys, and without keys every caller. "owner": every key.
TABLE = {
    "GET /v1/admin/accounts": "manager",
    "GET /v1/admin/accounts/<account>": "manager",
    "POST /v1/admin/accounts/<account>/resume": "manager",
    "POST /v1/admin/accounts/<account>/test": "manager",
    "GET /v1/admin/alerts": "manager",
    "POST /v1/admin/alerts/test": "manager",
    "GET /v1/admin/audit": "manager",
    "GET /v1/admin/batches": "manager",
    "GET /v1/admin/files": "manager",
    "GET /v1/admin/keys": "manager",
    "POST /v1/admin/keys": "manager",
    "GET /v1/admin/keys/<key_id>": "manager",
    "PATCH /v1/admin/keys/<key_id>": "manager",
    "POST /v1/admin/keys/<key_id>/revoke": "manager",
    "POST /v1/admin/keys/<key_id>/rotate": "manager",
    "GET /v1/admin/projects": "manager",
    "GET /v1/admin/requests": "manager",
    "GET /v1/admin/requests/<request_id>": "manager",
    "GET /v1/admin/requests/compare": "manager",
    "GET /v1/admin/requests/live": "manager",
    "GET /v1/admin/sessions": "manager",
    "GET /v1/admin/settings": "manager",
    "DELETE /v1/admin/settings/<setting_name>": "manager",
    "GET /v1/admin/settings/<setting_name>": "manager",
    "PATCH /v1/admin/settings/<setting_name>": "manager",
    "GET /v1/admin/teams": "manager",
    "POST /v1/admin/teams": "manager",
    "DELETE /v1/admin/teams/<team_id>": "manager",
    "GET /v1/admin/teams/<team_id>": "manager",
    "PATCH /v1/admin/teams/<team_id>": "manager",
    "GET /dashboard/accounts": "manager",
    "POST /dashboard/accounts/<account>/resume": "manager",
    "POST /dashboard/accounts/<account>/test": "manager",
    "GET /dashboard/alerts": "manager",
    "POST /dashboard/alerts/test": "manager",
    "GET /dashboard/keys": "manager",
    "POST /dashboard/keys": "manager",
    "GET /dashboard/keys/<key_id>": "manager",
    "POST /dashboard/keys/<key_id>": "manager",
    "POST /dashboard/keys/<key_id>/revoke": "manager",
    "POST /dashboard/keys/<key_id>/rotate": "manager",
    "GET /dashboard/keys/new": "manager",
    "POST /dashboard/settings/<name>": "manager",
    "POST /dashboard/settings/<name>/reset": "manager",
    "GET /dashboard/stored": "manager",
    "GET /dashboard/teams": "manager",
    "POST /dashboard/teams": "manager",
    "GET /dashboard/teams/<team_id>": "manager",
    "POST /dashboard/teams/<team_id>": "manager",
    "POST /dashboard/teams/<team_id>/delete": "manager",
    "GET /dashboard": "viewer",
    "GET /dashboard/live": "viewer",
    "GET /dashboard/settings": "viewer",
    "GET /dashboard/today": "viewer",
    "POST /dashboard": "owner",
    "POST /dashboard/chat": "owner",
    "POST /dashboard/sign-out": "owner",
    "GET /dashboard/connect": "owner",
    "GET /dashboard/me": "owner",
    "GET /dashboard/models": "owner",
    "GET /dashboard/requests": "owner",
    "GET /dashboard/requests/<request_id>": "owner",
    "GET /dashboard/requests/compare": "owner",
    "GET /dashboard/requests/rows": "owner",
    "GET /dashboard/try": "owner",
}
#: The statuses of a refusal, by the row's value and the role.
REFUSED = {
    "manager": {"nobody": 401, "configured key": 403, "key": 403, "other machine": 403},
    "viewer": {"nobody": 401, "configured key": 403, "key": 403},
    "owner": {"nobody": 401},
}
ROLES = ("nobody", "configured key", "key", "admin", "this machine", "other machine")
CONFIGURED = "a-configured-key"
IMPLICIT = ("HEAD", "OPTIONS")  # Flask adds them


def find_rules(app: Flask) -> dict[str, str]:
    """Return the paths of all rules of administration and of the pages, by method and rule."""
    found: dict[str, str] = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/v1/admin", "/dashboard")):
            found |= {
                f"{method} {rule.rule}": fill_path(rule)
                for method in rule.methods or ()
                if method not in IMPLICIT
            }
    return found


def open_as(role: str, app: Flask, keys: Keys) -> tuple[FlaskClient, dict[str, str]]:
    """Return a client, and the headers of the role."""
    headers = {"X-Forwarded-For": "192.0.2.7" if role == "other machine" else "127.0.0.1"}
    secret = {"configured key": CONFIGURED}.get(role)
    if role in ("key", "admin"):
        secret = keys.create(role, is_admin=role == "admin")[1]
    return app.test_client(), headers | ({"x-api-key": secret} if secret else {})


@pytest.mark.parametrize("role", ROLES)
def test_role_passes_where_the_table_says(make_app: MakeApp, keys: Keys, role: str) -> None:
    keys.create("unused")
    app = make_app(
        require_auth="machine" not in role,
        api_keys=(CONFIGURED,),
        trusted_proxies=1,
        rate_limit_requests_per_minute=0,
    )
    client, headers = open_as(role, app, keys)
    seen, expected = {}, {}
    for name, path in find_rules(app).items():
        with client.open(path, method=name.partition(" ")[0], headers=headers) as answer:
            seen[name] = answer.status_code if answer.status_code in (401, 403) else "passes"
        expected[name] = REFUSED[TABLE[name]].get(role, "passes") if name in TABLE else "a row in the table"
    assert seen == expected


def test_table_has_no_old_rules(make_app: MakeApp) -> None:
    assert TABLE.keys() <= find_rules(make_app()).keys()

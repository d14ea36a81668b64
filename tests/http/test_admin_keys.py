"""Keys over HTTP (`/v1/admin/keys`), and the notes of changes in the audit log."""

from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

import pytest

from gateway.schemas.admin_keys import LimitsSchema
from gateway.store.audit import AuditLog, AuditQuery
from gateway.store.database import Store
from gateway.store.keys import Key, Keys
from gateway.store.limits.budgets import Allowance
from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApi

URL = "/v1/admin/keys"


@pytest.fixture
def admin(make_api: MakeApi, keys: Keys) -> Api:
    """Return a client with an admin key."""
    return make_api(keys.create("root", is_admin=True)[1], require_auth=True)


def test_schema_of_limits_has_the_limits_of_keys() -> None:
    assert set(LimitsSchema().fields) == {field.name for field in fields(Allowance)}


def test_key_is_created_shown_once_and_works(admin: Api) -> None:
    body = {"name": "alice", "limits": {"usd_per_day": 5}, "allowed_models": ["haiku"], "notes": "Desk 4"}
    created = admin.post(URL, json=body).json()
    assert created["secret"].startswith(created["prefix"])
    assert created["limits"] == {"usd_per_day": 5}
    shown = admin.get(f"{URL}/{created['id']}").json()
    assert created["secret"] not in str(shown)
    assert (shown["state"], shown["notes"], shown["allowed_models"]) == ("active", "Desk 4", ["haiku"])
    assert [(b["name"], b["limit"], b["used"]) for b in shown["budgets"]] == [("usd_per_day", 5.0, 0.0)]
    assert admin.with_key(created["secret"]).get("/v1/usage").status_code == 200


def test_change_merges_limits_and_null_restores_them(admin: Api) -> None:
    key_id = admin.post(URL, json={"name": "a", "limits": {"usd_per_day": 5, "answers_at_once": 2}}).json()[
        "id"
    ]
    body = {"limits": {"usd_per_day": None, "tokens_per_day": 9}, "name": "b", "allowed_models": ["opus"]}
    changed = admin.patch(f"{URL}/{key_id}", json=body).json()
    assert (changed["name"], changed["limits"]) == ("b", {"answers_at_once": 2, "tokens_per_day": 9})
    assert admin.patch(f"{URL}/{key_id}", json={"allowed_models": None}).json()["allowed_models"] is None


def test_key_can_be_expired_rotated_and_revoked(admin: Api) -> None:
    created = admin.post(URL, json={"name": "a", "expires_in_days": 1}).json()
    url, first = f"{URL}/{created['id']}", admin.with_key(created["secret"])
    assert datetime.fromisoformat(created["expires_at"]) > datetime.now(timezone.utc)
    assert admin.patch(url, json={"expires_at": "2020-01-01T00:00:00Z"}).json()["state"] == "expired"
    assert first.get("/v1/usage").status_code == 401
    assert admin.patch(url, json={"expires_at": None}).json()["state"] == "active"
    assert first.get("/v1/usage").status_code == 200
    second = admin.with_key(admin.post(f"{url}/rotate").json()["secret"])
    assert [client.get("/v1/usage").status_code for client in (first, second)] == [401, 200]
    assert admin.post(f"{url}/revoke").json()["state"] == "revoked"
    assert second.get("/v1/usage").status_code == 401
    assert error_of(admin.post(f"{url}/rotate")).code == "key_revoked"


def test_list_is_filtered_by_state_and_words(admin: Api) -> None:
    ids = [admin.post(URL, json={"name": name, "notes": "Desk"}).json()["id"] for name in ("ann", "bob")]
    admin.post(f"{URL}/{ids[0]}/revoke")
    names = {
        query: [key["name"] for key in admin.get(f"{URL}?{query}").json()["data"]]
        for query in ("state=active", "state=revoked", "q=BO", "q=desk", "per_page=1")
    }
    assert names == {
        "state=active": ["bob", "root"],
        "state=revoked": ["ann"],
        "q=BO": ["bob"],
        "q=desk": ["bob", "ann"],
        "per_page=1": ["bob"],
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({}, "name"),
        ({"name": "a", "limits": {"usd_per_day": -1}}, "limits.usd_per_day"),
        ({"name": "a", "limits": {"usd_per_year": 1}}, "limits.usd_per_year"),
        ({"name": "a", "tokens_per_day": 4}, "tokens_per_day"),
        ({"name": "a", "hosted_tools": ["shell"]}, "hosted_tools[0]"),
        ({"name": "a", "expires_at": "soon"}, "expires_at"),
        ({"name": "a", "expires_at": "2030-01-01T00:00:00Z", "expires_in_days": 1}, "expires_in_days"),
    ],
)
def test_mistakes_in_a_new_key_are_named(admin: Api, body: dict[str, Any], field: str) -> None:
    answer = admin.post(URL, json=body)
    assert answer.status_code == 400
    assert error_of(answer).param == field


def test_unknown_key_is_not_found(admin: Api) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/rotate"), ("POST", "/revoke")):
        answer = admin.request(method, f"{URL}/key_none{path}", json={} if method == "PATCH" else None)
        assert (answer.status_code, error_of(answer).code) == (404, "key_not_found")


def test_each_change_is_in_the_audit_log_without_secrets(admin: Api, store: Store) -> None:
    created = admin.post(URL, json={"name": "alice"}).json()
    admin.patch(f"{URL}/{created['id']}", json={"notes": "new"})
    rotated = admin.post(f"{URL}/{created['id']}/rotate").json()
    admin.post(f"{URL}/{created['id']}/revoke")
    entries = AuditLog(store).list_page(AuditQuery(target_id=created["id"])).entries
    assert [(entry.action, entry.actor_name) for entry in entries] == [
        ("key.revoke", "root"),
        ("key.rotate", "root"),
        ("key.change", "root"),
        ("key.create", "root"),
    ]
    assert (entries[2].before, entries[2].after) == ({"notes": None}, {"notes": "new"})
    for secret in (created["secret"], rotated["secret"]):
        assert secret not in str(entries)
    assert "key_hash" not in str(entries)


def test_command_line_is_named_as_the_author(keys: Keys, store: Store) -> None:
    key: Key = keys.create("alice")[0]
    (entry,) = AuditLog(store).list_page(AuditQuery(target_id=key.id)).entries
    assert entry.actor_name == "command line"
    assert entry.after is not None
    assert entry.after["name"] == "alice"

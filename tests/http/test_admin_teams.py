"""Teams over HTTP, budgets that keys share, the audit log's endpoint, and `/v1/me`."""

from dataclasses import fields
from typing import Any

import pytest
from flask import Flask

from gateway.answering.caller import Caller, identity_of
from gateway.api.http.context import services_of
from gateway.errors import QuotaExceeded
from gateway.schemas.admin_teams import TeamLimitsSchema
from gateway.store.keys import Key, Keys
from gateway.store.limits.budgets import LONG_BUDGET_NAMES, Allowance
from gateway.turn import Usage
from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApp

URL = "/v1/admin/teams"


def caller_of(key: Key) -> Caller:
    return Caller(identity_of(key), key.id, "192.0.2.1", "", "req_1")


def test_schema_has_the_budgets_of_days_and_months() -> None:
    assert tuple(TeamLimitsSchema().fields) == LONG_BUDGET_NAMES


def test_team_is_created_changed_and_deleted(admin: Api) -> None:
    team = admin.post(URL, json={"name": "web", "limits": {"usd_per_day": 5}, "notes": "Ann"}).json()
    url = f"{URL}/{team['id']}"
    assert [(b["name"], b["limit"], b["team_id"]) for b in team["budgets"]] == [
        ("usd_per_day", 5.0, team["id"])
    ]
    changed = admin.patch(url, json={"limits": {"usd_per_day": None, "tokens_per_day": 9}}).json()
    assert (changed["limits"], changed["notes"], changed["keys"]) == ({"tokens_per_day": 9}, "Ann", 0)
    key = admin.post("/v1/admin/keys", json={"name": "alice", "team_id": team["id"]}).json()
    assert [one["keys"] for one in admin.get(URL).json()["data"]] == [1]
    assert error_of(admin.delete(url)).code == "team_has_keys"
    admin.post(f"/v1/admin/keys/{key['id']}/revoke")
    assert admin.delete(url).json() == {"object": "team.deleted", "id": team["id"], "deleted": True}
    for method in ("GET", "PATCH", "DELETE"):
        answer = admin.request(method, url, json={} if method == "PATCH" else None)
        assert error_of(answer).code == "team_not_found"
    actions = [entry["action"] for entry in admin.get("/v1/admin/audit?action=team").json()["data"]]
    assert actions == ["team.delete", "team.change", "team.create"]


def test_key_cannot_join_an_unknown_team(admin: Api) -> None:
    refused = admin.post("/v1/admin/keys", json={"name": "a", "team_id": "team_none"})
    assert (error_of(refused).code, error_of(refused).param) == ("unknown_team", "team_id")
    key = admin.post("/v1/admin/keys", json={"name": "a"}).json()
    assert admin.patch(f"/v1/admin/keys/{key['id']}", json={"team_id": "team_none"}).status_code == 400


def test_keys_of_a_team_share_its_budget(app: Flask, admin: Api, keys: Keys) -> None:
    services = services_of(app)
    team = services.teams.create("web", limits={"usd_per_day": 1})
    (alice, _), (bob, secret), (other, _) = (
        keys.create("alice", team_id=team.id, limits={"usd_per_day": 5}),
        keys.create("bob", team_id=team.id),
        keys.create("carol"),
    )
    limits = services.limits
    limits.charge(limits.find_client(caller_of(alice)), Usage(output_tokens=10, cost_usd=0.6))
    limits.check_budgets(limits.find_client(caller_of(bob)))
    limits.charge(limits.find_client(caller_of(bob)), Usage(output_tokens=10, cost_usd=0.4))
    for key in (alice, bob):
        with pytest.raises(QuotaExceeded, match=r"Your team's budget of \$1\.00 per day is used up"):
            limits.check_budgets(limits.find_client(caller_of(key)))
    limits.check_budgets(limits.find_client(caller_of(other)))
    refused = admin.with_key(secret).post("/v1/chat/completions", json={"messages": []})
    assert error_of(refused).code == "insufficient_quota"
    budgets = {(b["name"], b["team_id"]): b["used"] for b in limits.list_budgets(identity_of(alice))}
    assert budgets == {("usd_per_day", None): 0.6, ("usd_per_day", team.id): 1.0}


def test_last_cent_of_a_team_is_reserved_by_one_of_its_keys(app: Flask, keys: Keys) -> None:
    services, estimate = services_of(app), Usage(output_tokens=10, cost_usd=2.0)
    team = services.teams.create("web", limits={"usd_per_day": 1})
    alice, bob = (
        services.limits.find_client(caller_of(keys.create(name, team_id=team.id, limits=own)[0]))
        for name, own in (("alice", {}), ("bob", {"usd_per_day": 9}))
    )
    end = services.limits.reserve(alice, estimate)
    with pytest.raises(Exception, match="reserved for answers that are running"):
        services.limits.reserve(bob, estimate)
    end()
    # The refused request has left nothing reserved, neither of the key's own budget.
    for _ in range(2):
        services.limits.reserve(bob, estimate)()


def test_audit_log_is_filtered_and_has_pages(admin: Api) -> None:
    ids = [admin.post("/v1/admin/keys", json={"name": name}).json()["id"] for name in ("a", "b")]
    admin.post(f"/v1/admin/keys/{ids[0]}/revoke")
    page = admin.get("/v1/admin/audit?limit=1").json()
    first = page["data"][0]
    assert (first["action"], first["actor_name"], page["has_more"]) == ("key.revoke", "root", True)
    assert (first["before"], first["after"]) == ({"is_active": True}, {"is_active": False})
    older = admin.get(f"/v1/admin/audit?before={first['id']}&target_id={ids[0]}").json()["data"]
    assert [entry["action"] for entry in older] == ["key.create"]
    assert admin.get("/v1/admin/audit?from=2100-01-01T00:00:00Z").json()["data"] == []
    assert admin.get("/v1/admin/audit?limit=0").status_code == 400


def test_owner_of_a_key_sees_its_rights_and_budgets(app: Flask, admin: Api, keys: Keys) -> None:
    team = services_of(app).teams.create("web", limits={"usd_per_month": 20})
    own: dict[str, Any] = {
        "limits": {"usd_per_day": 5},
        "allowed_models": ["haiku"],
        "notes": "slow payer",
        "team_id": team.id,
    }
    key, secret = keys.create("alice", **own)
    seen = admin.with_key(secret).get("/v1/me").json()
    assert (seen["id"], seen["name"], seen["is_admin"], seen["allowed_models"]) == (
        key.id,
        "alice",
        False,
        ["haiku"],
    )
    assert set(seen["limits"]) == {field.name for field in fields(Allowance)}
    assert [(b["name"], b["limit"]) for b in seen["budgets"]] == [
        ("usd_per_day", 5.0),
        ("usd_per_month", 20.0),
    ]
    assert "slow payer" not in str(seen)


def test_without_keys_there_is_no_own_key(make_app: MakeApp) -> None:
    seen = Api.of_app(make_app()).get("/v1/me").json()
    assert (seen["id"], seen["name"], seen["budgets"]) == (None, None, [])

"""GET /v1/usage: totals, groups, pages and days, and which usage a key may see."""

from datetime import datetime, timedelta, timezone

import pytest

from gateway.store.keys import Keys
from gateway.store.usage import UsageTable
from gateway.turn import Usage
from tests.support.api_client import error_of
from tests.support.apps import MakeApi
from tests.support.usage_records import make_record

CONFIGURED = "a-configured-key"
LONG_AGO = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)


def test_key_sees_its_own_usage_and_an_admin_sees_all(
    make_api: MakeApi, keys: Keys, usage_table: UsageTable
) -> None:
    api = make_api(require_auth=True, api_keys=(CONFIGURED,))
    alice, alices_key = keys.create("alice")
    admin, admins_key = keys.create("boss", is_admin=True)
    usage_table.add_records(
        [
            make_record(key_id=alice.id, key_name="alice"),
            make_record(key_id=admin.id),
            make_record(key_id="env_other"),
        ]
    )

    def visible_keys(key: str) -> set[str]:
        return {row["key_id"] for row in api.with_key(key).usage(group_by="key")["data"]}

    assert visible_keys(alices_key) == {alice.id}
    assert visible_keys(CONFIGURED) == set()
    assert visible_keys(admins_key) == {alice.id, admin.id, "env_other"}
    assert api.with_key(alices_key).usage()["totals"]["requests"] == 1
    assert api.get("/v1/usage").status_code == 401


def test_usage_has_groups_totals_and_pagination(make_api: MakeApi, usage_table: UsageTable) -> None:
    usage_table.add_records([make_record(), make_record(model="opus", outcome="failed", usage=Usage())])
    found = make_api().usage(group_by="model", per_page=1, page=2)
    today = datetime.now(timezone.utc).date()
    assert (found["object"], found["group_by"]) == ("usage", "model")
    assert (found["from"], found["to"]) == (str(today - timedelta(days=29)), str(today))
    assert [row["model"] for row in found["data"]] == ["opus"]
    assert "day" not in found["data"][0]
    assert found["totals"] == {
        "requests": 2,
        "failed": 1,
        "cut": 0,
        "input_tokens": 1,
        "cache_read_tokens": 20,
        "cache_write_tokens": 300,
        "output_tokens": 4000,
        "thinking_tokens": 50,
        "web_searches": 0,
        "web_fetches": 0,
        "total_tokens": 4321,
        "cost": 0.25,
    }
    assert found["pagination"] == {
        "page": 2,
        "per_page": 1,
        "total_items": 2,
        "total_pages": 2,
        "has_next": False,
        "has_prev": True,
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 1),
        ({"from": "2026-05-04", "to": "2026-05-04"}, 1),
        ({"from": "2026-05-05", "to": "2026-05-05"}, 0),
        ({"to": "2026-05-04"}, 1),
    ],
)
def test_usage_covers_the_requested_days_in_utc(
    make_api: MakeApi, usage_table: UsageTable, query: dict[str, str], count: int
) -> None:
    usage_table.add_records([make_record(started_at=LONG_AGO) if query else make_record()])
    assert make_api().usage(**query)["totals"]["requests"] == count


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("group_by=week", "group_by"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("to=0001-01-01", "to"),  # 29 days before it there is no date
        ("from=9999-12-31", "from"),  # the day after it is no date
        ("to=9999-12-31", "to"),
        ("from=2026-05-04&to=2026-05-03", "to"),
        ("page=0", "page"),
        ("page=x", "page"),
        ("per_page=1001", "per_page"),
    ],
)
def test_invalid_parameter_is_named(make_api: MakeApi, query: str, param: str) -> None:
    assert error_of(make_api().get(f"/v1/usage?{query}"))[:3] == (400, "invalid_request", param)

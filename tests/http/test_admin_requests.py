"""The list of requests over HTTP: refused ones, filters, pages, details, and the rows that each key sees."""

from dataclasses import replace

from flask import Flask

from gateway.api.http.context import services_of
from gateway.record import RequestSummary, RunTimes
from gateway.store.keys import Keys
from tests.support.api_client import Api, bearer, error_of
from tests.support.usage_records import make_record

URL = "/v1/admin/requests"


def answered(app: Flask, request_id: str, owner: str = "key_1", **fields: object) -> None:
    """Note an answered request."""
    times = RunTimes(slot_at=11.0, process_at=11.5, asked_at=12.0, process="kept", attempts=1)
    record = make_record(
        request_id=request_id, began_at=10.0, seconds=4.0, first_seconds=3.0, times=times, is_over=True
    )
    summary = RequestSummary(
        request_id=request_id, method="POST", path="/v1/chat/completions", route="", status=200, seconds=4.6,
        address="192.0.2.1", key_name="alice", error=None, record=record, began_at=9.5, key_id=owner,
        owner_id=owner,
    )  # fmt: skip
    services_of(app).request_log.note(replace(summary, **fields))  # type: ignore[arg-type]


def listed(app: Flask, admin: Api, query: str = "") -> list[str]:
    services_of(app).request_log.flush()
    return [row["request_id"] for row in admin.get(f"{URL}?{query}").json()["data"]]


def test_answers_and_refused_requests_are_listed_and_filtered(app: Flask, admin: Api) -> None:
    answered(app, "req_a")
    admin.with_key("wrong").get("/v1/models", headers={"x-request-id": "req_b"})
    admin.get("/v1/nothing", headers={"x-request-id": "req_c"})
    assert set(listed(app, admin)) == {"req_a", "req_b", "req_c"}
    queries = {
        "status=4xx": {"req_b", "req_c"}, "status=401": {"req_b"}, "code=unknown_url": {"req_c"},
        "has_error=false": {"req_a"}, "outcome=refused": {"req_b", "req_c"}, "process=kept": {"req_a"},
        "dialect=chat": {"req_a"}, "model=haiku": {"req_a"}, "key_id=key_1": {"req_a"}, "q=nothing": {"req_c"},
        "min_seconds=4": {"req_a"}, "from=2100-01-01T00:00:00Z": set(),
    }  # fmt: skip
    assert {query: set(listed(app, admin, query)) for query in queries} == queries


def test_pages_follow_each_other_by_cursor(app: Flask, admin: Api) -> None:
    for number in range(5):
        answered(app, f"req_{number}")
    found: list[str] = []
    cursor: str | None = ""
    services_of(app).request_log.flush()
    for _ in range(3):
        page = admin.get(f"{URL}?limit=2" + (f"&cursor={cursor}" if cursor else "")).json()
        found += [row["request_id"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == ([f"req_{number}" for number in (4, 3, 2, 1, 0)], None)


def test_details_have_the_phases_and_a_command(app: Flask, admin: Api) -> None:
    answered(app, "req_a")
    services_of(app).request_log.flush()
    shown = admin.get(f"{URL}/req_a").json()
    phases = {phase["name"]: round(phase["seconds"], 3) for phase in shown["phases"]}
    assert phases == {
        "parse": 0.5, "queue": 1.0, "process": 0.5, "set-up": 0.5, "first token": 1.0, "answer": 1.0, "end": 0.1,
    }  # fmt: skip
    assert shown["curl"].startswith("""curl "$BASE_URL"'/v1/chat/completions' \\\n  -X POST""")
    assert shown["bodies"] is None
    assert error_of(admin.get(f"{URL}/req_none")).code == "request_not_found"


def test_two_requests_are_compared(app: Flask, admin: Api) -> None:
    answered(app, "req_a")
    answered(app, "req_b", status=504)
    services_of(app).request_log.flush()
    found = admin.get(f"{URL}/compare?a=req_a&b=req_b").json()
    assert found["differences"] == [{"field": "status", "a": 200, "b": 504}]


def test_key_sees_only_its_own_requests(app: Flask, admin: Api, keys: Keys) -> None:
    key, secret = keys.create("bob")
    answered(app, "req_a")
    answered(app, "req_b", owner=key.id)
    services_of(app).request_log.flush()
    bob = admin.with_key(secret)
    assert [row["request_id"] for row in bob.get("/v1/requests").json()["data"]] == ["req_b"]
    assert bob.get("/v1/requests/req_b").status_code == 200
    assert bob.get("/v1/requests/req_a").status_code == 404
    assert error_of(bob.get(URL)).code == "admin_required"


def test_refused_requests_that_repeat_get_one_row_for_the_rest(app: Flask, admin: Api) -> None:
    for _ in range(30):
        admin.get("/v1/models", headers=bearer("wrong"))
    assert len(listed(app, admin)) == 10


def test_bodies_are_kept_only_if_asked_for(app: Flask, admin: Api) -> None:
    answered(app, "req_a", kept={"body": '{"model": "haiku"}', "answer": ["Hello"]})
    services_of(app).request_log.flush()
    shown = admin.get(f"{URL}/req_a").json()
    assert shown["bodies"] == {"request": '{"model": "haiku"}', "answer": "Hello", "is_cut": False}
    assert """-d '{"model": "haiku"}'""" in shown["curl"]
    requests = services_of(app).requests
    assert (requests.delete_old_bodies(0), requests.delete_old(30, 0)) == (1, 1)

"""Sessions as a resource: create, list, rename and delete them, and whose they are.

tests/model/test_sessions.py has the conversations in them.
"""

import pytest

from tests.support.api_client import Api, error_of
from tests.support.apps import MakeApi
from tests.support.recorded import Body


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Return a client of a gateway that asks for no keys, but keeps the sessions of each key apart."""
    return make_api("mine")


def test_sessions_are_listed_in_pages_renamed_and_deleted(api: Api) -> None:
    ids = [api.create_session(title=f"t{number}") for number in range(3)]
    page = api.list_sessions(per_page=2)
    assert [session["id"] for session in page["data"]] == [ids[2], ids[1]]
    assert page["pagination"] == {
        "page": 1,
        "per_page": 2,
        "total_items": 3,
        "total_pages": 2,
        "has_next": True,
        "has_prev": False,
    }
    assert [session["id"] for session in api.list_sessions(per_page=2, page=2)["data"]] == [ids[0]]
    assert api.list_sessions(project_id="other")["data"] == []
    assert api.update_session(ids[0], title="Ünïcode")["title"] == "Ünïcode"
    assert api.show_session(ids[0])["title"] == "Ünïcode"
    assert api.delete_session(ids[0]) == {"session_id": ids[0], "status": "deleted"}
    assert error_of(api.get(f"/v1/sessions/{ids[0]}"))[:2] == (404, "session_not_found")
    assert api.list_sessions()["pagination"]["total_items"] == 2


def test_stats_of_no_sessions_are_zeros(api: Api) -> None:
    totals = {
        "active_sessions": 0,
        "total_tokens": 0,
        "total_cost": 0.0,
        "total_messages": 0,
        "models_in_use": [],
    }
    stats = {"session_stats": totals, "active_claude_sessions": 0, "claude_sessions": []}
    assert api.session_stats() == stats


def test_session_does_not_exist_for_another_key(api: Api) -> None:
    session = api.create_session(title="private")
    for other in (api.with_key("theirs"), api.with_key(None)):
        answers = [
            other.get(f"/v1/sessions/{session}"),
            other.patch(f"/v1/sessions/{session}", json={"title": "x"}),
            other.delete(f"/v1/sessions/{session}"),
            other.get(f"/v1/chat/completions/{session}/status"),
            other.delete(f"/v1/chat/completions/{session}"),
            other.chat(session_id=session),
        ]
        assert {error_of(answer)[:2] for answer in answers} == {(404, "session_not_found")}
    assert api.show_session(session)["title"] == "private"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"title": 1}, 400, "title"),
        ({"title": "x" * 501}, 400, "title"),
        ({"model": "no-such-model"}, 400, "model"),
        ({"project_id": "no-such-project"}, 404, "project_id"),
    ],
)
def test_invalid_field_of_a_session_is_named(api: Api, body: Body, status: int, param: str) -> None:
    error = error_of(api.post("/v1/sessions", json=body))
    assert (error.status, error.param) == (status, param)


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=101", "per_page=-1"])
def test_invalid_page_is_named(api: Api, query: str) -> None:
    error = error_of(api.get(f"/v1/sessions?{query}"))
    assert (error.status, error.param) == (400, query.partition("=")[0])

"""The endpoints of the reference return all of its fields, and projects and sessions behave as they do there."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ops.reference.contract import (
    CHAT,
    CHAT_BODY,
    HAIKU,
    MODELS,
    assert_has_shape,
)
from tests.support.api_client import Api, body_of, error_of
from tests.support.gateway import ROOT, wait_for

MODEL = {"id": str, "object": str, "created": int, "owned_by": str}
PRICING = {
    "input_cost_per_1k_tokens": float,
    "output_cost_per_1k_tokens": float,
    "currency": str,
}
CAPABILITIES = {
    "id": str,
    "name": str,
    "description": str,
    "max_tokens": int,
    "supports_streaming": bool,
    "supports_tools": bool,
    "pricing": PRICING,
    "features": [str],
}
PAGINATION = {
    "page": int,
    "per_page": int,
    "total_items": int,
    "total_pages": int,
    "has_next": bool,
    "has_prev": bool,
}
PROJECT = {
    "id": str,
    "name": str,
    "description": None,
    "path": str,
    "created_at": str,
    "updated_at": str,
    "is_active": bool,
}
FIGURES = {
    "project_id": None,
    "model": None,
    "created_at": str,
    "updated_at": str,
    "total_tokens": int,
    "total_cost": float,
    "message_count": int,
}
SESSION = {"id": str, "title": None, "system_prompt": None, "is_active": bool, **FIGURES}
STATS = {
    "session_stats": {
        "active_sessions": int,
        "total_tokens": int,
        "total_cost": float,
        "total_messages": int,
        "models_in_use": [str],
    },
    "active_claude_sessions": int,
    "claude_sessions": [str],
}
GETS: dict[str, Any] = {
    "/": {"name": str, "version": str, "description": str, "endpoints": dict},
    "/health": {"status": str, "version": str, "claude_version": str, "active_sessions": int},
    "/openapi.json": {"openapi": str, "info": dict, "paths": dict},
    "/v1/models": {"object": str, "data": [MODEL]},
    f"/v1/models/{HAIKU}": MODEL,
    "/v1/models/mine": MODEL,
    "/v1/models/capabilities": {
        "models": [CAPABILITIES],
        "total": int,
        "provider": str,
        "adapter": str,
    },
    "/v1/projects?page=1&per_page=5": {"data": [PROJECT], "pagination": PAGINATION},
    "/v1/sessions?page=1&per_page=5&project_id=x": {"data": [SESSION], "pagination": PAGINATION},
    "/v1/sessions/stats": STATS,
}


@pytest.mark.parametrize("url", GETS)
def test_endpoint_returns_the_fields_of_the_reference(api: Api, url: str) -> None:
    assert_has_shape(body_of(api.get(url)), GETS[url])


def test_every_field_of_the_reference_is_documented() -> None:
    table = (ROOT / "docs/api.md").read_text("utf-8").partition("## Fields")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+)`", table))
    described = [shape for url, shape in GETS.items() if url != "/openapi.json"]
    assert {name for shape in described for name in names_in(shape)} <= listed
    assert {*PROJECT, *SESSION, "session_id", "is_running"} <= listed


def names_in(shape: Any) -> Iterator[str]:
    """Yield all names in a shape."""
    if isinstance(shape, list):
        yield from names_in(shape[0])
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            yield name
            yield from names_in(inner)


def test_root_lists_every_family_of_endpoints(api: Api) -> None:
    named = body_of(api.get("/"))["endpoints"].values()
    paths = body_of(api.get("/openapi.json"))["paths"]
    families = {"/".join(path.split("/")[:3]) for path in paths} - {"/"}
    assert {"/".join(url.split("/")[:3]) for url in named} | {"/redoc"} >= families


def test_capabilities_come_from_the_models_file(api: Api) -> None:
    found = {entry["id"]: entry for entry in body_of(api.get("/v1/models/capabilities"))["models"]}
    for model in MODELS["models"]:
        entry = found[model["id"]]
        assert {name: entry[name] for name in ("name", "description", "max_tokens")}.items() <= model.items()
        assert entry["pricing"]["output_cost_per_1k_tokens"] == model["output_cost_per_1k"]


def test_project_can_be_created_used_and_deleted(api: Api, key: str) -> None:
    body = {"name": "Notes", "description": "Mine", "path": f"notes-{key}"}
    project = api.create_project(**body)
    assert_has_shape(project, PROJECT)
    assert {name: project[name] for name in body} == body
    page = api.list_projects(page=1, per_page=1)
    assert page["data"] == [api.show_project(project["id"])] == [project]
    answer = body_of(api.chat(project_id=project["id"]))
    assert answer["project_id"] == project["id"]
    assert api.delete_project(project["id"]) == {"project_id": project["id"], "status": "deleted"}
    assert error_of(api.get(f"/v1/projects/{project['id']}"))[:2] == (404, "project_not_found")


def test_session_can_be_created_used_and_deleted(api: Api) -> None:
    project = api.create_project()["id"]
    body = {"project_id": project, "title": "Talk", "model": HAIKU, "system_prompt": "Be brief."}
    session = body_of(api.post("/v1/sessions", json=body))
    assert_has_shape(session, SESSION)
    assert session.items() >= {**body, "is_active": True, "total_tokens": 0, "message_count": 0}.items()
    answer = body_of(api.chat(session_id=session["id"]))
    assert (answer["session_id"], answer["project_id"]) == (session["id"], project)
    status = api.chat_status(session["id"])
    assert_has_shape(status, {"session_id": str, "is_running": bool, **FIGURES})
    assert (status["session_id"], status["is_running"], status["message_count"]) == (session["id"], False, 2)
    assert status["total_tokens"] == answer["usage"]["total_tokens"] > 0
    shown = api.show_session(session["id"])
    assert_has_shape(shown, SESSION)
    assert shown["total_cost"] == status["total_cost"] > 0
    listed = api.list_sessions(project_id=project)["data"]
    assert [entry["id"] for entry in listed] == [session["id"]]
    assert_has_shape(api.session_stats(), STATS)
    assert api.stop_chat(session["id"]) == {"session_id": session["id"], "status": "stopped"}
    assert api.delete_session(session["id"]) == {"session_id": session["id"], "status": "deleted"}


def test_answer_has_the_fields_of_the_reference(api: Api) -> None:
    body = {**CHAT_BODY, "system_prompt": "Be brief."}
    body["messages"] = [{"role": "developer", "content": "Speak English."}, *body["messages"]]
    answer = body_of(api.post(CHAT, json=body))
    shape = {
        "id": str,
        "object": str,
        "created": int,
        "model": str,
        "choices": [{"index": int, "message": {"role": str, "content": str}, "finish_reason": str}],
        "usage": {"prompt_tokens": int, "completion_tokens": int, "total_tokens": int},
        "session_id": str,
        "project_id": None,
    }
    assert_has_shape(answer, shape)
    assert answer["choices"][0]["message"]["content"] == "You said: hi"


def test_stream_has_the_headers_of_the_reference(api: Api) -> None:
    project = api.create_project()["id"]
    answer = api.chat(stream=True, project_id=project)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-project-id"] == project
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text.endswith("data: [DONE]\n\n")
    session = answer.headers["x-session-id"]
    # A session that is not stored is written in the background.
    wait_for(lambda: api.get(f"{CHAT}/{session}/status").status_code == 200)
    assert api.chat_status(session)["project_id"] == project


def test_debug_endpoint_lists_every_error(api: Api) -> None:
    assert api.check_chat(CHAT_BODY).items() >= {"valid": True, "model": HAIKU}.items()
    found = api.check_chat({"messages": [], "n": 0})
    assert found["valid"] is False
    assert {error["param"] for error in found["errors"]} == {"messages", "n"}

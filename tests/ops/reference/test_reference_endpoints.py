"""The reference's endpoints return all of their fields, and projects and sessions live as they do there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ops.reference.contract import (
    CHAT,
    CHAT_BODY,
    HAIKU,
    MODELS,
    Client,
    assert_has_shape,
    status_and_code,
)
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
def test_endpoint_returns_the_fields_of_the_reference(client: Client, url: str) -> None:
    assert_has_shape(client.json("GET", url), GETS[url])


def test_every_field_of_the_reference_is_documented() -> None:
    table = (ROOT / "docs/api.md").read_text("utf-8").partition("## Fields")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+)`", table))
    described = [shape for url, shape in GETS.items() if url != "/openapi.json"]
    assert {name for shape in described for name in names(shape)} <= listed
    assert {*PROJECT, *SESSION, "session_id", "is_running"} <= listed


def names(shape: Any) -> Iterator[str]:
    """All names in a shape."""
    if isinstance(shape, list):
        yield from names(shape[0])
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            yield name
            yield from names(inner)


def test_root_lists_every_family_of_endpoints(client: Client) -> None:
    named = client.json("GET", "/")["endpoints"].values()
    paths = client.json("GET", "/openapi.json")["paths"]
    families = {"/".join(path.split("/")[:3]) for path in paths} - {"/"}
    assert {"/".join(url.split("/")[:3]) for url in named} | {"/redoc"} >= families


def test_capabilities_come_from_the_models_file(client: Client) -> None:
    found = {entry["id"]: entry for entry in client.json("GET", "/v1/models/capabilities")["models"]}
    for model in MODELS["models"]:
        entry = found[model["id"]]
        assert {name: entry[name] for name in ("name", "description", "max_tokens")}.items() <= model.items()
        assert entry["pricing"]["output_cost_per_1k_tokens"] == model["output_cost_per_1k"]


def test_project_can_be_created_used_and_deleted(client: Client) -> None:
    body = {"name": "Notes", "description": "Mine", "path": f"notes-{client.key}"}
    made = client.json("POST", "/v1/projects", body)
    assert_has_shape(made, PROJECT)
    assert {name: made[name] for name in body} == body
    page = client.json("GET", "/v1/projects?page=1&per_page=1")
    assert page["data"] == [client.json("GET", f"/v1/projects/{made['id']}")] == [made]
    answer = client.json("POST", CHAT, {**CHAT_BODY, "project_id": made["id"]})
    assert answer["project_id"] == made["id"]
    deleted = client.json("DELETE", f"/v1/projects/{made['id']}")
    assert deleted == {"project_id": made["id"], "status": "deleted"}
    assert status_and_code(client.call("GET", f"/v1/projects/{made['id']}")) == (404, "project_not_found")


def test_session_can_be_created_used_and_deleted(client: Client) -> None:
    project = client.json("POST", "/v1/projects", {"name": "x"})["id"]
    body = {"project_id": project, "title": "Talk", "model": HAIKU, "system_prompt": "Be brief."}
    made = client.json("POST", "/v1/sessions", body)
    assert_has_shape(made, SESSION)
    assert made.items() >= {**body, "is_active": True, "total_tokens": 0, "message_count": 0}.items()
    answer = client.json("POST", CHAT, {**CHAT_BODY, "session_id": made["id"]})
    assert (answer["session_id"], answer["project_id"]) == (made["id"], project)
    told = client.json("GET", f"{CHAT}/{made['id']}/status")
    assert_has_shape(told, {"session_id": str, "is_running": bool, **FIGURES})
    assert (told["session_id"], told["is_running"], told["message_count"]) == (made["id"], False, 2)
    assert told["total_tokens"] == answer["usage"]["total_tokens"] > 0
    shown = client.json("GET", f"/v1/sessions/{made['id']}")
    assert_has_shape(shown, SESSION)
    assert shown["total_cost"] == told["total_cost"] > 0
    assert [one["id"] for one in client.json("GET", f"/v1/sessions?project_id={project}")["data"]] == [
        made["id"]
    ]
    assert_has_shape(client.json("GET", "/v1/sessions/stats"), STATS)
    assert client.json("DELETE", f"{CHAT}/{made['id']}") == {"session_id": made["id"], "status": "stopped"}
    deleted = client.json("DELETE", f"/v1/sessions/{made['id']}")
    assert deleted == {"session_id": made["id"], "status": "deleted"}


def test_answer_has_the_fields_of_the_reference(client: Client) -> None:
    body = {**CHAT_BODY, "system_prompt": "Be brief."}
    body["messages"] = [{"role": "developer", "content": "Speak English."}, *body["messages"]]
    answer = client.json("POST", CHAT, body)
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


def test_stream_has_the_headers_of_the_reference(client: Client) -> None:
    project = client.json("POST", "/v1/projects", {"name": "x"})["id"]
    answer = client.call("POST", CHAT, json={**CHAT_BODY, "stream": True, "project_id": project})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-project-id"] == project
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    url = f"{CHAT}/{answer.headers['x-session-id']}/status"
    wait_for(
        lambda: client.call("GET", url).status_code == 200
    )  # sessions that are not stored come a moment later
    assert client.json("GET", url)["project_id"] == project
    assert answer.text.endswith("data: [DONE]\n\n")


def test_debug_endpoint_lists_every_error(client: Client) -> None:
    assert client.json("POST", f"{CHAT}/debug", CHAT_BODY).items() >= {"valid": True, "model": HAIKU}.items()
    found = client.json("POST", f"{CHAT}/debug", {"messages": [], "n": 0})
    assert found["valid"] is False
    assert {error["param"] for error in found["errors"]} == {"messages", "n"}

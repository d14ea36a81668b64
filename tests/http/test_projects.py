"""Projects over HTTP: their fields, their owners, and paths that must not lead out of a project's folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.keys import Keys
from tests.support.api_client import Api, Body, error_of
from tests.support.apps import MakeApi

FIELDS = {"id", "name", "description", "path", "policy", "created_at", "updated_at", "is_active"}
POLICY = {"mode": "agent", "tools": ["Read"]}

MakeClient = Callable[..., Api]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder that contains the folders of all projects."""
    return tmp_path / "projects" / "root"


@pytest.fixture
def make_client(make_api: MakeApi, keys: Keys, root: Path) -> MakeClient:
    """Return a function that makes a client with a new key, for example `make_client(is_admin=True)`."""
    api = make_api(require_auth=True, api_keys=("outer",), project_root=root)

    def make(**options: Any) -> Api:
        return api.with_key(keys.create("test", **options)[1])

    return make


@pytest.fixture
def alice(make_client: MakeClient) -> Api:
    """Return a client with a key without restrictions."""
    return make_client()


# Fields and pages


def test_project_has_its_fields_and_a_folder(alice: Api, root: Path) -> None:
    made = alice.create_project(name="Notes", description="Where I write")
    assert made.keys() == FIELDS
    assert (made["name"], made["description"], made["is_active"]) == ("Notes", "Where I write", True)
    assert made["policy"] == {"mode": "chat"}
    assert made["path"] == made["id"]
    assert made["created_at"] == made["updated_at"]
    assert (root / made["id"]).is_dir()
    assert alice.show_project(made["id"]) == made


def test_projects_are_listed_in_pages_newest_first(alice: Api) -> None:
    made = [alice.create_project(name=str(number))["id"] for number in range(5)]
    first = alice.list_projects(per_page=2)
    last = alice.list_projects(per_page=2, page=3)
    assert [project["id"] for project in first["data"]] == [made[4], made[3]]
    assert [project["id"] for project in last["data"]] == [made[0]]
    figures = {"per_page": 2, "total_items": 5, "total_pages": 3}
    assert first["pagination"] == {"page": 1, "has_next": True, "has_prev": False, **figures}
    assert last["pagination"] == {"page": 3, "has_next": False, "has_prev": True, **figures}


@pytest.mark.parametrize("query", ["page=0", "per_page=0", "per_page=101", "page=x"])
def test_invalid_page_is_named(alice: Api, query: str) -> None:
    assert error_of(alice.get(f"/v1/projects?{query}"))[:3] == (
        400,
        "invalid_request",
        query.partition("=")[0],
    )


def test_project_can_be_changed(alice: Api) -> None:
    made = alice.create_project(name="old", description="old")
    changed = alice.update_project(made["id"], name="new", description=None)
    assert (changed["name"], changed["description"]) == ("new", None)
    assert changed["updated_at"] > made["updated_at"]
    assert alice.show_project(made["id"]) == changed


def test_deleting_a_project_deletes_its_folder(alice: Api, root: Path) -> None:
    made = alice.create_project(path="goes")
    (root / "goes/deep/er").mkdir(parents=True)
    (root / "goes/deep/er/file").write_text("x")
    assert alice.delete_project(made["id"]) == {"project_id": made["id"], "status": "deleted"}
    assert not (root / "goes").exists()
    assert not list(root.glob(".deleted-*"))
    for method in ("GET", "DELETE", "PATCH"):
        json_body: Body | None = {} if method == "PATCH" else None
        answer = alice.request(method, f"/v1/projects/{made['id']}", json=json_body)
        assert error_of(answer)[:3] == (404, "project_not_found", "project_id")
    assert alice.create_project(path="goes")["path"] == "goes"


INVALID_BODIES: list[tuple[Body, str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": 5}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "x", "description": 1}, "description"),
    ({"name": "x", "colour": "red"}, "colour"),
    ({"name": "x", "policy": "agent"}, "policy"),
    ({"name": "x", "policy": {}}, "policy.mode"),
    ({"name": "x", "policy": {"mode": "free"}}, "policy.mode"),
    ({"name": "x", "policy": {"mode": "chat", "tools": ["Read"]}}, "policy.tools"),
    ({"name": "x", "policy": {"mode": "agent"}}, "policy.tools"),
    ({"name": "x", "policy": {"mode": "agent", "tools": []}}, "policy.tools"),
    ({"name": "x", "policy": {"mode": "agent", "tools": ["Task"]}}, "policy.tools[0]"),
    ({"name": "x", "policy": {**POLICY, "permission_mode": "bypassPermissions"}}, "policy.permission_mode"),
    ({"name": "x", "policy": {**POLICY, "max_turns": 0}}, "policy.max_turns"),
    ({"name": "x", "policy": {**POLICY, "report_activity": "yes"}}, "policy.report_activity"),
    ({"name": "x", "policy": {**POLICY, "allowed_tools": ["Bash"]}}, "policy.allowed_tools[0]"),
    ({"name": "x", "policy": {**POLICY, "allowed_tools": ["Read(a),Bash"]}}, "policy.allowed_tools[0]"),
    ({"name": "x", "policy": {**POLICY, "allowed_tools": ["Read --restricted"]}}, "policy.allowed_tools[0]"),
    ({"name": "x", "policy": {**POLICY, "allow": ["Bash"]}}, "policy.allow"),
]


@pytest.mark.parametrize(("body", "param"), INVALID_BODIES)
def test_invalid_field_is_named(alice: Api, body: Body, param: str) -> None:
    assert error_of(alice.post("/v1/projects", json=body))[:3] == (400, "invalid_request", param)


def test_agents_are_rejected_unless_the_operator_allows_them(alice: Api) -> None:
    made = alice.create_project()
    for answer in (
        alice.post("/v1/projects", json={"name": "x", "policy": POLICY}),
        alice.patch(f"/v1/projects/{made['id']}", json={"policy": POLICY}),
    ):
        assert error_of(answer)[:3] == (403, "agents_not_allowed", "policy.mode")


# Owners


def test_project_does_not_exist_for_another_key(alice: Api, make_client: MakeClient) -> None:
    made, bob = alice.create_project(), make_client()
    url = f"/v1/projects/{made['id']}"
    answers = [
        bob.get(url),
        bob.delete(url),
        bob.patch(url, json={"name": "mine"}),
        bob.get(f"{url}/files"),
        bob.put(f"{url}/files/x", content="x"),
        bob.get(f"{url}/files/x"),
        bob.delete(f"{url}/files/x"),
        bob.chat(project_id=made["id"]),
    ]
    assert {error_of(answer)[:2] for answer in answers} == {(404, "project_not_found")}
    assert bob.list_projects()["data"] == []
    assert alice.show_project(made["id"]) == made


def test_admin_sees_all_projects(alice: Api, make_client: MakeClient) -> None:
    made, admin = alice.create_project(), make_client(is_admin=True)
    assert admin.show_project(made["id"]) == made
    assert made in admin.list_projects(per_page=100)["data"]
    admin.delete_project(made["id"])


def test_key_with_allowed_projects_works_in_those_only_and_cannot_change_them(
    alice: Api, make_client: MakeClient
) -> None:
    granted, other = alice.create_project(), alice.create_project()
    guest = make_client(allowed_projects=[granted["id"]])
    assert guest.list_projects()["data"] == [granted]
    assert guest.put(f"/v1/projects/{granted['id']}/files/x", content="x").status_code == 200
    assert error_of(guest.get(f"/v1/projects/{other['id']}"))[:2] == (404, "project_not_found")
    assert error_of(guest.chat(project_id=other["id"]))[:2] == (404, "project_not_found")
    for answer in (
        guest.post("/v1/projects", json={"name": "more"}),
        guest.patch(f"/v1/projects/{granted['id']}", json={"name": "mine"}),
        guest.delete(f"/v1/projects/{granted['id']}"),
    ):
        assert error_of(answer)[:2] == (403, "project_not_allowed")


@pytest.mark.parametrize("project", ["proj_unknown", "../x", "x" * 5000])
def test_chat_in_an_unknown_project_is_a_404(alice: Api, project: str) -> None:
    assert error_of(alice.chat(project_id=project))[:3] == (404, "project_not_found", "project_id")


def test_projects_need_a_key(alice: Api) -> None:
    assert alice.with_key(None).get("/v1/projects").status_code == 401


# Paths


TRICKY_NAMES = [
    ".", "..", "", "/", "/etc", "../up", "a/b", "a/../..", "a//b", "./a", "a/.", "\\\\host\\share", "C:\\x", "C:", "~",
    "..\\x", "%2e%2e", "%2e%2e%2fx", "a\x00b", "a\nb", "\u202ea", "\uff0e\uff0e", "\u2025", "\u2024\u2024", "a\uff0fb",
    "a\u2215b", "e\u0301", "\xe9", "CON", "con", "nul.txt", "COM1", "lpt9.log", "aux", ".hidden", ".uploads", "-rf",
    " a", "a ", ".deleted-x", "a.", "a\t", "x" * 101, "$HOME", "a;b", "*", "a b", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKY_NAMES)
def test_path_that_is_not_a_plain_name_is_rejected(alice: Api, root: Path, path: str) -> None:
    before = snapshot(root)
    body = b'{"name": "x", "path": %s}' % json.dumps(path).encode()
    assert error_of(alice.post("/v1/projects", content=body))[:3] == (400, "invalid_request", "path")
    assert snapshot(root) == before


def snapshot(root: Path) -> list[str]:
    """Return all paths below the folder that contains the root of the projects."""
    return sorted(str(path) for path in root.parent.rglob("*"))


def test_existing_path_cannot_become_a_project(alice: Api, root: Path) -> None:
    alice.create_project(path="taken")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (root / "link").symlink_to(outside)
    (root / "dangling").symlink_to(root.parent / "nothing")
    (root / "file").write_text("x")
    for path in ("taken", "link", "dangling", "file"):
        assert error_of(alice.post("/v1/projects", json={"name": "x", "path": path}))[:3] == (
            400,
            "path_taken",
            "path",
        )
    assert (outside / "precious").exists()
    assert not (root.parent / "nothing").exists()


def test_folder_replaced_by_a_link_is_neither_followed_nor_deleted(alice: Api, root: Path) -> None:
    made = alice.create_project(path="swapped")
    target = root.parent / "target"
    target.mkdir()
    (target / "precious").write_text("x")
    (root / "swapped").rmdir()
    (root / "swapped").symlink_to(target)
    assert alice.get(f"/v1/projects/{made['id']}/files/precious").status_code == 404
    assert alice.put(f"/v1/projects/{made['id']}/files/new", content="x").status_code == 503
    assert alice.delete(f"/v1/projects/{made['id']}/files/precious").status_code == 404
    assert alice.get(f"/v1/projects/{made['id']}/files").status_code == 503
    alice.delete_project(made["id"])
    assert [path.name for path in target.iterdir()] == ["precious"]


def test_links_inside_a_deleted_project_are_removed_and_not_followed(alice: Api, root: Path) -> None:
    made = alice.create_project(path="linking")
    target = root.parent / "linked"
    target.mkdir()
    (target / "precious").write_text("x")
    (root / "linking/link").symlink_to(target)
    (root / "linking/up").symlink_to("..")
    alice.delete_project(made["id"])
    assert not (root / "linking").exists()
    assert (target / "precious").exists()
    assert root.is_dir()

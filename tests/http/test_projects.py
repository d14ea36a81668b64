"""Projects over HTTP: their fields, whose they are, and that no folder is ever reached but their own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.store import project_paths
from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.standin import StandIn, text
from tests.support.gateway import Gateway
from tests.support.recorded import Body

FIELDS = {"id", "name", "description", "path", "policy", "created_at", "updated_at", "is_active"}
POLICY = {"mode": "agent", "tools": ["Read"]}


@dataclass
class Client:
    """Somebody with a key."""

    gateway: Gateway
    key: str
    key_id: str = ""

    def call(self, method: str, url: str = "", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.gateway.api.request(method, f"/v1/projects{url}", headers=headers, **options)

    def make(self, **fields: Any) -> Body:
        answer = self.call("POST", json={"name": "x", **fields})
        assert answer.status_code == 200, answer.text
        made: Body = answer.json()
        return made

    def chat(self, **fields: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": "hi"}], **fields}
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.gateway.api.post("/v1/chat/completions", json=body, headers=headers)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects") / "root"


@pytest.fixture(scope="module")
def _keyed(
    cli_environ: dict[str, str], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Keys]]:
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'gateway.db'}"
    store = Store(url)
    store.open()
    keys = Keys(store)
    settings = {"REQUIRE_AUTH": "true", "API_KEYS": "outer", "DATABASE_URL": url, "PROJECT_ROOT": str(root)}
    gateway = Gateway({**cli_environ, **settings, "WARM_PROCESSES": "0"})
    yield gateway, keys
    gateway.close()
    store.close()


@pytest.fixture
def client(_keyed: tuple[Gateway, Keys]) -> Callable[..., Client]:
    """Makes a client with a key of its own."""
    gateway, keys = _keyed

    def make(**options: Any) -> Client:
        key, plain = keys.create("test", **options)
        return Client(gateway, plain, key.id)

    return make


@pytest.fixture
def alice(client: Callable[..., Client]) -> Client:
    return client()


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


# Fields and pages


def test_a_project_has_its_fields_and_its_folder(alice: Client, root: Path) -> None:
    made = alice.make(name="Notes", description="Where I write")
    assert made.keys() == FIELDS
    assert (made["name"], made["description"], made["is_active"]) == ("Notes", "Where I write", True)
    assert made["policy"] == {"mode": "chat"}
    assert made["path"] == made["id"]
    assert made["created_at"] == made["updated_at"]
    assert (root / made["id"]).is_dir()
    assert alice.call("GET", f"/{made['id']}").json() == made


def test_projects_come_in_pages_the_newest_first(alice: Client) -> None:
    made = [alice.make(name=str(number))["id"] for number in range(5)]
    first = alice.call("GET", params={"per_page": 2}).json()
    last = alice.call("GET", params={"per_page": 2, "page": 3}).json()
    assert [project["id"] for project in first["data"]] == [made[4], made[3]]
    assert [project["id"] for project in last["data"]] == [made[0]]
    figures = {"per_page": 2, "total_items": 5, "total_pages": 3}
    assert first["pagination"] == {"page": 1, "has_next": True, "has_prev": False, **figures}
    assert last["pagination"] == {"page": 3, "has_next": False, "has_prev": True, **figures}


@pytest.mark.parametrize("query", ["page=0", "per_page=0", "per_page=101", "page=x"])
def test_a_page_that_cannot_be_is_refused(alice: Client, query: str) -> None:
    assert problem(alice.call("GET", f"?{query}")) == (400, "invalid_request", query.partition("=")[0])


def test_a_project_can_be_changed(alice: Client) -> None:
    made = alice.make(name="old", description="old")
    changed = alice.call("PATCH", f"/{made['id']}", json={"name": "new", "description": None}).json()
    assert (changed["name"], changed["description"]) == ("new", None)
    assert changed["updated_at"] > made["updated_at"]
    assert alice.call("GET", f"/{made['id']}").json() == changed


def test_deleting_takes_the_folder_along(alice: Client, root: Path) -> None:
    made = alice.make(path="goes")
    (root / "goes/deep/er").mkdir(parents=True)
    (root / "goes/deep/er/file").write_text("x")
    deleted = alice.call("DELETE", f"/{made['id']}")
    assert deleted.json() == {"project_id": made["id"], "status": "deleted"}
    assert not (root / "goes").exists()
    assert not list(root.glob(".deleted-*"))
    for method in ("GET", "DELETE", "PATCH"):
        answer = alice.call(method, f"/{made['id']}", **({"json": {}} if method == "PATCH" else {}))
        assert problem(answer) == (404, "project_not_found", "project_id")
    assert alice.make(path="goes")["path"] == "goes"


BAD_BODIES: list[tuple[Body, str]] = [
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


@pytest.mark.parametrize(("body", "param"), BAD_BODIES)
def test_a_bad_body_is_refused_and_named(alice: Client, body: Body, param: str) -> None:
    assert problem(alice.call("POST", json=body)) == (400, "invalid_request", param)


def test_agents_need_the_operator(alice: Client) -> None:
    made = alice.make()
    for answer in (
        alice.call("POST", json={"name": "x", "policy": POLICY}),
        alice.call("PATCH", f"/{made['id']}", json={"policy": POLICY}),
    ):
        assert problem(answer) == (403, "agents_not_allowed", "policy.mode")


# Whose they are


def test_another_key_does_not_see_a_project(alice: Client, client: Callable[..., Client]) -> None:
    made, bob = alice.make(), client()
    url = f"/{made['id']}"
    answers = [
        bob.call("GET", url),
        bob.call("DELETE", url),
        bob.call("PATCH", url, json={"name": "mine"}),
        bob.call("GET", f"{url}/files"),
        bob.call("PUT", f"{url}/files/x", content="x"),
        bob.call("GET", f"{url}/files/x"),
        bob.call("DELETE", f"{url}/files/x"),
        bob.chat(project_id=made["id"]),
    ]
    assert {problem(answer)[:2] for answer in answers} == {(404, "project_not_found")}
    assert bob.call("GET").json()["data"] == []
    assert alice.call("GET", url).json() == made


def test_an_admin_sees_all_projects(alice: Client, client: Callable[..., Client]) -> None:
    made, admin = alice.make(), client(is_admin=True)
    assert admin.call("GET", f"/{made['id']}").json() == made
    assert made in admin.call("GET", params={"per_page": 100}).json()["data"]
    assert admin.call("DELETE", f"/{made['id']}").status_code == 200


def test_a_key_for_certain_projects_works_in_those_only(alice: Client, client: Callable[..., Client]) -> None:
    granted, other = alice.make(), alice.make()
    guest = client(allowed_projects=[granted["id"]])
    assert guest.call("GET").json()["data"] == [granted]
    assert guest.call("PUT", f"/{granted['id']}/files/x", content="x").status_code == 200
    assert problem(guest.call("GET", f"/{other['id']}"))[:2] == (404, "project_not_found")
    assert problem(guest.chat(project_id=other["id"]))[:2] == (404, "project_not_found")
    for answer in (
        guest.call("POST", json={"name": "more"}),
        guest.call("PATCH", f"/{granted['id']}", json={"name": "mine"}),
        guest.call("DELETE", f"/{granted['id']}"),
    ):
        assert problem(answer)[:2] == (403, "project_not_allowed")


def test_projects_need_a_key(alice: Client) -> None:
    assert alice.gateway.api.get("/v1/projects").status_code == 401


# Paths


TRICKS = [
    ".", "..", "", "/", "/etc", "../up", "a/b", "a/../..", "a//b", "./a", "a/.", "\\\\host\\share", "C:\\x", "C:", "~",
    "..\\x", "%2e%2e", "%2e%2e%2fx", "a\x00b", "a\nb", "\u202ea", "\uff0e\uff0e", "\u2025", "\u2024\u2024", "a\uff0fb",
    "a\u2215b", "e\u0301", "\xe9", "CON", "con", "nul.txt", "COM1", "lpt9.log", "aux", ".hidden", ".uploads", "-rf",
    " a", "a ", ".deleted-x", "a.", "a\t", "x" * 101, "$HOME", "a;b", "*", "a b", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
def test_a_path_that_is_no_plain_name_is_refused(alice: Client, root: Path, path: str) -> None:
    before = snapshot(root)
    body = b'{"name": "x", "path": %s}' % json.dumps(path).encode()
    assert problem(alice.call("POST", content=body)) == (400, "invalid_request", "path")
    assert snapshot(root) == before


def snapshot(root: Path) -> list[str]:
    return sorted(str(path) for path in root.parent.rglob("*"))


def test_what_is_there_already_is_not_made_a_project(alice: Client, root: Path) -> None:
    alice.make(path="taken")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (root / "link").symlink_to(outside)
    (root / "dangling").symlink_to(root.parent / "nothing")
    (root / "file").write_text("x")
    for path in ("taken", "link", "dangling", "file"):
        assert problem(alice.call("POST", json={"name": "x", "path": path})) == (400, "path_taken", "path")
    assert (outside / "precious").exists()
    assert not (root.parent / "nothing").exists()


def test_a_folder_that_became_a_link_is_neither_followed_nor_deleted(alice: Client, root: Path) -> None:
    made = alice.make(path="swapped")
    target = root.parent / "target"
    target.mkdir()
    (target / "precious").write_text("x")
    (root / "swapped").rmdir()
    (root / "swapped").symlink_to(target)
    assert alice.call("GET", f"/{made['id']}/files/precious").status_code == 404
    assert alice.call("PUT", f"/{made['id']}/files/new", content="x").status_code == 503
    assert alice.call("DELETE", f"/{made['id']}/files/precious").status_code == 404
    assert alice.call("GET", f"/{made['id']}/files").status_code == 503
    assert alice.call("DELETE", f"/{made['id']}").status_code == 200
    assert [path.name for path in target.iterdir()] == ["precious"]


def test_links_inside_a_project_are_deleted_and_not_followed(alice: Client, root: Path) -> None:
    made = alice.make(path="linking")
    target = root.parent / "linked"
    target.mkdir()
    (target / "precious").write_text("x")
    (root / "linking/link").symlink_to(target)
    (root / "linking/up").symlink_to("..")
    assert alice.call("DELETE", f"/{made['id']}").status_code == 200
    assert not (root / "linking").exists()
    assert (target / "precious").exists()
    assert root.is_dir()


@given(st.text(max_size=300))
@example("a/b")
@example("..")
def test_a_folder_s_name_is_one_plain_name(name: str) -> None:
    with contextlib.suppress(InvalidRequest):
        folder = project_paths.check_folder_name(name)
        assert folder == name
        assert folder.isascii()
        assert Path("/root", folder).resolve().parent == Path("/root").resolve()


@given(st.one_of(st.text(max_size=60), st.lists(st.text("a.\\/ \u0301", max_size=4)).map("/".join)))
@example("a/../b")
@example("/a")
@example("a/")
def test_a_file_s_path_stays_below(path: str) -> None:
    with contextlib.suppress(InvalidRequest):
        parts = project_paths.split_file_path(path)
        assert "/".join(parts) == path
        assert all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts)
        below = Path("/nowhere", *parts)
        assert below.is_relative_to("/nowhere")
        assert len(below.parts) == 2 + len(parts)


@pytest.mark.parametrize(
    "path", ["a", "src/a.py", "Übersicht 2.md", ".claude/settings.json", "日本/語.txt", "a..b"]
)
def test_ordinary_paths_are_taken(path: str) -> None:
    assert project_paths.split_file_path(path) == tuple(path.split("/"))


# In a conversation


def test_a_conversation_can_belong_to_a_project(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Aye."))
    made = gateway.api.post("/v1/projects", json={"name": "x"}).json()
    gateway.api.put(f"/v1/projects/{made['id']}/files/CLAUDE.md", content="Sing.")
    assert gateway.api.chat("hi", project_id=made["id"]).json()["choices"][0]["message"]["content"] == "Aye."
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Aye."}]
    assert gateway.api.chat(messages=[*said, {"role": "user", "content": "on"}]).status_code == 200
    first, second = standin.messages
    assert "tools" not in first.body or first.body["tools"] == []
    assert "Sing." not in str(first.body)
    assert first.headers["x-claude-code-session-id"] != second.headers["x-claude-code-session-id"]


@pytest.mark.parametrize("project", ["proj_unknown", "../x", "x" * 5000])
def test_an_unknown_project_is_a_404(gateway: Gateway, project: str) -> None:
    assert problem(gateway.api.chat("hi", project_id=project)) == (404, "project_not_found", "project_id")

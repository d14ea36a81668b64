"""Stored data over HTTP, on the page, and on the command line: the owners, and no contents."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.api.http.context import services_of
from gateway.command_line.group import main
from gateway.store.keys import Key, Keys
from tests.support.api_client import Api
from tests.support.apps import MakeApp
from tests.support.dashboard import dashboard_page

KINDS = ("sessions", "projects", "files", "batches")
SCRIPT = "<script>alert(1)</script>'\""


@pytest.fixture
def app(make_app: MakeApp, keys: Keys, tmp_path: Path) -> Flask:
    keys.create("unused")
    return make_app(require_auth=True, project_root=tmp_path)


@pytest.fixture
def alice(admin: Api, keys: Keys) -> Key:
    """Return a key that has stored one of each kind."""
    key, secret = keys.create("alice")
    client = admin.with_key(secret)
    client.post("/v1/sessions", json={"title": SCRIPT}).raise_for_status()
    client.post("/v1/projects", json={"name": "Garden"}).raise_for_status()
    line = b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": []}}'
    uploaded = client.post(
        "/v1/files", files={"file": ("in.jsonl", io.BytesIO(line))}, data={"purpose": "batch"}
    )
    body = {
        "input_file_id": uploaded.json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    client.post("/v1/batches", json=body).raise_for_status()
    return key


def test_stored_data_of_all_keys_are_listed_without_contents(app: Flask, admin: Api, alice: Key) -> None:
    services_of(app).sessions.create("key_gone", system_prompt="a secret prompt")
    rows = {kind: admin.get(f"/v1/admin/{kind}?key_id={alice.id}").json()["data"] for kind in KINDS}
    assert [[row["key_name"] for row in found] for found in rows.values()] == [["alice"]] * len(KINDS)
    assert (rows["files"][0]["filename"], rows["projects"][0]["name"]) == ("in.jsonl", "Garden")
    page = admin.get("/v1/admin/sessions?per_page=1").json()
    newest = page["data"][0]
    assert (newest["owner"], newest["key_name"], page["pagination"]["total_items"]) == ("key_gone", None, 2)
    assert "secret prompt" not in str(page)


def test_page_has_each_kind_and_escapes_names(admin: Api, alice: Key) -> None:
    shown = "".join(dashboard_page(admin, f"/stored?kind={kind}&key_id={alice.id}") for kind in KINDS)
    for words in ("&lt;script&gt;alert", "Garden", "in.jsonl", "validating", "alice"):
        assert words in shown, words
    assert "<script>alert" not in shown
    assert "There are no sessions" in dashboard_page(admin, "/stored?key_id=key_none&kind=nonsense")


def test_command_lists_each_kind(database_url: str, alice: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)
    outputs = [CliRunner().invoke(main, ["inventory", kind, "--key", alice.id]).output for kind in KINDS]
    assert all("alice" in output for output in outputs), outputs
    assert (
        CliRunner().invoke(main, ["inventory", "files", "--key", "key_none"]).output
        == "There are no files.\n"
    )

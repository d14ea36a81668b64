"""What the gateway does not serve it says, in the caller's own shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.api.views.not_served import FAMILIES
from gateway.app import create_app
from gateway.settings import Settings

SERVED = ("/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/models")

CALLS = [
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/moderations"),
    ("GET", "/v1/files"),
    ("DELETE", "/v1/files/file-1"),
    ("GET", "/v1/files/file-1/content"),
    ("POST", "/v1/uploads"),
    ("POST", "/v1/batches"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("POST", "/v1/assistants"),
    ("POST", "/v1/threads/runs"),
    ("PATCH", "/v1/vector_stores/vs_1"),
    ("PUT", "/v1/evals"),
    ("POST", "/v1/realtime/client_secrets"),
    ("POST", "/v1/containers"),
    ("POST", "/v1/videos"),
]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        Settings(database_url=f"sqlite:///{tmp_path / 'gateway.db'}", require_auth=True, api_keys=("right",))
    )
    yield app
    app.extensions["store"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


KEY = {"x-api-key": "right"}


@pytest.mark.parametrize(("method", "path"), CALLS, ids=str)
def test_what_is_not_served_says_what_is(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method, headers=KEY)
    assert answer.status_code == 501
    assert answer.headers["x-should-retry"] == "false"
    error: dict[str, Any] = answer.get_json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "not_implemented")
    assert all(served in error["message"] for served in SERVED)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_refused(client: FlaskClient, family: str) -> None:
    for path in (f"/v1/{family}", f"/v1/{family}/some/thing"):
        answer = client.post(path, headers=KEY)
        assert answer.status_code == 501
        assert FAMILIES[family] in answer.get_data(as_text=True)


def test_a_key_is_asked_for_first(client: FlaskClient) -> None:
    assert client.post("/v1/embeddings").status_code == 401


def test_anthropics_clients_are_told_in_their_shape(client: FlaskClient) -> None:
    answer = client.get("/v1/files", headers={**KEY, "anthropic-version": "2023-06-01"})
    assert answer.status_code == 501
    assert answer.get_json()["type"] == "error"


def test_other_urls_are_unknown_and_not_promised(client: FlaskClient) -> None:
    assert client.get("/v1/nonsense", headers=KEY).status_code == 404
    assert client.get("/v1/embeddingss", headers=KEY).status_code == 404

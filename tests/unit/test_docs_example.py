"""The example dialect in docs/dev.md: its code is taken from the page and answers requests."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import gateway.api.views
import gateway.dialects
import gateway.schemas
from gateway import app as factory
from gateway.api.http.context import services_of
from gateway.claude.service import Claude
from gateway.errors import ContextLengthExceeded
from gateway.settings import Settings
from gateway.turn import Turn
from tests.support.gateway import ROOT
from tests.unit.answering.fakes import MODEL, USAGE, FakeRun, complete_run

MODULE = re.compile(r"^```python\n# gateway/(\S+\.py)\n(.*?)^```$", re.M | re.S)
PARENTS = {"api/views": gateway.api.views, "dialects": gateway.dialects, "schemas": gateway.schemas}


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write the page's modules to a folder that Python searches for modules of the gateway."""
    for name, source in MODULE.findall((ROOT / "docs/dev.md").read_text("utf-8")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    for folder, package in PARENTS.items():
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if re.search(r"^gateway\..*\bask\b", name)]:
        del sys.modules[name]


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """Answer every turn with "Rome." and collect the turns in this list."""
    asked: list[Turn] = []

    def answer(
        self: Claude, *turns: Turn, n: int = 1, before_start: object = None, fallback: object = None
    ) -> Any:
        asked.extend(turns)
        return complete_run("Rome.")

    monkeypatch.setattr(Claude, "await_ready", lambda self: None)
    monkeypatch.setattr(Claude, "answer", answer)
    return asked


@pytest.fixture
def client(
    example: Path, turns: list[Turn], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """A client of an app in which the dialect is registered as the page says."""
    view = importlib.import_module("gateway.api.views.ask")
    monkeypatch.setattr(factory, "VIEWS", (*factory.VIEWS, view))
    monkeypatch.setattr(factory, "ANSWERING", (*factory.ANSWERING, view.blueprint))
    app = factory.create_app(Settings(database_url=database_url))
    yield app.test_client()
    services_of(app).store.close()


def test_example_is_one_package_one_schema_module_and_one_view(example: Path) -> None:
    folders = {path.relative_to(example).parent.as_posix() for path in example.rglob("*.py")}
    assert folders == {"schemas", "dialects/ask", "api/views"}


def test_example_dialect_answers_with_one_body(client: FlaskClient, turns: list[Turn]) -> None:
    response = client.post("/v1/ask", json={"question": "Italy's capital?", "model": "haiku", "seed": 1})
    assert response.json == {"answer": "Rome.", "model": MODEL, "tokens": USAGE.total_tokens}
    assert response.headers["x-ignored-parameters"] == "seed"
    assert response.headers["x-ratelimit-limit-requests"] == "100"
    (turn,) = turns
    assert turn.messages[0].content == ({"type": "text", "text": "Italy's capital?"},)
    assert turn.resolved_model.id.startswith("claude-haiku")


def test_example_dialect_streams(client: FlaskClient) -> None:
    response = client.post("/v1/ask", json={"question": "Italy's capital?", "stream": True})
    assert response.mimetype == "text/event-stream"
    assert response.data == b'data: {"text":"Rome."}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("body", [{}, {"question": " "}, {"question": 1}])
def test_example_dialect_names_the_wrong_field(client: FlaskClient, body: dict[str, Any]) -> None:
    response = client.post("/v1/ask", json=body)
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["error"]["param"] == "question"


def test_example_dialect_has_its_own_name_for_a_concept(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ContextLengthExceeded("The prompt is too long.", param="messages")
    monkeypatch.setattr(Claude, "answer", lambda self, *turns, **_: FakeRun(error=error))
    response = client.post("/v1/ask", json={"question": "Italy's capital?"})
    assert response.json is not None
    assert response.json["error"]["param"] == "question"


def test_example_dialect_has_a_description(client: FlaskClient) -> None:
    description = client.get("/openapi.json").json
    assert description is not None
    assert description["paths"]["/v1/ask"]["post"]["summary"].startswith("Answer a question")

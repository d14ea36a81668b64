"""OpenAI's batches: input, results, states and limits. The app is real, and the model is a function."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.turn import Turn
from tests.support.apps import close_app, open_app
from tests.support.batches import BatchApp, chat_line, text_of
from tests.unit.answering.fakes import FakeRun, complete_run

OpenApp = Callable[..., BatchApp]


@pytest.fixture
def open_batch_app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenApp]:
    """Return a function that opens an app. By default, its model repeats what it is told."""
    opened: list[BatchApp] = []

    def start(model: Any = None, key: str | None = None, **settings: Any) -> BatchApp:
        settings = {"database_url": database_url, "rate_limit_requests_per_minute": 0, **settings}
        opened.append(BatchApp(open_app(**settings), key))
        opened[-1].replace_model(model or repeat, monkeypatch)
        return opened[-1]

    yield start
    for one in opened:
        close_app(one.app)


def repeat(*turns: Turn, n: int = 1) -> FakeRun:
    return complete_run(f"You said {text_of(turns[0])}")


def test_each_request_gets_one_line_with_its_answer(open_batch_app: OpenApp) -> None:
    app = open_batch_app()
    created = app.create(chat_line("a", "one"), chat_line("b", "two"), metadata={"run": "7"})
    assert (created["status"], created["output_file_id"]) == ("validating", None)
    batch = app.finish(created)
    shown = app.api.get(f"/v1/batches/{batch.id}").json()
    assert shown["status"] == "completed"
    assert shown["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert (shown["error_file_id"], shown["metadata"], shown["model"]) == (None, {"run": "7"}, "haiku")
    lines = app.read_lines(shown["output_file_id"])
    assert [line["custom_id"] for line in lines] == ["a", "b"]
    answers = [line["response"]["body"]["choices"][0]["message"]["content"] for line in lines]
    assert answers == ["You said one", "You said two"]
    assert all(line["response"]["status_code"] == 200 and line["error"] is None for line in lines)

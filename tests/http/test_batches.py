"""OpenAI's batches: input, results, states and limits. The app is real, and the model is a function."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import gevent
import pytest
from flask import Flask

from gateway.store.database import utc_now
from gateway.store.models import BatchRow
from gateway.turn import Started, Turn
from tests.support.api_client import Body, error_of
from tests.support.apps import close_app, open_app
from tests.support.batches import BatchApp, chat_line, repeat
from tests.unit.answering.fakes import MODEL, FakeRun


@pytest.fixture(scope="module")
def _shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("batches")
    app = open_app(
        database_url=f"sqlite:///{folder}/gateway.db",
        rate_limit_requests_per_minute=0,
        max_batch_requests=3,
        max_batch_answers=1,
    )
    yield app
    close_app(app)


@pytest.fixture
def app(_shared_app: Flask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BatchApp:
    """Return an app with a client whose key is this test's own. Its model repeats what it is told."""
    batch_app = BatchApp(_shared_app, request.node.name)
    batch_app.replace_model(repeat, monkeypatch)
    return batch_app


def test_each_request_gets_one_line_with_its_answer(app: BatchApp) -> None:
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


def answers_of(lines: list[Body]) -> dict[str, Any]:
    """Return the text of each answer, or the code of each error, by custom id."""
    return {line["custom_id"]: _answer_of(line) for line in lines}


def _answer_of(line: Body) -> Any:
    if line["error"]:
        return line["error"]["code"]
    body = line["response"]["body"]
    return body["error"]["code"] if "error" in body else body["choices"][0]["message"]["content"]


def test_refused_requests_are_in_the_error_file_with_their_status(app: BatchApp) -> None:
    batch = app.finish(
        app.create(chat_line("good"), chat_line("bad", logprobs=True), chat_line("none", model="x"))
    )
    assert (batch.status, batch.succeeded, batch.errored) == ("completed", 1, 2)
    assert answers_of(app.read_lines(batch.output_file_id)) == {"good": "You said hi"}
    errors = app.read_lines(batch.error_file_id)
    assert answers_of(errors) == {"bad": "unsupported_parameter", "none": "model_not_supported"}
    assert [line["response"]["status_code"] for line in errors] == [400, 400]


@pytest.mark.parametrize(
    ("endpoint", "body", "read"),
    [
        ("/v1/responses", {"input": "hi"}, lambda body: body["output"][-1]["content"][0]["text"]),
        ("/v1/completions", {"prompt": "hi"}, lambda body: body["choices"][0]["text"]),
        ("/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, _answer_of),
    ],
)
def test_every_endpoint_of_answers_has_batches(
    app: BatchApp, endpoint: str, body: Body, read: Callable[[Body], Any]
) -> None:
    line = {"custom_id": "a", "url": endpoint, "method": "POST", "body": {"model": "haiku", **body}}
    batch = app.finish(app.create(line, endpoint=endpoint))
    (answer,) = app.read_lines(batch.output_file_id)
    assert "You said hi" in (
        read(answer["response"]["body"]) if read is not _answer_of else _answer_of(answer)
    )


def test_parameters_without_effect_are_named_in_the_result(app: BatchApp) -> None:
    batch = app.finish(app.create(chat_line("a", stream=True, seed=7)))
    (line,) = app.read_lines(batch.output_file_id)
    assert line["response"]["headers"] == {"x-ignored-parameters": "seed, stream"}
    assert line["response"]["body"]["object"] == "chat.completion"


GOOD = chat_line("a")
INVALID_LINES: dict[str, tuple[list[Body | str], list[tuple[str, int | None]]]] = {
    "not JSON": (["{"], [("invalid_json_line", 1)]),
    "no object": (["[1]"], [("invalid_json_line", 1)]),
    "no custom_id": ([{**GOOD, "custom_id": ""}], [("missing_required_parameter", 1)]),
    "no body": ([GOOD, {**GOOD, "custom_id": "b", "body": "x"}], [("missing_required_parameter", 2)]),
    "no url": ([{**GOOD, "url": None}], [("missing_required_parameter", 1)]),
    "other url": ([{**GOOD, "url": "/v1/responses"}], [("url_mismatch", 1)]),
    "other method": ([{**GOOD, "method": "GET"}], [("invalid_method", 1)]),
    "twice": ([GOOD, "", GOOD, "x"], [("duplicate_custom_id", 3), ("invalid_json_line", 4)]),
    "empty": (["", " "], [("empty_file", None)]),
    "too many": ([chat_line(str(number)) for number in range(4)], [("too_many_tasks", None)]),
}


# The codes are from the documentation of failed batches: https://platform.openai.com/docs/guides/batch
@pytest.mark.parametrize("name", INVALID_LINES)
def test_wrong_lines_fail_the_whole_batch(app: BatchApp, name: str) -> None:
    lines, expected = INVALID_LINES[name]
    batch = app.finish(app.create(*lines))
    shown = app.api.get(f"/v1/batches/{batch.id}").json()
    assert shown["status"] == "failed"
    assert shown["failed_at"] is not None
    assert [(error["code"], error["line"]) for error in shown["errors"]["data"]] == expected
    assert shown["request_counts"] == {"total": 0, "completed": 0, "failed": 0}


def test_file_may_have_a_byte_order_mark_and_line_ends_of_windows(app: BatchApp) -> None:
    text = "\ufeff" + "\r\n".join(json.dumps(chat_line(name, "Grüße")) for name in "ab") + "\r\n"
    batch = app.finish(app.create(text))
    assert answers_of(app.read_lines(batch.output_file_id)) == {"a": "You said Grüße", "b": "You said Grüße"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": "8d"}, "completion_window"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after.seconds"),
        ({"metadata": {"a": 1}}, "metadata"),
    ],
)
def test_wrong_bodies_are_refused(app: BatchApp, fields: Body, param: str) -> None:
    body = {"input_file_id": app.upload(GOOD), "endpoint": "/v1/chat/completions", **fields}
    error = error_of(app.api.post("/v1/batches", json=body))
    assert error.status == 400
    assert str(error.param).startswith(param)


def test_input_file_must_exist_and_be_meant_for_batches(app: BatchApp) -> None:
    body = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    for file_id, status in [("file-none", 404), (app.upload(GOOD, purpose="user_data"), 400)]:
        assert app.api.post("/v1/batches", json={**body, "input_file_id": file_id}).status_code == status
    others = app.upload(GOOD, owner="someone else")
    assert app.api.post("/v1/batches", json={**body, "input_file_id": others}).status_code == 404


def test_list_has_pages_and_only_the_owners_batches(app: BatchApp) -> None:
    ids = [app.create(GOOD)["id"] for _ in range(3)]
    first = app.api.get("/v1/batches", params={"limit": 2}).json()
    assert [one["id"] for one in first["data"]] == ids[:0:-1]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[2], ids[1], True)
    rest = app.api.get("/v1/batches", params={"after": first["last_id"]}).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (ids[:1], False)
    stranger = app.api.with_key("other")
    assert stranger.get("/v1/batches").json()["data"] == []
    assert error_of(stranger.get(f"/v1/batches/{ids[0]}")).code == "batch_not_found"
    assert error_of(stranger.post(f"/v1/batches/{ids[0]}/cancel")).status == 404


def test_canceled_batch_keeps_its_answers(app: BatchApp) -> None:
    batch = app.create(*(chat_line(name) for name in "abc"))
    while not app.get(batch).succeeded:
        app.look_for_work()
    canceled = app.api.post(f"/v1/batches/{batch['id']}/cancel").json()
    assert canceled["status"] == "cancelling"
    ended = app.finish(batch)
    assert (ended.status, ended.done) == ("cancelled", 3)
    assert ended.canceled >= 1
    assert set(answers_of(app.read_lines(ended.error_file_id)).values()) == {"batch_cancelled"}
    assert app.api.post(f"/v1/batches/{batch['id']}/cancel").status_code == 409


class HangingRun(FakeRun):
    """Begins an answer, and goes on when it is stopped."""

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        yield 0, [Started(MODEL)]
        while self.stopped is None:
            gevent.sleep(0.001)
        raise self.stopped


def hang(*turns: Turn, **options: object) -> FakeRun:
    return HangingRun()


def test_running_request_is_stopped_when_its_batch_is_canceled(
    app: BatchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.replace_model(hang, monkeypatch)
    batch = app.create(GOOD)
    while not app.services.batch_runner.running_count:
        app.look_for_work()
    app.api.post(f"/v1/batches/{batch['id']}/cancel")
    ended = app.finish(batch)
    assert (ended.status, ended.canceled) == ("cancelled", 1)


def test_overdue_batch_expires_with_the_answers_that_it_has(app: BatchApp) -> None:
    batch = app.create(*(chat_line(name) for name in "abc"))
    while not app.get(batch).succeeded:
        app.look_for_work()
    past = utc_now() - timedelta(seconds=1)
    app.services.store.write(BatchRow.update(expires_at=past).where(BatchRow.id == batch["id"]).execute)
    ended = app.finish(batch)
    assert ended.status == "expired"
    assert ended.expired >= 1
    assert set(answers_of(app.read_lines(ended.error_file_id)).values()) == {"batch_expired"}

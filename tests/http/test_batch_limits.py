"""Batches that meet limits and failures, and their keys. The app is real, and the model is a function."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.answering.batches import item_runner
from gateway.errors import AccountLimitReached, GatewayError, InvalidRequest, Overloaded, UpstreamError
from gateway.store.keys import Keys
from gateway.store.models import BatchRow
from gateway.turn import Turn
from tests.support.apps import close_app, open_app
from tests.support.batches import BatchApp, chat_line, message_request
from tests.unit.answering.fakes import FakeRun, complete_run

OpenBatchApp = Callable[..., BatchApp]


@pytest.fixture
def open_batch_app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenBatchApp]:
    """Return a function that opens an app whose model says "hi", unless a model is given."""
    opened: list[BatchApp] = []

    def start(model: Any = say_hi, key: str | None = None, **settings: Any) -> BatchApp:
        settings = {"database_url": database_url, "rate_limit_requests_per_minute": 0, **settings}
        opened.append(BatchApp(open_app(**settings), key))
        opened[-1].replace_model(model, monkeypatch)
        return opened[-1]

    yield start
    for one in opened:
        close_app(one.app)


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let failed requests be tried again at once."""
    monkeypatch.setattr(item_runner, "RETRY_SECONDS", (0.0,) * 4)


def say_hi(*turns: Turn, **options: object) -> FakeRun:
    return complete_run("hi")


def fail_first(times: int, error: GatewayError) -> Callable[..., FakeRun]:
    """Return a model that fails the first turns."""
    left = [error] * times
    return lambda *turns, **options: FakeRun(error=left.pop()) if left else complete_run("hi")


def end_wait(app: BatchApp) -> None:
    """Let the wait of all batches be over."""
    app.services.store.write(BatchRow.update(waits_until=0.0).execute)


def until_waiting(app: BatchApp, batch: Any) -> Any:
    """Run a batch until it waits, and return why."""
    while app.get(batch).current_waiting is None:
        app.look_for_work()
    return app.api.get(f"/v1/batches/{batch['id']}").json()["waiting"]


def test_rate_limit_of_the_key_delays_a_batch_and_leaves_half_for_others(
    open_batch_app: OpenBatchApp,
) -> None:
    app = open_batch_app(rate_limit_requests_per_minute=4, rate_limit_burst=0)
    batch = app.create(*(chat_line(str(number)) for number in range(3)))
    assert until_waiting(app, batch)["code"] == "rate_limit_exceeded"
    assert app.get(batch).succeeded == 2
    assert [app.api.chat("hi").status_code for _ in range(3)] == [200, 200, 429]
    assert app.get(batch).errored == 0


def test_exhausted_budget_delays_a_batch_until_it_is_raised(open_batch_app: OpenBatchApp, keys: Keys) -> None:
    key, secret = keys.create("alice", limits={"tokens_per_day": 5000})
    app = open_batch_app(key=secret, require_auth=True, max_batch_answers=1)
    app.owner = key.id
    batch = app.create(*(chat_line(name) for name in "abc"))
    reason = until_waiting(app, batch)
    assert reason["code"] == "insufficient_quota"
    assert "5000 tokens per day" in reason["message"]
    assert app.get(batch).succeeded == 2  # an answer of the fake model takes 4321 tokens
    keys.set_limits(key.id, {"tokens_per_day": 0})
    end_wait(app)
    assert app.finish(batch).succeeded == 3


@pytest.mark.parametrize(
    "error",
    [AccountLimitReached("Resets at 5 pm.", retry_after=9000), Overloaded("Busy.")],
    ids=lambda error: error.code,
)
def test_limits_of_the_account_delay_a_batch(open_batch_app: OpenBatchApp, error: GatewayError) -> None:
    app = open_batch_app(fail_first(1, error), max_batch_answers=1)
    batch = app.create(chat_line("a"))
    assert until_waiting(app, batch)["message"] == error.message
    app.look_for_work()
    assert app.get(batch).done == 0
    end_wait(app)
    assert app.finish(batch).succeeded == 1


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize(
    ("times", "error", "expected"),
    [
        (4, UpstreamError("The process ended."), "succeeded"),
        (5, UpstreamError("The process ended."), "errored"),
        (1, InvalidRequest("Wrong."), "errored"),
    ],
)
def test_only_failures_that_may_be_over_are_tried_again(
    open_batch_app: OpenBatchApp, times: int, error: GatewayError, expected: str
) -> None:
    app = open_batch_app(fail_first(times, error))
    batch = app.finish(app.create(chat_line("a")))
    assert getattr(batch, expected) == 1


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_batch_of_a_revoked_key_fails_with_401(open_batch_app: OpenBatchApp, keys: Keys, kind: Any) -> None:
    key, secret = keys.create("alice")
    app = open_batch_app(key=secret, require_auth=True)
    app.owner = key.id
    if kind == "openai":
        batch = app.create(chat_line("a"))
    else:
        body = {"requests": [message_request("a")]}
        batch = app.api.post("/v1/messages/batches", json=body).json()
    keys.revoke(key.id)
    ended = app.finish(batch, kind)
    assert (ended.succeeded, ended.errored) == (0, 1)
    results = [line for _, line in app.services.batch_jobs.read_results(ended)]
    lines = [str(line) for line in app.read_lines(ended.error_file_id)] or [line.decode() for line in results]
    assert "The API key that created the batch is revoked." in lines[0]


def test_models_of_the_key_count_for_its_batches(open_batch_app: OpenBatchApp, keys: Keys) -> None:
    key, secret = keys.create("alice", allowed_models=["sonnet"])
    app = open_batch_app(key=secret, require_auth=True)
    app.owner = key.id
    batch = app.finish(app.create(chat_line("a")))
    (line,) = app.read_lines(batch.error_file_id)
    assert line["response"]["body"]["error"]["code"] == "model_not_allowed"


def test_usage_has_each_request_of_a_batch_under_its_own_id(open_batch_app: OpenBatchApp) -> None:
    app = open_batch_app()
    batch = app.finish(app.create(chat_line("a")))
    (line,) = app.read_lines(batch.output_file_id)
    app.services.usage_writer.flush()
    assert (
        app.services.usage.sum_by("day", batch.created_at.date(), batch.created_at.date())[0].figures.requests
        == 1
    )
    assert (batch.input_tokens, batch.output_tokens) == (321, 4000)
    assert line["response"]["request_id"].startswith("req_")


def test_key_has_only_so_many_batches_in_progress(open_batch_app: OpenBatchApp) -> None:
    app = open_batch_app(max_batches_in_progress=1)
    batch = app.create(chat_line("a"))
    body = {"input_file_id": app.upload(chat_line("a")), "endpoint": "/v1/chat/completions"}
    refused = app.api.post("/v1/batches", json=body)
    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "false")
    app.finish(batch)
    assert app.api.post("/v1/batches", json=body).status_code == 200


def test_clients_cannot_claim_to_be_a_batch(open_batch_app: OpenBatchApp) -> None:
    app = open_batch_app(require_auth=True, api_keys=("right",))
    for name in ("gateway.call", "gateway-call", "HTTP_GATEWAY.CALL"):
        assert app.api.post("/v1/chat/completions", json={}, headers={name: "x"}).status_code == 401

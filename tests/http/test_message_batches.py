"""Anthropic's batches of messages. The app is real, and the model is a function."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import Body
from tests.support.apps import close_app, open_app
from tests.support.batches import BatchApp, message_request, repeat

URL = "/v1/messages/batches"


@pytest.fixture(scope="module")
def _shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("batches")
    app = open_app(
        allowed_hosts=("gateway.example",),
        database_url=f"sqlite:///{folder}/gateway.db",
        rate_limit_requests_per_minute=0,
        max_batch_requests=3,
    )
    yield app
    close_app(app)


@pytest.fixture
def app(_shared_app: Flask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BatchApp:
    """Return an app with a client whose key is this test's own. Its model repeats what it is told."""
    batch_app = BatchApp(_shared_app, request.node.name)
    batch_app.replace_model(repeat, monkeypatch)
    return batch_app


def create(app: BatchApp, *requests: Body, **headers: str) -> Body:
    answer = app.api.post(URL, json={"requests": requests}, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def read_results(app: BatchApp, batch: Body) -> dict[str, Any]:
    """Return the results by custom id."""
    answer = app.api.get(f"{URL}/{batch['id']}/results")
    assert answer.headers["content-type"] == "application/x-jsonl"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return {line["custom_id"]: line["result"] for line in lines}


def test_each_request_gets_one_result(app: BatchApp) -> None:
    created = create(app, message_request("good"), message_request("bad", max_tokens="many"))
    assert (created["processing_status"], created["results_url"]) == ("in_progress", None)
    assert created["request_counts"]["processing"] == 2
    assert app.api.get(f"{URL}/{created['id']}/results").status_code == 409
    app.finish(created, "anthropic")
    shown = app.api.get(f"{URL}/{created['id']}").json()
    assert shown["processing_status"] == "ended"
    counts = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}
    assert shown["request_counts"] == counts
    assert shown["results_url"] == f"http://localhost{URL}/{created['id']}/results"
    results = read_results(app, created)
    assert results["good"]["type"] == "succeeded"
    assert results["good"]["message"]["content"] == [{"type": "text", "text": "You said hi"}]
    error = results["bad"]["error"]
    assert (results["bad"]["type"], error["type"]) == ("errored", "error")
    assert error["error"]["type"] == "invalid_request_error"
    assert error["request_id"].startswith("req_")


def test_results_url_has_the_scheme_of_the_proxy(app: BatchApp) -> None:
    created = create(app, message_request("a"))
    app.finish(created, "anthropic")
    headers = {"x-forwarded-proto": "https", "host": "gateway.example"}
    shown = app.api.get(f"{URL}/{created['id']}", headers=headers).json()
    assert shown["results_url"].startswith("https://gateway.example/v1/messages/batches/")


def test_beta_header_of_the_creation_counts_for_every_request(app: BatchApp) -> None:
    budget = {"type": "enabled", "budget_tokens": 2000}  # more than max_tokens, which this beta allows
    request = message_request("a", thinking=budget, model="claude-haiku-4-5")
    beta = {"anthropic-beta": "interleaved-thinking-2025-05-14"}
    for headers, expected in [({}, "errored"), (beta, "succeeded")]:
        batch = create(app, request, **headers)
        app.finish(batch, "anthropic")
        assert read_results(app, batch)["a"]["type"] == expected


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "requests"),
        ("x", "requests"),
        ([message_request("a b")], "requests[0].custom_id"),
        ([message_request("a"), message_request("a")], "requests[1].custom_id"),
        ([{"custom_id": "a"}], "requests[0].params"),
        ([message_request(str(number)) for number in range(4)], "requests"),
    ],
)
def test_wrong_requests_are_refused(app: BatchApp, requests: Any, field: str) -> None:
    answer = app.api.post(URL, json={"requests": requests})
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert f"'{field}'" in answer.json()["error"]["message"]


def test_canceled_batch_has_a_result_for_every_request(app: BatchApp) -> None:
    batch = create(app, message_request("a"), message_request("b"))
    canceled = app.api.post(f"{URL}/{batch['id']}/cancel").json()
    assert canceled["processing_status"] == "canceling"
    assert canceled["cancel_initiated_at"] is not None
    app.finish(batch, "anthropic")
    assert read_results(app, batch) == {"a": {"type": "canceled"}, "b": {"type": "canceled"}}


def test_batch_can_be_deleted_when_it_has_ended(app: BatchApp) -> None:
    batch = create(app, message_request("a"))
    assert app.api.delete(f"{URL}/{batch['id']}").status_code == 409
    app.finish(batch, "anthropic")
    deleted = app.api.delete(f"{URL}/{batch['id']}").json()
    assert deleted == {"id": batch["id"], "type": "message_batch_deleted"}
    assert app.api.get(f"{URL}/{batch['id']}").status_code == 404


def test_list_has_pages_in_both_directions(app: BatchApp) -> None:
    ids = [create(app, message_request("a"))["id"] for _ in range(4)][::-1]

    def page(**query: Any) -> tuple[list[str], bool]:
        answer = app.api.get(URL, params={"limit": 2, **query}).json()
        return [one["id"] for one in answer["data"]], answer["has_more"]

    assert page() == (ids[:2], True)
    assert page(after_id=ids[1]) == (ids[2:], False)
    assert page(before_id=ids[3]) == (ids[1:3], True)
    assert page(before_id=ids[1]) == (ids[:1], False)


def test_batches_of_the_other_api_are_not_found(app: BatchApp) -> None:
    batch = create(app, message_request("a"))
    assert app.api.get(f"/v1/batches/{batch['id']}").status_code == 404

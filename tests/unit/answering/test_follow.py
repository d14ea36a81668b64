"""A client follows a response from the database: from the beginning, from a number, while it runs and afterwards."""

import json
from datetime import timedelta
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.answering import follow
from gateway.answering.background import BackgroundAnswer
from gateway.answering.event_log import EventLog
from gateway.answering.follow import follow_response
from gateway.dialects.responses.answers import StreamEncoder
from gateway.dialects.responses.builder import ResponseBuilder, new_response
from gateway.errors import UpstreamError
from gateway.store.database import Store
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.responses import EventChunk, Responses
from tests.support import responses_shapes as shapes
from tests.unit.answering.fakes import FakeRun, complete_run, meter
from tests.unit.dialects.test_responses_dialect import parse

OWNER = "me"
ECHOED = parse({"input": "hi", "background": True, "stream": True}).echoed


@pytest.fixture
def responses(store: Store) -> Responses:
    return Responses(store, timedelta(days=1))


@pytest.fixture(autouse=True)
def _fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.01)


def start(responses: Responses, run: FakeRun, *, has_log: bool = True) -> BackgroundAnswer:
    """Begin a background response that was requested as a stream."""
    response = new_response("resp_1", "m", ECHOED, status="queued")
    responses.add(OWNER, response, [], is_background=True)
    log = EventLog("resp_1", StreamEncoder({**response, "output": []}, False), responses) if has_log else None
    builder = ResponseBuilder(response, with_summary=False, can_retract=True)
    keeper = LeaseKeeper(responses.renew_leases, responses.find_active)
    return BackgroundAnswer(meter(run), builder, OWNER, responses, keeper, log)


def read(responses: Responses, after: int = -1) -> list[dict[str, Any]]:
    raw = b"".join(follow_response(responses, OWNER, "resp_1", after)).decode()
    return list(shapes.named_events(raw.split("\n")))


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["sequence_number"] for event in events]


def test_stream_can_be_resumed_from_every_number(responses: Responses) -> None:
    list(start(responses, complete_run("hi")))
    events = read(responses)
    for event in events:
        shapes.check_event(event)
    assert numbers(events) == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"
    for after in range(len(events)):
        assert read(responses, after) == events[after + 1 :]


def test_follower_reads_while_the_response_is_written(responses: Responses) -> None:
    go_on = Event()

    class PausedRun(FakeRun):
        def __iter__(self) -> Any:
            for index, batch in enumerate(super().__iter__()):
                if index == 2:
                    go_on.wait()
                yield batch

    start(responses, PausedRun(*complete_run("hi").batches))
    stream = follow_response(responses, OWNER, "resp_1", -1)
    first = next(stream)
    assert b"response.created" in first
    assert b"response.completed" not in first
    go_on.set()
    assert b"response.completed" in b"".join(stream)


def test_failure_ends_the_stream(responses: Responses) -> None:
    batches = complete_run("hi").batches[:2]
    start(responses, FakeRun(*batches, error=UpstreamError("broken")))
    gevent.sleep(0.02)
    events = read(responses)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert numbers(events) == list(range(len(events)))


def test_response_without_stored_events_is_replayed_when_it_is_finished(responses: Responses) -> None:
    list(start(responses, complete_run("hi"), has_log=False))
    events = read(responses)
    assert [event["delta"] for event in events if event["type"].endswith("text.delta")] == ["hi"]
    assert read(responses, 3) == events[4:]
    (last,) = read(responses, 500)  # the client has more events of the original stream, but may lack the end
    assert (last["type"], last["sequence_number"]) == ("response.completed", 501)


def test_stream_of_a_worker_that_died_is_ended(store: Store) -> None:
    responses = Responses(store, timedelta(days=1), lease_seconds=0)
    responses.add(OWNER, new_response("resp_1", "m", ECHOED, status="queued"), [], is_background=True)
    created = {"type": "response.created", "sequence_number": 0}
    responses.add_events(
        "resp_1", EventChunk(0, [f"event: response.created\ndata: {json.dumps(created)}".encode()])
    )
    first, last = read(responses)
    assert (first, last["type"], last["sequence_number"]) == (created, "response.failed", 1)


def test_deleted_response_ends_the_stream_with_an_error(responses: Responses) -> None:
    responses.add(OWNER, new_response("resp_1", "m", ECHOED, status="queued"), [], is_background=True)
    gevent.spawn_later(0.02, responses.delete, OWNER, "resp_1")
    (event,) = read(responses)
    assert (event["type"], event["error"]["code"]) == ("error", "response_not_found")
    responses.add_events("resp_1", EventChunk(0, [b"x"]))  # has no effect
    assert responses.list_events("resp_1", 0) == []

"""Responses in the background, on a real database and with runs that need no CLI."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.answering import background
from gateway.answering.background import BackgroundAnswer
from gateway.dialects.responses.builder import ResponseBuilder, new_response
from gateway.errors import ClientGone, GatewayError, StoreError, TurnStopped, UpstreamError
from gateway.store.database import Store
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.responses import Responses
from gateway.turn import Batch
from tests.unit.answering.fakes import FakeRun, complete_run, meter

OWNER = "me"


@pytest.fixture
def responses(store: Store) -> Responses:
    return Responses(store, timedelta(days=1))


def start(responses: Responses, run: FakeRun) -> BackgroundAnswer:
    response = new_response("resp_1", "m", {"previous_response_id": None}) | {"status": "queued"}
    responses.add(OWNER, response, [], is_background=True)
    builder = ResponseBuilder(response, with_summary=False, can_retract=True)
    keeper = LeaseKeeper(responses.renew_leases, responses.find_active)
    return BackgroundAnswer(meter(run), builder, OWNER, responses, keeper)


def stored(responses: Responses) -> dict[str, Any]:
    return responses.get(OWNER, "resp_1").body


def test_a_follower_gets_the_batches_and_the_response_is_stored(responses: Responses) -> None:
    run = complete_run("hi")
    answer = start(responses, run)
    assert [batch for _, batch in answer] == list(run.batches)
    answer.close()
    shown = stored(responses)
    assert (shown["status"], shown["output"][0]["content"][0]["text"]) == ("completed", "hi")
    assert run.closed == 1


def test_a_response_outlives_a_database_that_fails(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "FINAL_PAUSES", (0, 0))
    failures = iter(
        [StoreError(), StoreError(), StoreError()]
    )  # when it begins, and twice when it is complete
    update = responses.update

    def failing(*state: Any) -> bool:
        for error in failures:
            raise error
        return update(*state)

    monkeypatch.setattr(responses, "update", failing)
    list(start(responses, complete_run("hi")))
    assert stored(responses)["status"] == "completed"


def test_a_follower_that_leaves_does_not_end_the_response(responses: Responses) -> None:
    answer = start(responses, complete_run())
    answer.stop(ClientGone())
    with pytest.raises(ClientGone):
        list(answer)
    answer.close()
    gevent.sleep(0.02)
    assert stored(responses)["status"] == "completed"


def test_an_error_is_stored_and_raised_to_the_follower(responses: Responses) -> None:
    answer = start(responses, FakeRun(error=UpstreamError("It broke.")))
    with pytest.raises(UpstreamError):
        list(answer)
    shown = stored(responses)
    assert (shown["status"], shown["error"]["message"]) == ("failed", "It broke.")


def test_a_foreign_error_fails_the_response(responses: Responses, caplog: pytest.LogCaptureFixture) -> None:
    start(responses, FakeRun(error=KeyError())).close()
    gevent.sleep(0.02)
    assert stored(responses)["status"] == "failed"
    assert "a background response failed unexpectedly" in caplog.text


class HangingRun(FakeRun):
    """Yields nothing until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopped = Event()

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        if self.is_stopped.wait(2):
            raise TurnStopped
        yield from ()

    def stop(self, reason: GatewayError) -> None:
        self.is_stopped.set()


def test_a_cancelled_response_stops_its_run(responses: Responses) -> None:
    run = HangingRun()
    start(responses, run).close()
    responses.cancel(OWNER, "resp_1")
    assert run.is_stopped.wait(2)
    gevent.sleep(0.02)
    assert (stored(responses)["status"], run.closed) == ("cancelled", 1)

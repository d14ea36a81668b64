"""Background responses whose worker is killed or stopped, and streams that another worker resumes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.standin import StandIn, text
from tests.support.api_client import body_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.wide import wide


def start_endless_response(gateway: Gateway) -> str:
    """Start a background response that does not end, wait until it is in progress, and return its id."""
    response_id: str = body_of(gateway.api.create_response("HANGLATER", background=True))["id"]
    wait_for(lambda: gateway.api.show_response(response_id)["status"] == "in_progress", 30)
    return response_id


@wide
def test_response_fails_when_its_worker_is_killed(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = start_gateway(**ScriptedCli(tmp_path).environ, WARM_PROCESSES="1")
    response_id = start_endless_response(gateway)
    (worker,) = gateway.workers
    hanging = gateway.cli_processes()
    worker.kill()
    worker.wait(10)
    for process in hanging:
        process.kill()
    gateway.reconnect()
    wait_for(lambda: gateway.api.show_response(response_id)["status"] == "failed", 60)
    assert gateway.api.show_response(response_id)["error"]["code"] == "server_error"


@pytest.mark.wide
def test_stream_is_resumed_over_another_gateway(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    """openai-python cuts its stream and goes on with `retrieve(stream=True, starting_after=…)` at a second gateway."""
    standin.default(text(" ".join(f"word{number}" for number in range(40)), delay=0.1))
    first = start_gateway(**NOTHING_KEPT)
    second = start_gateway(**NOTHING_KEPT, DATABASE_URL=f"sqlite:///{first.home.name}/gateway.db")
    with (
        openai.OpenAI(base_url=f"{first.url}/v1", api_key="one", max_retries=0) as here,
        openai.OpenAI(base_url=f"{second.url}/v1", api_key="one", max_retries=0) as there,
    ):
        events = []
        with here.responses.create(model="haiku", input="hi", background=True, stream=True) as stream:
            for event in stream:
                events.append(event)
                if event.type == "response.output_text.delta":
                    break
        created, last = events[0], events[-1].sequence_number
        assert created.type == "response.created"
        with there.responses.retrieve(created.response.id, stream=True, starting_after=last) as rest:
            for event in rest:
                if len(events) == last + 1:  # the first one arrives while the response is still written
                    assert there.responses.retrieve(created.response.id).status == "in_progress"
                events.append(event)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert events[-1].type == "response.completed"
        assert said == events[-1].response.output_text
        options: Any = {
            "include": ["reasoning.encrypted_content"],
            "extra_query": {"include_obfuscation": "false"},
        }
        again = list(here.responses.retrieve(created.response.id, stream=True, **options))
        assert [event.to_dict() for event in again] == [event.to_dict() for event in events]


@wide
def test_response_fails_when_the_gateway_stops(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    environ = ScriptedCli(tmp_path).environ
    gateway = start_gateway(**environ, WARM_PROCESSES="1", GRACEFUL_TIMEOUT_SECONDS="5")
    start_endless_response(gateway)
    assert gateway.stop() == 0
    with closing(sqlite3.connect(Path(gateway.home.name, "gateway.db"))) as db:
        assert db.execute("select status from responses").fetchall() == [("failed",)]

"""Background responses whose worker is killed or stopped: none stays in progress."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.support.api_client import body_of
from tests.support.gateway import Gateway, wait_for
from tests.support.scripted import ScriptedCli


def start_endless_response(gateway: Gateway) -> str:
    """Start a background response that does not end, wait until it is in progress, and return its id."""
    response_id: str = body_of(gateway.api.create_response("HANGLATER", background=True))["id"]
    wait_for(lambda: gateway.api.show_response(response_id)["status"] == "in_progress", 30)
    return response_id


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


def test_response_fails_when_the_gateway_stops(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    environ = ScriptedCli(tmp_path).environ
    gateway = start_gateway(**environ, WARM_PROCESSES="1", GRACEFUL_TIMEOUT_SECONDS="5")
    start_endless_response(gateway)
    assert gateway.stop() == 0
    with closing(sqlite3.connect(Path(gateway.home.name, "gateway.db"))) as db:
        assert db.execute("select status from responses").fetchall() == [("failed",)]

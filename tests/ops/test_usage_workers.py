"""Usage with several workers: database, log and metrics agree with what clients received."""

import json
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.store.database import Store
from gateway.store.usage import UsageFigures, UsageTable, sum_figures
from tests.standin import StandIn, text
from tests.support.api_client import Body, body_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, hanging_up


@pytest.fixture(scope="module")
def three_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Return a gateway with three workers and the scripted CLI."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    settings = {"LOG_FORMAT": "json", "WEB_CONCURRENCY": "3", "MAX_PROCESSES": "8"}
    gateway = Gateway({**NOTHING_KEPT, **cli.environ, **settings, "ANTHROPIC_API_KEY": "sk-ant-dummy"})
    gateway.api.health()  # answers only when the database exists
    yield gateway
    gateway.close()


def database_of(gateway: Gateway) -> str:
    """Return the URL of the gateway's database."""
    return f"sqlite:///{gateway.home.name}/gateway.db"


def usage_of(gateway: Gateway) -> UsageFigures:
    """Return the totals of all rows in the gateway's database."""
    span = date.today() - timedelta(days=1), date.today() + timedelta(days=1)  # noqa: DTZ011
    return sum_figures(UsageTable(Store(database_of(gateway))).sum_by("day", *span))


def ask(gateway: Gateway, number: int) -> Body | None:
    """Send a request, of a kind that `number` chooses, and return the usage that its client received, if any."""
    if number % 3 == 0:
        client = SocketClient(gateway, "HANGLATER", stream=True)
        with hanging_up(client):
            client.read_until(b"so far", 30)
        return None
    if number % 3 == 1:
        usage: Body = body_of(gateway.api.chat("hello"))["usage"]
        return usage
    events = list(gateway.api.stream_chat("hello", stream_options={"include_usage": True}, n=2))
    streamed_usage: Body = json.loads(events[-2])["usage"]
    return streamed_usage


def metric(gateway: Gateway, name: str) -> float:
    """Return the sum of a metric over its labels."""
    lines = gateway.api.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}(\{{| )", line))


def test_rows_log_and_metrics_agree_with_what_clients_received(three_workers: Gateway) -> None:
    with ThreadPoolExecutor(6) as pool:
        usages = list(pool.map(lambda number: ask(three_workers, number), range(24)))
    received = [usage for usage in usages if usage is not None]
    assert len(received) == 16
    wait_for(lambda: usage_of(three_workers).requests == 24, 20)
    totals = usage_of(three_workers)
    cut_input = 8  # the API reports input tokens as soon as an answer starts
    assert (totals.failed, totals.cut) == (0, 8)
    assert totals.input_tokens == sum(usage["prompt_tokens"] for usage in received) + cut_input
    cost = sum(usage["cost"] for usage in received)
    assert totals.cost == pytest.approx(cost)
    cut_output = totals.output_tokens - sum(usage["completion_tokens"] for usage in received)
    assert cut_output == 8 * 2  # estimated from the text "so far"
    assert metric(three_workers, "gateway_answers_total") == 24
    assert metric(three_workers, "gateway_cost_usd_total") == pytest.approx(cost)
    assert metric(three_workers, "gateway_tokens_total") == totals.total_tokens
    lines = [json.loads(line) for line in three_workers.log.splitlines() if line.startswith("{")]
    answers = [line for line in lines if line.get("outcome")]
    assert len(answers) == 24
    assert sum(line.get("cost", 0) for line in answers) == pytest.approx(cost)
    assert "locked" not in three_workers.log


@pytest.mark.wide
def test_killed_workers_leave_an_intact_database(three_workers: Gateway) -> None:
    before = usage_of(three_workers).requests
    clients = [SocketClient(three_workers, "HANGLATER", stream=True) for _ in range(4)]
    with hanging_up(*clients):
        for client in clients:
            client.read_until(b"so far", 30)
        killed = three_workers.workers
        for worker in killed:
            worker.kill()
        wait_for(
            lambda: (
                len({worker.pid for worker in three_workers.workers} - {worker.pid for worker in killed}) == 3
            ),
            20,
        )
    with closing(sqlite3.connect(database_of(three_workers).removeprefix("sqlite:///"))) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    three_workers.reconnect()
    wait_for(lambda: three_workers.api.chat("hello").status_code == 200, 20)
    wait_for(lambda: usage_of(three_workers).requests > before, 10)


def test_answer_of_a_client_that_hangs_up_is_a_row(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("word " * 200, delay=0.02))
    client = SocketClient(gateway, "hi", stream=True)
    with hanging_up(client):
        client.read_until(b"word", 30)
    query = "SELECT outcome, error, output_tokens, is_estimated FROM usage WHERE request_id = ?"

    def row() -> Any:
        with closing(sqlite3.connect(database_of(gateway).removeprefix("sqlite:///"))) as db:
            return db.execute(query, [client.request_id]).fetchone()

    outcome, error, output, is_estimated = wait_for(row, 10)
    assert (outcome, error, is_estimated) == ("cut", "client_closed_request", True)
    assert 0 < output < 200


def test_answer_that_the_gateway_cuts_off_when_it_stops_is_a_row(
    tmp_path: Path, start_gateway: Callable[..., Gateway]
) -> None:
    url = f"sqlite:///{tmp_path}/kept.db"
    gateway = start_gateway(**NOTHING_KEPT, **ScriptedCli(tmp_path).environ, DATABASE_URL=url)
    client = SocketClient(gateway, "HANGLATER", stream=True)
    with hanging_up(client):
        client.read_until(b"so far", 30)
        gateway.stop(signal.SIGQUIT)  # stops without waiting for answers
    assert [failure.error for failure in UsageTable(Store(url)).list_failures()] == ["shutting_down"]

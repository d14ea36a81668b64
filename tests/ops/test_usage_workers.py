"""Usage through real workers: what rows, log and metrics say is what clients received."""

from __future__ import annotations

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

import httpx2 as httpx
import pytest

from gateway.store.database import Store
from gateway.store.usage import UsageFigures, UsageTable, sum_figures
from tests.standin import StandIn, text
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, hanging_up

# All together, with real workers


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Three workers in front of the scripted CLI."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    settings = {"LOG_FORMAT": "json", "WEB_CONCURRENCY": "3", "MAX_PROCESSES": "8"}
    gateway = Gateway({**NOTHING_KEPT, **cli.environ, **settings, "ANTHROPIC_API_KEY": "sk-ant-dummy"})
    gateway.api.health()  # it listens before it has made its database
    yield gateway
    gateway.close()


def database(gateway: Gateway) -> str:
    return f"sqlite:///{gateway.home.name}/gateway.db"


def figures_of(gateway: Gateway) -> UsageFigures:
    span = date.today() - timedelta(days=1), date.today() + timedelta(days=1)  # noqa: DTZ011
    return sum_figures(UsageTable(Store(database(gateway))).sum_by("day", *span))


def ask(gateway: Gateway, number: int) -> dict[str, Any] | None:
    """What the client is told of the usage of its answer; None for one that leaves."""
    if number % 3 == 0:
        caller = SocketClient(gateway, "HANGLATER", stream=True)
        with hanging_up(caller):
            caller.read_until(b"so far", 30)
        return None
    if number % 3 == 1:
        whole = gateway.api.chat("hello")
        assert whole.status_code == 200, whole.text
        found: dict[str, Any] = whole.json()["usage"]
        return found
    chunks = list(gateway.api.stream_chat("hello", stream_options={"include_usage": True}, n=2))
    told: dict[str, Any] = json.loads(chunks[-2])["usage"]
    return told


def metric(gateway: Gateway, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = gateway.api.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}(\{{| )", line))


def test_rows_log_and_metrics_agree_with_what_clients_received(busy: Gateway) -> None:
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda number: ask(busy, number), range(24)))
    received = [found for found in told if found is not None]
    assert len(received) == 16
    wait_for(lambda: figures_of(busy).requests == 24, 20)
    found = figures_of(busy)
    cut_input = 8  # the API tells of the input at once
    assert (found.failed, found.cut) == (0, 8)
    assert found.input_tokens == sum(one["prompt_tokens"] for one in received) + cut_input
    cost = sum(one["cost"] for one in received)
    assert found.cost == pytest.approx(cost)
    cut_output = found.output_tokens - sum(one["completion_tokens"] for one in received)
    assert cut_output == 8 * 2  # "so far", estimated
    assert metric(busy, "gateway_answers_total") == 24
    assert metric(busy, "gateway_cost_usd_total") == pytest.approx(cost)
    assert metric(busy, "gateway_tokens_total") == found.total_tokens
    lines = [json.loads(line) for line in busy.log.splitlines() if line.startswith("{")]
    answers = [line for line in lines if line.get("outcome")]
    assert len(answers) == 24
    assert sum(line.get("cost", 0) for line in answers) == pytest.approx(cost)
    assert "locked" not in busy.log


def test_a_killed_worker_leaves_a_sound_database(busy: Gateway) -> None:
    before = figures_of(busy).requests
    callers = [SocketClient(busy, "HANGLATER", stream=True) for _ in range(4)]
    with hanging_up(*callers):
        for caller in callers:
            caller.read_until(b"so far", 30)
        killed = busy.workers
        for worker in killed:
            worker.kill()
        wait_for(
            lambda: len({worker.pid for worker in busy.workers} - {worker.pid for worker in killed}) == 3, 20
        )
    with closing(sqlite3.connect(database(busy).removeprefix("sqlite:///"))) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    body = {"messages": [{"role": "user", "content": "hello"}]}
    wait_for(
        lambda: httpx.post(f"{busy.url}/v1/chat/completions", json=body, timeout=30).status_code == 200, 20
    )
    wait_for(lambda: figures_of(busy).requests > before, 10)


# With the real CLI


def test_an_answer_that_is_cut_off_is_a_row(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("word " * 200, delay=0.02))
    caller = SocketClient(gateway, "hi", stream=True)
    with hanging_up(caller):
        caller.read_until(b"word", 30)
    query = "SELECT outcome, error, output_tokens, is_estimated FROM usage WHERE request_id = ?"

    def row() -> Any:
        with closing(sqlite3.connect(database(gateway).removeprefix("sqlite:///"))) as db:
            return db.execute(query, [caller.request_id]).fetchone()

    outcome, error, output, is_estimated = wait_for(row, 10)
    assert (outcome, error, is_estimated) == ("cut", "client_closed_request", True)
    assert 0 < output < 200


def test_an_answer_that_the_end_of_the_gateway_cuts_off_is_a_row(
    tmp_path: Path, start_gateway: Callable[..., Gateway]
) -> None:
    url = f"sqlite:///{tmp_path}/kept.db"
    gateway = start_gateway(**NOTHING_KEPT, **ScriptedCli(tmp_path).environ, DATABASE_URL=url)
    caller = SocketClient(gateway, "HANGLATER", stream=True)
    with hanging_up(caller):
        caller.read_until(b"so far", 30)
        gateway.stop(signal.SIGQUIT)  # which waits for nothing
    assert [failure.error for failure in UsageTable(Store(url)).list_failures()] == ["shutting_down"]

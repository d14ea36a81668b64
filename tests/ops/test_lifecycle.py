"""The gateway as a whole: it stops in order, leaves nothing behind, keeps its pace and its queue."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.standin import Reply, StandIn, hang, text
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, cli_figures, cli_pids, hanging_up, have_ended, wait_until_idle

Start = Callable[..., Gateway]
SLOWLY = text("word " * 30, delay=0.05)


@contextlib.contextmanager
def streaming(gateway: Gateway, standin: StandIn, reply: Reply) -> Iterator[SocketClient]:
    """A client in the middle of the answer `reply`."""
    standin.reply(reply, when="write")
    caller = SocketClient(gateway, "write", stream=True)
    with hanging_up(caller):
        caller.read_until(b"word")
        yield caller


@pytest.fixture
def cli(tmp_path: Path) -> ScriptedCli:
    """The scripted CLI, for what the gateway does whatever the CLI is."""
    return ScriptedCli(tmp_path)


@pytest.fixture
def start_scripted(start_gateway: Start, cli: ScriptedCli) -> Start:
    """Starts a gateway in front of the scripted CLI."""
    return functools.partial(start_gateway, **NOTHING_KEPT, **cli.environ)


@contextlib.contextmanager
def hanging(gateway: Gateway) -> Iterator[SocketClient]:
    """A client in the middle of an answer of the scripted CLI that does not go on."""
    caller = SocketClient(gateway, "HANGLATER", stream=True)
    with hanging_up(caller):
        caller.read_until(b"so far")
        yield caller


def assert_whole(caller: SocketClient, words: int) -> None:
    caller.read_until(b"[DONE]")
    assert caller.received.count(b"word") == words


def test_sigterm_lets_a_running_answer_finish(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(**NOTHING_KEPT, GRACEFUL_TIMEOUT_SECONDS="20")
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, SLOWLY) as caller:
        left = cli_pids(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        assert_whole(caller, 30)
        caller.read_until(b"\r\n0\r\n\r\n")
        assert gateway.stop(timeout=10) == 0
    assert have_ended(*left)


def test_sigterm_ends_an_answer_after_the_graceful_timeout(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(**NOTHING_KEPT, GRACEFUL_TIMEOUT_SECONDS="5")
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, hang(after=3)) as caller:
        left = cli_pids(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        caller.read_until(b"\r\n0\r\n\r\n")
        assert json.loads(caller.events[-1])["error"]["code"] == "shutting_down"
        assert "[DONE]" not in caller.events
        assert gateway.stop(timeout=30) == 0
    assert have_ended(*left)
    standin.wait_for(lambda: standin.messages.last.aborted)


def test_worker_exits_before_gunicorn_would_kill_it(start_scripted: Start) -> None:
    """On a busy machine it may be too late once, but not every time."""
    logs = []
    for _ in range(3):
        gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="5", WARM_PROCESSES="1")
        with hanging(gateway):
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.stop(timeout=30) == 0
        logs.append(gateway.log)
        if "Worker exiting" in gateway.log:
            return
    raise AssertionError(f"the worker was killed every time: {logs}")


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.4])
def test_sigterm_while_the_worker_boots_is_not_lost(start_scripted: Start, delay: float) -> None:
    gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="40")
    wait_for(lambda: "Booting worker" in gateway.log)
    time.sleep(delay)  # the moment is the point here
    gateway.stop(timeout=30)


def test_idle_connections_do_not_delay_shutdown(start_scripted: Start) -> None:
    """Clients keep connections open for their next request; GRACEFUL_TIMEOUT_SECONDS is for answers."""
    gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="60", WARM_PROCESSES="1")
    (left,) = wait_until_idle(gateway, 1)  # over a connection that stays open
    assert gateway.stop(timeout=30) == 0
    assert have_ended(left)


def test_new_requests_are_rejected_after_sigterm(start_scripted: Start) -> None:
    gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="20", WARM_PROCESSES="1")
    wait_until_idle(gateway, 1)
    body = {"messages": [{"role": "user", "content": "hi"}]}
    with contextlib.ExitStack() as stack, hanging(gateway):
        connections = [stack.enter_context(httpx.Client(base_url=gateway.url, timeout=30)) for _ in range(20)]
        for connection in connections:
            connection.get("/health")
        gateway.process.send_signal(signal.SIGTERM)

        def refused() -> str | None:
            """Each connection is good for one more request, and it takes a moment for the worker to notice."""
            answer = connections.pop().post("/v1/chat/completions", json=body)
            return answer.json()["error"]["code"] if answer.status_code == 503 else None

        assert wait_for(refused) == "shutting_down"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_quick_stop_leaves_no_process(start_gateway: Start, standin: StandIn, number: int) -> None:
    gateway = start_gateway(**NOTHING_KEPT)
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, hang(after=3)):
        left = cli_pids(gateway)
        gateway.stop(number, timeout=10)
    wait_for(lambda: have_ended(*left), 10)


def test_killed_worker_leaves_no_process_and_is_replaced(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(**NOTHING_KEPT)
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, hang(after=3)):
        left = cli_pids(gateway)
        (worker,) = gateway.workers
        worker.kill()
        wait_for(lambda: have_ended(*left))
    gateway.api.close()
    wait_for(lambda: [other for other in gateway.workers if other.pid != worker.pid])


def test_reload_finishes_answers_and_leaves_no_process(
    start_scripted: Start, cli: ScriptedCli, tmp_path: Path
) -> None:
    wsgi = tmp_path / "reloaded_wsgi.py"
    wsgi.write_text((ROOT / "wsgi.py").read_text())
    gateway = start_scripted(
        "reloaded_wsgi:app",
        GUNICORN_CMD_ARGS="--reload --reload-engine=poll",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
    )
    wait_until_idle(gateway, 2)
    (worker,) = gateway.workers
    caller = SocketClient(gateway, "WAIT", stream=True)
    with hanging_up(caller):
        caller.read_until(b"so far")
        left = cli_pids(gateway)

        def is_seen() -> bool:
            wsgi.touch()  # again and again: what changes before gunicorn's first look is no change to it
            return "Worker reloading" in gateway.log

        wait_for(is_seen, 60)
        cli.go()
        caller.read_until(b"[DONE]")
    wait_for(lambda: have_ended(worker.pid, *left), 40)
    assert "SIGKILL" not in gateway.log


def probe(gateway: Gateway) -> dict[str, int]:
    """What tests.support.probe_wsgi counts."""
    counted: dict[str, int] = gateway.api.get("/_probe").json()
    return counted


def at_rest(gateway: Gateway) -> dict[str, int]:
    """The same, once what turns do behind their answers is done."""
    counted: list[dict[str, int]] = []

    def is_steady() -> bool:
        counted.append(probe(gateway))
        threading.Event().wait(0.1)
        return len(counted) >= 10 and all(one == counted[-1] for one in counted[-10:])

    wait_for(is_steady)
    return counted[-1]


def hammer(gateway: Gateway, requests: int, at_once: int, cut_after: float) -> list[int | None]:
    """Send that many requests, cutting off a third after up to `cut_after` seconds; their statuses, None if cut."""
    chance = random.Random(7)
    plans = [
        (number % 2 == 0, chance.random() * cut_after if number % 3 == 0 else None)
        for number in range(requests)
    ]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda plan: _ask(gateway, *plan), plans))


def _ask(gateway: Gateway, stream: bool, patience: float | None) -> int | None:
    caller = SocketClient(gateway, "SLOW", stream=stream)
    with hanging_up(caller):
        if patience is not None:
            threading.Event().wait(patience)  # the moment to leave is the point here
            return None
        if stream:
            caller.read_until(b"[DONE]", 60)
        else:
            caller.read_body(60)
        return caller.status


def assert_nothing_left(gateway: Gateway, requests: int, at_once: int, cut_after: float) -> None:
    hammer(gateway, at_once, at_once, cut_after)  # everything that is made once has been made
    warm = len(wait_until_idle(gateway, 2))
    before = at_rest(gateway)
    statuses = hammer(gateway, requests, at_once, cut_after)
    assert statuses.count(200) == requests - statuses.count(None)
    assert statuses.count(None) == len(range(0, requests, 3))
    assert len(wait_until_idle(gateway, 2)) == warm == 2
    assert at_rest(gateway) == before


def test_many_requests_leak_nothing(start_scripted: Start) -> None:
    gateway = start_scripted("tests.support.probe_wsgi:app")
    assert_nothing_left(gateway, 120, at_once=8, cut_after=0.3)


def test_requests_to_the_real_cli_leak_nothing(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway("tests.support.probe_wsgi:app", **NOTHING_KEPT)
    standin.default(text("word " * 20, delay=0.01))
    assert_nothing_left(gateway, 9, at_once=3, cut_after=1.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_requests_to_the_real_cli_leak_nothing(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway("tests.support.probe_wsgi:app", **NOTHING_KEPT)
    standin.default(text("word " * 20, delay=0.01))
    assert_nothing_left(gateway, 200, at_once=8, cut_after=2.5)
    assert all(record.finished for record in standin.messages)


def timed_words(gateway: Gateway) -> Iterator[float]:
    """When each piece of an answer's text came."""
    for event in gateway.api.stream_chat("hi"):
        if event != "[DONE]" and json.loads(event)["choices"][0]["delta"].get("content"):
            yield time.monotonic()


def test_six_answers_run_in_parallel(start_scripted: Start) -> None:
    gateway = start_scripted(WARM_PROCESSES="6")
    wait_until_idle(gateway, 6)
    callers = [SocketClient(gateway, "HANGLATER", stream=True) for _ in range(6)]
    with hanging_up(*callers):
        for caller in callers:
            caller.read_until(b"so far")
        assert cli_figures(gateway)["running"] == 6


@pytest.mark.slow  # and meaningless while the machine is busy with other tests
def test_six_streams_start_together(start_gateway: Start, standin: StandIn) -> None:
    """Within half a second of each other, in the best of three tries."""
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="6")
    standin.default(text("word " * 5, delay=0.01))
    spreads = []
    for _ in range(3):
        wait_until_idle(gateway, 6)
        with ThreadPoolExecutor(6) as pool:
            firsts = list(pool.map(lambda _: next(timed_words(gateway)), range(6)))
        spreads.append(max(firsts) - min(firsts))
        if spreads[-1] < 0.5:
            return
    raise AssertionError(f"seconds between the first and the last to start: {spreads}")


def test_tokens_arrive_as_the_model_writes_them(gateway: Gateway, standin: StandIn) -> None:
    """Word for word, and not in a few bursts: what the client has is little behind what the model has said."""
    standin.default(text("word " * 50, delay=0.04))
    behind = [standin.messages.last.deltas - heard for heard, _ in enumerate(timed_words(gateway), 1)]
    assert len(behind) == 50
    assert statistics.median(behind) <= 10


def queued(gateway: Gateway, count: int) -> None:
    wait_for(lambda: cli_figures(gateway)["queued"] == count)


def test_queue_is_bounded_and_first_come_first_served(start_scripted: Start) -> None:
    gateway = start_scripted(
        MAX_CONCURRENT_SESSIONS="2", MAX_QUEUED_REQUESTS="2", QUEUE_TIMEOUT_SECONDS="60", WARM_PROCESSES="2"
    )
    wait_until_idle(gateway, 2)
    running = [SocketClient(gateway, "HANGLATER", stream=True) for _ in range(2)]
    with hanging_up(*running):
        for caller in running:
            caller.read_until(b"so far")
        waiting: list[SocketClient] = []
        for number in range(2):
            waiting.append(SocketClient(gateway, "HANGLATER", stream=True))
            queued(gateway, number + 1)
        with hanging_up(*waiting):
            refused = gateway.api.chat("one too many")
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_turns")
            assert int(refused.headers["retry-after"]) >= 1
            for leaver, next_one in zip(running, waiting, strict=True):
                leaver.hang_up()
                next_one.read_until(b"so far")
                queued(gateway, len(waiting) - 1 - waiting.index(next_one))


def test_queued_request_is_rejected_after_the_queue_timeout(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_CONCURRENT_SESSIONS="1", QUEUE_TIMEOUT_SECONDS="0.5", WARM_PROCESSES="1")
    wait_until_idle(gateway, 1)
    with hanging(gateway):
        asked = time.monotonic()
        refused: Any = gateway.api.chat("hi")
        assert 0.4 < time.monotonic() - asked < 10  # and not for good
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_turns")
    assert int(refused.headers["retry-after"]) >= 1
    wait_for(lambda: cli_figures(gateway)["running"] == 0)

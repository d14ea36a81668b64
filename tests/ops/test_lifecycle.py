"""The gateway as a process: it shuts down in order, leaks nothing, streams without delay and keeps its queue."""

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

import httpx2 as httpx
import pytest

from tests.standin import Reply, StandIn, hang, text
from tests.support.api_client import Body, error_of
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.recorded import chunks_of, streamed_text
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, cli_figures, cli_pids, hanging_up, have_ended, wait_until_idle
from tests.support.wide import wide, wide_except

Start = Callable[..., Gateway]
SLOW_REPLY = text("word " * 30, delay=0.05)


@contextlib.contextmanager
def streaming(gateway: Gateway, standin: StandIn, reply: Reply) -> Iterator[SocketClient]:
    """Yield a client in the middle of an answer; the model gives this reply."""
    standin.reply(reply, when="write")
    client = SocketClient(gateway, "write", stream=True)
    with hanging_up(client):
        client.read_until(b"word")
        yield client


@pytest.fixture
def cli(tmp_path: Path) -> ScriptedCli:
    """Return the scripted CLI, for tests of the gateway that need no real one."""
    return ScriptedCli(tmp_path)


@pytest.fixture
def start_scripted(start_gateway: Start, cli: ScriptedCli) -> Start:
    """Return a function that starts a gateway in front of the scripted CLI."""
    return functools.partial(start_gateway, **NOTHING_KEPT, **cli.environ)


@contextlib.contextmanager
def hanging(gateway: Gateway) -> Iterator[SocketClient]:
    """Yield a client in the middle of an answer that the scripted CLI never finishes."""
    client = SocketClient(gateway, "HANGLATER", stream=True)
    with hanging_up(client):
        client.read_until(b"so far")
        yield client


def assert_complete(client: SocketClient, words: int) -> None:
    """Read a stream to its end and assert that it has that many words."""
    client.read_until(b"[DONE]")
    assert client.received.count(b"word") == words


def test_sigterm_lets_a_running_answer_finish(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(**NOTHING_KEPT, GRACEFUL_TIMEOUT_SECONDS="20")
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, SLOW_REPLY) as client:
        pids = cli_pids(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        assert_complete(client, 30)
        client.read_until(b"\r\n0\r\n\r\n")
        assert gateway.stop(timeout=10) == 0
    assert have_ended(*pids)


@pytest.mark.wide
def test_sigterm_ends_an_answer_after_the_graceful_timeout(start_gateway: Start, standin: StandIn) -> None:
    # gunicorn would kill the worker after a minute only, so that a busy machine cannot make it late.
    arguments = "--graceful-timeout 60"
    gateway = start_gateway(**NOTHING_KEPT, GRACEFUL_TIMEOUT_SECONDS="5", GUNICORN_CMD_ARGS=arguments)
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, hang(after=3)) as client:
        pids = cli_pids(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        client.read_until(b"\r\n0\r\n\r\n")
        assert json.loads(client.events[-1])["error"]["code"] == "shutting_down"
        assert "[DONE]" not in client.events
        assert gateway.stop(timeout=50) == 0
    assert "Worker exiting" in gateway.log
    assert have_ended(*pids)
    standin.wait_for(lambda: standin.messages.last.aborted)


@pytest.mark.parametrize("delay", wide_except([0.0, 0.1, 0.2, 0.4], 0.0, 0.4))
def test_sigterm_while_the_worker_boots_is_not_lost(start_scripted: Start, delay: float) -> None:
    gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="40")
    wait_for(lambda: "Booting worker" in gateway.log)
    time.sleep(delay)  # the signal arrives at different moments of the boot
    gateway.stop(timeout=30)


@wide
def test_idle_connections_do_not_delay_shutdown(start_scripted: Start) -> None:
    """Only answers get GRACEFUL_TIMEOUT_SECONDS; clients keep idle connections open for their next request."""
    gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="60", WARM_PROCESSES="1")
    (pid,) = wait_until_idle(gateway, 1)  # the connection of this request stays open
    assert gateway.stop(timeout=30) == 0
    assert have_ended(pid)


def test_new_requests_are_rejected_after_sigterm(start_scripted: Start) -> None:
    gateway = start_scripted(GRACEFUL_TIMEOUT_SECONDS="20", WARM_PROCESSES="1")
    wait_until_idle(gateway, 1)
    body = {"messages": [{"role": "user", "content": "hi"}]}
    with contextlib.ExitStack() as stack, hanging(gateway):
        connections = [stack.enter_context(httpx.Client(base_url=gateway.url, timeout=30)) for _ in range(20)]
        for connection in connections:
            connection.get("/health")
        gateway.process.send_signal(signal.SIGTERM)

        def send_request() -> str | None:
            """Return the code of a rejection. Each connection takes one more request until the worker shuts down."""
            time.sleep(
                0.1
            )  # for up to a second, the gateway still accepts connections, and then it refuses nothing
            answer = connections.pop().post("/v1/chat/completions", json=body)
            return error_of(answer).code if answer.status_code == 503 else None

        assert wait_for(send_request) == "shutting_down"


@pytest.mark.parametrize("number", wide_except([signal.SIGINT, signal.SIGQUIT], signal.SIGQUIT))
def test_quick_stop_leaves_no_process(start_gateway: Start, standin: StandIn, number: int) -> None:
    gateway = start_gateway(**NOTHING_KEPT)
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, hang(after=3)):
        pids = cli_pids(gateway)
        gateway.stop(number, timeout=10)
    wait_for(lambda: have_ended(*pids), 10)


def test_killed_worker_leaves_no_process_and_is_replaced(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway(**NOTHING_KEPT)
    wait_until_idle(gateway, 2)
    with streaming(gateway, standin, hang(after=3)):
        pids = cli_pids(gateway)
        (worker,) = gateway.workers
        worker.kill()
        wait_for(lambda: have_ended(*pids))
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
    client = SocketClient(gateway, "WAIT", stream=True)
    with hanging_up(client):
        client.read_until(b"so far")
        pids = cli_pids(gateway)

        def is_reloading() -> bool:
            wsgi.touch()  # gunicorn notices only changes since it first looked at the file
            return "Worker reloading" in gateway.log

        wait_for(is_reloading, 60)
        cli.finish_waiting()
        client.read_until(b"[DONE]")
    wait_for(lambda: have_ended(worker.pid, *pids), 40)
    assert "SIGKILL" not in gateway.log


def count_resources(gateway: Gateway) -> dict[str, int]:
    """Return the counts of tests.support.probe_wsgi, as soon as they have been the same ten times in a row."""
    counts: list[dict[str, int]] = []

    def are_steady() -> bool:
        counts.append(gateway.api.get("/_probe").json())
        threading.Event().wait(0.1)
        return len(counts) >= 10 and all(count == counts[-1] for count in counts[-10:])

    wait_for(are_steady)
    return counts[-1]


def send_requests(gateway: Gateway, requests: int, at_once: int, longest_wait: float) -> list[int | None]:
    """Send that many requests and return their statuses.

    Every third client hangs up after up to `longest_wait` seconds; its status is None.
    """
    random_numbers = random.Random(7)
    plans = [
        (number % 2 == 0, random_numbers.random() * longest_wait if number % 3 == 0 else None)
        for number in range(requests)
    ]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda plan: _send_request(gateway, *plan), plans))


def _send_request(gateway: Gateway, stream: bool, hang_up_after: float | None) -> int | None:
    client = SocketClient(gateway, "SLOW", stream=stream)
    with hanging_up(client):
        if hang_up_after is not None:
            threading.Event().wait(hang_up_after)  # clients leave at different moments of the answer
            return None
        if stream:
            client.read_until(b"[DONE]", 60)
        else:
            client.read_body(60)
        return client.status


def assert_leaks_nothing(gateway: Gateway, requests: int, at_once: int, longest_wait: float) -> None:
    """Send requests and assert that no greenlet, descriptor or process is left of them."""
    send_requests(gateway, at_once, at_once, longest_wait)  # create everything that is created once
    wait_until_idle(gateway, 2)
    before = count_resources(gateway)
    statuses = send_requests(gateway, requests, at_once, longest_wait)
    assert statuses.count(200) == requests - statuses.count(None)
    assert statuses.count(None) == len(range(0, requests, 3))
    wait_until_idle(gateway, 2)
    assert count_resources(gateway) == before


@wide
def test_many_requests_leak_nothing(start_scripted: Start) -> None:
    gateway = start_scripted("tests.support.probe_wsgi:app")
    assert_leaks_nothing(gateway, 120, at_once=8, longest_wait=0.3)


@pytest.mark.wide
def test_requests_to_the_real_cli_leak_nothing(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway("tests.support.probe_wsgi:app", **NOTHING_KEPT)
    standin.default(text("word " * 20, delay=0.01))
    assert_leaks_nothing(gateway, 9, at_once=3, longest_wait=1.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_requests_to_the_real_cli_leak_nothing(start_gateway: Start, standin: StandIn) -> None:
    gateway = start_gateway("tests.support.probe_wsgi:app", **NOTHING_KEPT)
    standin.default(text("word " * 20, delay=0.01))
    assert_leaks_nothing(gateway, 200, at_once=8, longest_wait=2.5)
    assert all(record.finished for record in standin.messages)


def test_six_answers_run_in_parallel(start_scripted: Start) -> None:
    gateway = start_scripted(WARM_PROCESSES="6")
    wait_until_idle(gateway, 6)
    clients = [SocketClient(gateway, "HANGLATER", stream=True) for _ in range(6)]
    with hanging_up(*clients):
        for client in clients:
            client.read_until(b"so far")
        assert cli_figures(gateway)["running"] == 6


@pytest.mark.slow  # six processes of the real CLI
def test_six_streams_start_together(start_gateway: Start, standin: StandIn) -> None:
    """The model answers none of six requests before it has them all."""
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="6")
    wait_until_idle(gateway, 6)
    all_here = threading.Barrier(6)

    def reply(_: Body) -> Reply:
        all_here.wait(60)
        return text("word")

    standin.default(reply)
    with ThreadPoolExecutor(6) as pool:
        streams = list(pool.map(lambda _: list(gateway.api.stream_chat()), range(6)))
    assert [streamed_text(chunks_of(stream)) for stream in streams] == ["word"] * 6


def test_tokens_arrive_as_the_model_writes_them(gateway: Gateway, standin: StandIn) -> None:
    """The client is at most a few words behind the model, where buffering would deliver them in bursts."""
    standin.default(text("word " * 50, delay=0.04))
    events = (json.loads(event) for event in gateway.api.stream_chat() if event != "[DONE]")
    words = (event for event in events if event["choices"][0]["delta"].get("content"))
    behind = [standin.messages.last.deltas - received for received, _ in enumerate(words, 1)]
    assert len(behind) == 50
    assert statistics.median(behind) <= 10


def wait_for_queue(gateway: Gateway, length: int) -> None:
    wait_for(lambda: cli_figures(gateway)["queued"] == length)


def test_queue_is_bounded_and_first_come_first_served(start_scripted: Start) -> None:
    gateway = start_scripted(
        MAX_CONCURRENT_SESSIONS="2", MAX_QUEUED_REQUESTS="2", QUEUE_TIMEOUT_SECONDS="60", WARM_PROCESSES="2"
    )
    wait_until_idle(gateway, 2)
    running = [SocketClient(gateway, "HANGLATER", stream=True) for _ in range(2)]
    with hanging_up(*running):
        for client in running:
            client.read_until(b"so far")
        waiting: list[SocketClient] = []
        for number in range(2):
            waiting.append(SocketClient(gateway, "HANGLATER", stream=True))
            wait_for_queue(gateway, number + 1)
        with hanging_up(*waiting):
            assert_queue_is_full(gateway.api.chat("one too many"))
            for finished, next_in_line in zip(running, waiting, strict=True):
                finished.hang_up()
                next_in_line.read_until(b"so far")
                wait_for_queue(gateway, len(waiting) - 1 - waiting.index(next_in_line))


def assert_queue_is_full(response: httpx.Response) -> None:
    assert error_of(response)[:2] == (429, "too_many_turns")
    assert int(response.headers["retry-after"]) >= 1


def test_queued_request_is_rejected_after_the_queue_timeout(start_scripted: Start) -> None:
    gateway = start_scripted(MAX_CONCURRENT_SESSIONS="1", QUEUE_TIMEOUT_SECONDS="0.5", WARM_PROCESSES="1")
    wait_until_idle(gateway, 1)
    with hanging(gateway):
        rejected = gateway.api.chat("hi")
    assert_queue_is_full(rejected)
    assert rejected.elapsed.total_seconds() > 0.4
    wait_for(lambda: cli_figures(gateway)["running"] == 0)

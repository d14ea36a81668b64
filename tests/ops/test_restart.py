"""`make restart` sends gunicorn a HUP: new workers take over, and clients notice nothing."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from tests.support.gateway import Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, cli_figures, cli_pids, hanging_up, have_ended

STREAMS = 20
CONNECTIONS = 5
Start = Callable[..., Gateway]


def settings(cli: ScriptedCli) -> dict[str, str]:
    """Return settings with room for all clients, and the scripted CLI, which uses little CPU."""
    return {
        **cli.environ,
        "MAX_CONCURRENT_SESSIONS": "40",
        "MAX_PROCESSES": "40",
        "QUEUE_TIMEOUT_SECONDS": "60",
        "START_TIMEOUT_SECONDS": "100",
        "WARM_PROCESSES": "2",
        "GRACEFUL_TIMEOUT_SECONDS": "60",
    }


class BusyClient(threading.Thread):
    """Sends one chat request after the other, each over a new connection, and records the statuses."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.gateway = gateway
        self.statuses: list[int] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            self.statuses.append(status_of_chat(self.gateway.url))


def status_of_chat(url: str) -> int:
    """Send a chat request over a new connection and return its status, or 0 if the connection broke."""
    body = {"messages": [{"role": "user", "content": "hi"}]}
    try:
        return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60, trust_env=False).status_code
    except httpx.TransportError:
        return 0


@contextlib.contextmanager
def busy_client(gateway: Gateway) -> Iterator[BusyClient]:
    """Send requests during the whole block."""
    client = BusyClient(gateway)
    client.start()
    try:
        yield client
    finally:
        client.done.set()
        client.join()


def reload(gateway: Gateway) -> tuple[psutil.Process, psutil.Process]:
    """Send HUP, and return the old worker and the new one that replaces it."""
    (old,) = gateway.workers
    gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: gateway.log.count("Booting worker") == 2, 30)
    (new,) = [worker for worker in gateway.workers if worker.pid != old.pid]
    return old, new


def test_restart_under_load_drops_and_rejects_nothing(start_gateway: Start, tmp_path: Path) -> None:
    cli = ScriptedCli(tmp_path)
    gateway = start_gateway(**settings(cli))
    gateway.await_warm(2)
    with contextlib.ExitStack() as stack:
        streams = [SocketClient(gateway, "WAIT", stream=True) for _ in range(STREAMS)]
        stack.enter_context(hanging_up(*streams))
        for stream in streams:
            stream.read_until(b"so far", 60)
        pids = cli_pids(gateway)
        connections = [
            stack.enter_context(httpx.Client(base_url=gateway.url, timeout=60)) for _ in range(CONNECTIONS)
        ]
        for connection in connections:
            connection.get("/health")
        client = stack.enter_context(busy_client(gateway))
        wait_for(lambda: len(client.statuses) >= 3, 30)
        old, new = reload(gateway)
        wait_for(lambda: is_retired(old), 30)
        body = {"messages": [{"role": "user", "content": "hi"}]}
        cli_figures(gateway)  # an idle connection of the test would delay the end of the old worker
        answers = [connection.post("/v1/chat/completions", json=body) for connection in connections]
        before = len(client.statuses)
        wait_for(lambda: len(client.statuses) >= before + 3, 30)
        cli.finish_waiting()
        for stream in streams:
            stream.read_until(b"[DONE]", 60)
            assert b" and on" in stream.received
    assert [answer.status_code for answer in answers] == [200] * CONNECTIONS
    assert set(client.statuses) == {200}
    wait_for(lambda: have_ended(old.pid, *pids), 40)
    assert new.is_running()
    assert "SIGKILL" not in gateway.log


def is_retired(old: psutil.Process) -> bool:
    """Return whether the old worker has stopped listening, so that new connections reach the other one."""
    return not any(found.status == psutil.CONN_LISTEN for found in old.net_connections("tcp"))


@pytest.mark.wide
def test_old_worker_ends_its_idle_processes_at_once(start_gateway: Start, tmp_path: Path) -> None:
    """The old worker has ended its warm and parked processes while it still finishes an answer."""
    cli = ScriptedCli(tmp_path)
    gateway = start_gateway(**settings(cli))
    gateway.await_warm(2)
    assert gateway.api.chat("hi").status_code == 200
    wait_for(lambda: cli_figures(gateway)["kept"] == 1 and cli_figures(gateway)["warm"] >= 2, 30)
    with streaming(gateway) as stream:
        assert len(cli_pids(gateway)) >= 3
        old, _ = reload(gateway)
        wait_for(lambda: len(old.children()) == 1, 30)
        cli.finish_waiting()
        stream.read_until(b"[DONE]")


@contextlib.contextmanager
def streaming(gateway: Gateway) -> Iterator[SocketClient]:
    """Yield a client in the middle of an answer."""
    client = SocketClient(gateway, "WAIT", stream=True)
    with hanging_up(client):
        client.read_until(b"so far", 30)
        yield client


@pytest.mark.wide
def test_restart_loads_new_settings(start_gateway: Start, tmp_path: Path) -> None:
    env_file = tmp_path / "settings.env"
    env_file.write_text("MAX_PROCESSES=5\n")
    cli = ScriptedCli(tmp_path)
    environ = {name: value for name, value in settings(cli).items() if name != "MAX_PROCESSES"}
    gateway = start_gateway(**environ, CLAUDE_CODE_API_ENV_FILE=str(env_file))
    assert cli_figures(gateway)["max_processes"] == 5
    env_file.write_text("MAX_PROCESSES=6\n")
    old, _ = reload(gateway)
    gateway.api.close()
    wait_for(lambda: have_ended(old.pid), 40)
    gateway.reconnect()
    assert cli_figures(gateway)["max_processes"] == 6

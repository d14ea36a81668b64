"""Sessions with several workers, and after a restart or a kill."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator

import httpx2 as httpx
import psutil
import pytest

from tests.model.test_sessions import Streaming, code, new, said_to_model, say, show
from tests.standin import StandIn, hang
from tests.support.gateway import Gateway, port_of, wait_for
from tests.support.recorded import system_texts_of, user

pytestmark = pytest.mark.usefixtures("echoing_model")

# Other workers, and the same gateway later


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('sessions')}/gateway.db"


@pytest.fixture(scope="module")
def _two_workers(cli_environ: dict[str, str], database: str) -> Iterator[Gateway]:
    settings = {"WEB_CONCURRENCY": "2", "DATABASE_URL": database, "STORE_CONVERSATIONS": "true"}
    gateway = Gateway({**cli_environ, **settings, "WARM_PROCESSES": "1", "KEEP_SECONDS": "0"})
    yield gateway
    gateway.close()


@pytest.fixture
def two_workers(_two_workers: Gateway, standin: StandIn) -> Gateway:
    """Two workers that store everything; none finds the other's processes."""
    wait_for(lambda: len(_two_workers.workers) == 2, 20)
    return _two_workers


def worker_of(gateway: Gateway, port: int) -> psutil.Process:
    """The worker at the other end of a connection."""

    def find() -> psutil.Process | None:
        return next((worker for worker in gateway.workers if port in _ports(worker)), None)

    found: psutil.Process = wait_for(find)
    return found


def _ports(worker: psutil.Process) -> set[int]:
    connected = (one for one in worker.net_connections("tcp") if one.status == psutil.CONN_ESTABLISHED)
    return {one.raddr[1] for one in connected}


@contextlib.contextmanager
def at_other_worker(gateway: Gateway, worker: psutil.Process) -> Iterator[httpx.Client]:
    """A client that is connected to another worker than `worker`."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(httpx.Client(base_url=gateway.url, timeout=60, trust_env=False))
            with client.stream("GET", "/health") as response:
                other = worker_of(gateway, port_of(response))
                response.read()
            if other.pid != worker.pid:
                yield client
                return
    raise AssertionError("one worker takes all connections")


def test_another_worker_goes_on_refuses_and_stops(two_workers: Gateway, standin: StandIn) -> None:
    session = new(two_workers)
    standin.reply(hang(after=3), when="slow")
    streaming = Streaming(two_workers, "slow", session_id=session)
    streaming.await_text()
    with at_other_worker(two_workers, worker_of(two_workers, streaming.port)) as client:
        body = {"messages": [user("next")], "session_id": session}
        assert code(client.post("/v1/chat/completions", json=body)) == (409, "session_busy")
        client.delete(f"/v1/chat/completions/{session}")
        assert json.loads(streaming.end()[-1])["error"]["code"] == "stopped"
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    standin.wait_for(lambda: standin.messages[0].aborted)
    said = said_to_model(standin.messages.last)
    assert (said[0], said[-1]) == ("slow", "next")


def test_deleting_a_session_stops_it_in_another_worker(two_workers: Gateway, standin: StandIn) -> None:
    standin.reply(hang(after=3), when="slow")
    streaming = Streaming(two_workers, "slow")
    streaming.await_text()
    session = streaming.headers["x-session-id"]
    with at_other_worker(two_workers, worker_of(two_workers, streaming.port)) as client:
        assert client.delete(f"/v1/sessions/{session}").status_code == 200
    assert json.loads(streaming.end()[-1])["error"]["code"] == "stopped"


def test_a_session_goes_on_after_its_worker_was_killed(two_workers: Gateway, standin: StandIn) -> None:
    """Within seconds, as the claim of the dead worker runs out."""
    session = new(two_workers)
    say(two_workers, session, "one")
    standin.reply(hang(after=3), when="slow")
    streaming = Streaming(two_workers, "slow", session_id=session)
    streaming.await_text()
    worker = worker_of(two_workers, streaming.port)
    with at_other_worker(two_workers, worker) as client:
        worker.kill()
        body = {"messages": [user("two")], "session_id": session}
        ask = functools.partial(client.post, "/v1/chat/completions", json=body)
        wait_for(lambda: ask().status_code == 200, 40)
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]


def test_everything_is_stored_if_wanted(two_workers: Gateway, standin: StandIn) -> None:
    session = say(two_workers, None, "one", system_prompt="Be kind.")["session_id"]
    say(two_workers, session, "two")
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]
    assert system_texts_of(standin.messages.last) == ["Be kind."]


def test_a_conversation_outlives_the_gateway(
    two_workers: Gateway, start_gateway: Callable[..., Gateway], standin: StandIn, database: str
) -> None:
    """Another gateway has nothing of the first but its database."""
    session = new(two_workers, title="long")
    say(two_workers, session, "one")
    later = start_gateway(DATABASE_URL=database, WARM_PROCESSES="1")
    assert show(later, session)["title"] == "long"
    say(later, session, "two")
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]

"""Sessions with two workers, after a worker was killed, and in a later gateway on the same database."""

import contextlib
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.standin import StandIn, hang
from tests.support.api_client import Api, error_of
from tests.support.background_stream import BackgroundStream, last_error_code
from tests.support.gateway import Gateway, port_of, wait_for
from tests.support.recorded import system_texts_of
from tests.support.sessions import say, texts_to_model

pytestmark = pytest.mark.usefixtures("echoing_model")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of the database of the two workers."""
    return f"sqlite:///{tmp_path_factory.mktemp('sessions')}/gateway.db"


@pytest.fixture(scope="module")
def _two_workers(cli_environ: dict[str, str], database: str) -> Iterator[Gateway]:
    settings = {"WEB_CONCURRENCY": "2", "DATABASE_URL": database, "STORE_CONVERSATIONS": "true"}
    gateway = Gateway({**cli_environ, **settings, "WARM_PROCESSES": "1", "KEEP_SECONDS": "0"})
    yield gateway
    gateway.close()


@pytest.fixture
def two_workers(_two_workers: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway with two workers that stores every conversation and parks none."""
    wait_for(lambda: len(_two_workers.workers) == 2, 20)
    return _two_workers


def worker_of(gateway: Gateway, port: int) -> psutil.Process:
    """Return the worker at the other end of the connection from this port."""

    def find() -> psutil.Process | None:
        return next((worker for worker in gateway.workers if port in _ports(worker)), None)

    found: psutil.Process = wait_for(find)
    return found


def _ports(worker: psutil.Process) -> set[int]:
    connections = worker.net_connections("tcp")
    return {connection.raddr[1] for connection in connections if connection.status == psutil.CONN_ESTABLISHED}


@contextlib.contextmanager
def at_other_worker(gateway: Gateway, worker: psutil.Process) -> Iterator[Api]:
    """Yield a client that is connected to another worker than `worker`."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(Api(gateway.url))
            with client.stream("GET", "/health") as response:
                other = worker_of(gateway, port_of(response))
                response.read()
            if other.pid != worker.pid:
                yield client
                return
    raise AssertionError("one worker accepted all connections")


def test_any_worker_rejects_stops_and_continues_a_session(two_workers: Gateway, standin: StandIn) -> None:
    session = two_workers.api.create_session()
    standin.reply(hang(after=3), when="slow")
    stream = BackgroundStream(two_workers, "slow", session_id=session)
    stream.await_text()
    with at_other_worker(two_workers, worker_of(two_workers, stream.port)) as client:
        assert error_of(client.chat("next", session_id=session))[:2] == (409, "session_busy")
        client.stop_chat(session)
        assert last_error_code(stream) == "stopped"
        assert client.chat("next", session_id=session).status_code == 200
    standin.wait_for(lambda: standin.messages[0].aborted)
    texts = texts_to_model(standin.messages.last)
    assert (texts[0], texts[-1]) == ("slow", "next")


def test_deleting_a_session_stops_its_answer_in_another_worker(
    two_workers: Gateway, standin: StandIn
) -> None:
    standin.reply(hang(after=3), when="slow")
    stream = BackgroundStream(two_workers, "slow")
    stream.await_text()
    session = stream.headers["x-session-id"]
    with at_other_worker(two_workers, worker_of(two_workers, stream.port)) as client:
        client.delete_session(session)
    assert last_error_code(stream) == "stopped"


@pytest.mark.wide
def test_session_continues_after_its_worker_was_killed(two_workers: Gateway, standin: StandIn) -> None:
    """The claim of the dead worker expires within seconds."""
    session = two_workers.api.create_session()
    say(two_workers.api, session, "one")
    standin.reply(hang(after=3), when="slow")
    stream = BackgroundStream(two_workers, "slow", session_id=session)
    stream.await_text()
    worker = worker_of(two_workers, stream.port)
    with at_other_worker(two_workers, worker) as client:
        worker.kill()
        wait_for(lambda: client.chat("two", session_id=session).status_code == 200, 40)
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]


def test_every_conversation_is_stored_with_store_conversations(
    two_workers: Gateway, standin: StandIn
) -> None:
    session = say(two_workers.api, None, "one", system_prompt="Be kind.")["session_id"]
    say(two_workers.api, session, "two")
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]
    assert system_texts_of(standin.messages.last) == ["Be kind."]


@pytest.mark.wide
def test_session_continues_in_another_gateway_on_the_same_database(
    two_workers: Gateway, start_gateway: Callable[..., Gateway], standin: StandIn, database: str
) -> None:
    session = two_workers.api.create_session(title="long")
    say(two_workers.api, session, "one")
    later = start_gateway(DATABASE_URL=database, WARM_PROCESSES="1")
    assert later.api.show_session(session)["title"] == "long"
    say(later.api, session, "two")
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]

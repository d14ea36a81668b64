"""A client that disconnects stops its turn, so that an unread answer costs nothing."""

from collections.abc import Callable, Iterator

import pytest

from tests.standin import Recorded, Reply, StandIn, hang, text
from tests.support.api_client import reply_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.sockets import SocketClient, are_reaped, cli_figures, cli_pids, hanging_up, wait_until_idle
from tests.support.wide import wide, wide_cases_except

LONG = text("word " * 800, delay=0.02)
SOON_SECONDS = 5.0  # much less than any answer here takes, and enough on a machine that runs other tests
SECRET = "never to be answered"

with_and_without_streaming = pytest.mark.parametrize("stream", [True, False], ids=["stream", "complete"])


@pytest.fixture(scope="module")
def _single_slot_gateway(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, "MAX_CONCURRENT_SESSIONS": "1", "WARM_PROCESSES": "1"})
    yield gateway
    gateway.close()


@pytest.fixture
def single_slot_gateway(_single_slot_gateway: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway with one slot and one warm process, which the turn of the test will get."""
    wait_until_idle(_single_slot_gateway, 1)
    return _single_slot_gateway


def assert_stopped(gateway: Gateway, process: int, seconds: float = SOON_SECONDS) -> None:
    """Wait until the process has ended and the only slot is free again."""
    wait_for(lambda: are_reaped(process), seconds)
    wait_for(lambda: cli_figures(gateway)["running"] == 0, seconds)


def assert_serves(gateway: Gateway, standin: StandIn) -> None:
    """Send a request and assert that it is answered."""
    standin.reply(text("Still here"))
    assert reply_of(gateway.api.chat("hi")) == "Still here"


def assert_aborted(standin: StandIn) -> None:
    """Wait until the request to the model is aborted."""
    standin.wait_for(lambda: standin.messages.last.aborted, SOON_SECONDS)


# For each moment of a disconnect: the model's reply, the state of its request, and the data that a stream has sent.
MOMENTS: dict[str, tuple[Reply, Callable[[Recorded], bool], bytes]] = {
    "before-the-answer": (text("late", head_delay=60), lambda _: True, b""),
    "before-the-first-token": (text("late", first_delay=60), lambda asked: bool(asked.status), b'"role"'),
    "in-mid-answer": (LONG, lambda asked: asked.deltas >= 5, b"word"),
    "while-silent": (hang(after=5), lambda asked: asked.deltas == 5, b"word4"),
}
DISCONNECTS = {
    f"{moment}-{'stream' if stream else 'complete'}-{'reset' if abruptly else 'in-order'}": (
        *case,
        stream,
        abruptly,
    )
    for moment, case in MOMENTS.items()
    for stream in (True, False)
    for abruptly in (False, True)
}


@pytest.mark.parametrize(
    ("reply", "sent", "seen", "stream", "abruptly"),
    wide_cases_except(
        DISCONNECTS,
        "before-the-answer-stream-in-order",
        "before-the-answer-complete-reset",
        "before-the-first-token-stream-in-order",
        "in-mid-answer-stream-reset",
        "in-mid-answer-complete-in-order",
        "while-silent-stream-in-order",
    ),
)
def test_disconnect_stops_the_turn(
    single_slot_gateway: Gateway,
    standin: StandIn,
    reply: Reply,
    sent: Callable[[Recorded], bool],
    seen: bytes,
    stream: bool,
    abruptly: bool,
) -> None:
    standin.reply(reply)
    (process,) = cli_pids(single_slot_gateway)
    client = SocketClient(single_slot_gateway, stream=stream)
    standin.wait_for(lambda: standin.messages and sent(standin.messages.last), 10)
    if stream:
        client.read_until(seen)
    assert not are_reaped(process)
    client.hang_up(abruptly=abruptly)
    assert_stopped(single_slot_gateway, process)
    assert_aborted(standin)
    assert standin.messages.last.deltas < 800


@pytest.mark.slow  # needs a quiet machine
@with_and_without_streaming
def test_disconnect_stops_the_turn_within_a_second(
    single_slot_gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    standin.reply(hang(after=5))
    (process,) = cli_pids(single_slot_gateway)
    client = SocketClient(single_slot_gateway, stream=stream)
    standin.wait_for(lambda: standin.messages and standin.messages.last.deltas == 5, 10)
    client.hang_up()
    assert_stopped(single_slot_gateway, process, 1.0)


def test_next_request_works_after_a_disconnect(single_slot_gateway: Gateway, standin: StandIn) -> None:
    standin.reply(hang(after=2))
    client = SocketClient(single_slot_gateway, stream=False)
    standin.wait_for(lambda: standin.messages and standin.messages.last.deltas)
    client.hang_up()
    assert_serves(single_slot_gateway, standin)


@with_and_without_streaming
def test_disconnect_during_setup_asks_the_model_nothing(
    single_slot_gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    (process,) = cli_pids(single_slot_gateway)
    history = [
        {"role": role, "content": f"{role} {number}"}
        for number in range(300)
        for role in ("user", "assistant")
    ]
    client = SocketClient(
        single_slot_gateway, stream=stream, messages=[*history, {"role": "user", "content": SECRET}]
    )
    wait_for(lambda: cli_figures(single_slot_gateway)["running"])
    client.hang_up()
    assert_stopped(single_slot_gateway, process)
    assert_serves(single_slot_gateway, standin)
    assert not any(SECRET in message.text for message in standin.messages)


@with_and_without_streaming
def test_disconnect_leaves_the_queue(single_slot_gateway: Gateway, standin: StandIn, stream: bool) -> None:
    standin.reply(hang(after=1))
    (process,) = cli_pids(single_slot_gateway)
    first = SocketClient(single_slot_gateway, stream=True)
    with hanging_up(first):
        first.read_until(b"word")
        waiting = SocketClient(single_slot_gateway, SECRET, stream=stream)
        wait_for(lambda: cli_figures(single_slot_gateway)["queued"] == 1)
        waiting.hang_up()
        wait_for(lambda: cli_figures(single_slot_gateway)["queued"] == 0, SOON_SECONDS)
        assert not are_reaped(process)
    assert_stopped(single_slot_gateway, process)
    assert_serves(single_slot_gateway, standin)
    assert not any(SECRET in message.text for message in standin.messages)


@wide
def test_disconnect_before_a_process_is_ready_discards_the_process(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    """The pool is empty, and a process that was started for a client that left does not stay in it."""
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="0", MAX_CONCURRENT_SESSIONS="1")
    wait_for(lambda: cli_figures(gateway)["logged_in"] and not cli_figures(gateway)["processes"], 20)
    client = SocketClient(gateway, SECRET, stream=True)
    wait_for(lambda: cli_figures(gateway)["starting"])
    client.hang_up()
    wait_for(lambda: cli_figures(gateway)["running"] == 0, SOON_SECONDS)
    wait_until_idle(gateway, 0)
    assert_serves(gateway, standin)
    assert not any(SECRET in message.text for message in standin.messages)


@pytest.mark.wide
def test_client_that_never_reads_is_cut_off(start_gateway: Callable[..., Gateway], standin: StandIn) -> None:
    """The time limit of the turn frees process and slot while the gateway still waits to write.

    Until then, the gateway does not buffer the answer in memory.
    """
    gateway = start_gateway(
        **NOTHING_KEPT, TURN_TIMEOUT_SECONDS="8", MAX_CONCURRENT_SESSIONS="1", WARM_PROCESSES="1"
    )
    (process,) = wait_until_idle(gateway, 1)
    (worker,) = gateway.workers
    memory = worker.memory_info().rss
    standin.reply(text(chunks=["x" * 10_000] * 1_600))
    client = SocketClient(gateway, stream=True, buffer=4096)
    with hanging_up(client):
        standin.wait_for(lambda: standin.messages and standin.messages.last.deltas)
        standin.wait_for(lambda: standin.messages.last.finished)
        assert not are_reaped(process)
        assert worker.memory_info().rss - memory < 8e6
        wait_for(lambda: are_reaped(process))
        wait_for(lambda: cli_figures(gateway)["running"] == 0, SOON_SECONDS)
        assert_serves(gateway, standin)


def test_pipelined_request_is_not_a_disconnect(single_slot_gateway: Gateway, standin: StandIn) -> None:
    standin.reply(text("one two three", delay=0.1))
    client = SocketClient(single_slot_gateway, stream=True)
    with hanging_up(client):
        standin.wait_for(lambda: standin.messages)
        client.socket.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.read_until(b"[DONE]")
        client.read_until(b'"healthy"')

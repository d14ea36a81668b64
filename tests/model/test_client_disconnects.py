"""A client that leaves stops its turn: no answer is paid for that nobody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.standin import Recorded, Reply, StandIn, hang, text
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.sockets import SocketClient, are_reaped, cli_figures, cli_pids, hanging_up, wait_until_idle
from tests.support.wide import wide_cases_except

LONG = text("word " * 800, delay=0.02)
SOON = 5.0  # seconds; much less than any answer here takes, and enough on a machine that is busy with other tests
SECRET = "never to be answered"

either_way = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.fixture(scope="module")
def _single(cli_environ: dict[str, str]) -> Iterator[Gateway]:
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, "MAX_CONCURRENT_SESSIONS": "1", "WARM_PROCESSES": "1"})
    yield gateway
    gateway.close()


@pytest.fixture
def single(_single: Gateway, standin: StandIn) -> Gateway:
    """A gateway with one slot and one warm process, which the test's turn will get."""
    wait_until_idle(_single, 1)
    return _single


def assert_stopped(gateway: Gateway, process: int, seconds: float = SOON) -> None:
    """The process has ended in that time, and the only slot is free for the next."""
    wait_for(lambda: are_reaped(process), seconds)
    wait_for(lambda: cli_figures(gateway)["running"] == 0, seconds)


def assert_serves(gateway: Gateway, standin: StandIn) -> None:
    """The next request works."""
    standin.reply(text("Still here"))
    answer = gateway.api.chat("hi")
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Still here"


def assert_aborted(standin: StandIn) -> None:
    """The model was told to stop as well."""
    standin.wait_for(lambda: standin.messages.last.aborted, SOON)


# When to leave: what the model answers, what it has sent by then, and what a stream has brought.
MOMENTS: dict[str, tuple[Reply, Callable[[Recorded], bool], bytes]] = {
    "before-the-answer": (text("late", head_delay=60), lambda _: True, b""),
    "before-the-first-token": (text("late", first_delay=60), lambda asked: bool(asked.status), b'"role"'),
    "in-mid-answer": (LONG, lambda asked: asked.deltas >= 5, b"word"),
    "while-silent": (hang(after=5), lambda asked: asked.deltas == 5, b"word4"),
}
LEAVINGS = {
    f"{moment}-{'stream' if stream else 'whole'}-{'reset' if abruptly else 'in-order'}": (
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
        LEAVINGS,
        "before-the-answer-stream-in-order",
        "before-the-answer-whole-reset",
        "before-the-first-token-stream-in-order",
        "in-mid-answer-stream-reset",
        "in-mid-answer-whole-in-order",
        "while-silent-stream-in-order",
    ),
)
def test_disconnect_stops_the_turn(
    single: Gateway,
    standin: StandIn,
    reply: Reply,
    sent: Callable[[Recorded], bool],
    seen: bytes,
    stream: bool,
    abruptly: bool,
) -> None:
    standin.reply(reply)
    (process,) = cli_pids(single)
    caller = SocketClient(single, stream=stream)
    standin.wait_for(lambda: standin.messages and sent(standin.messages.last), 10)
    if stream:
        caller.read_until(seen)
    assert not are_reaped(process)
    caller.hang_up(abruptly=abruptly)
    assert_stopped(single, process)
    assert_aborted(standin)
    assert standin.messages.last.deltas < 800


@pytest.mark.slow  # it takes a quiet machine
@either_way
def test_disconnect_stops_the_turn_within_a_second(single: Gateway, standin: StandIn, stream: bool) -> None:
    standin.reply(hang(after=5))
    (process,) = cli_pids(single)
    caller = SocketClient(single, stream=stream)
    standin.wait_for(lambda: standin.messages and standin.messages.last.deltas == 5, 10)
    caller.hang_up()
    assert_stopped(single, process, 1.0)


def test_next_request_works_after_a_disconnect(single: Gateway, standin: StandIn) -> None:
    standin.reply(hang(after=2))
    caller = SocketClient(single, stream=False)
    standin.wait_for(lambda: standin.messages and standin.messages.last.deltas)
    caller.hang_up()
    assert_serves(single, standin)


@either_way
def test_disconnect_during_setup_asks_the_model_nothing(
    single: Gateway, standin: StandIn, stream: bool
) -> None:
    (process,) = cli_pids(single)
    history = [
        {"role": role, "content": f"{role} {number}"}
        for number in range(300)
        for role in ("user", "assistant")
    ]
    caller = SocketClient(single, stream=stream, messages=[*history, {"role": "user", "content": SECRET}])
    wait_for(lambda: cli_figures(single)["running"])
    caller.hang_up()
    assert_stopped(single, process)
    assert_serves(single, standin)
    assert not any(SECRET in message.text for message in standin.messages)


@either_way
def test_disconnect_leaves_the_queue(single: Gateway, standin: StandIn, stream: bool) -> None:
    standin.reply(hang(after=1))
    (process,) = cli_pids(single)
    first = SocketClient(single, stream=True)
    with hanging_up(first):
        first.read_until(b"word")
        waiting = SocketClient(single, SECRET, stream=stream)
        wait_for(lambda: cli_figures(single)["queued"] == 1)
        waiting.hang_up()
        wait_for(lambda: cli_figures(single)["queued"] == 0, SOON)
        assert not are_reaped(process)
    assert_stopped(single, process)
    assert_serves(single, standin)
    assert not any(SECRET in message.text for message in standin.messages)


def test_disconnect_before_a_process_is_ready_discards_the_process(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    """Nothing is kept warm here: what was started for a client that left is not kept either."""
    gateway = start_gateway(**NOTHING_KEPT, WARM_PROCESSES="0", MAX_CONCURRENT_SESSIONS="1")
    wait_for(lambda: cli_figures(gateway)["logged_in"] and not cli_figures(gateway)["processes"], 20)
    caller = SocketClient(gateway, SECRET, stream=True)
    wait_for(lambda: cli_figures(gateway)["starting"])
    caller.hang_up()
    wait_for(lambda: cli_figures(gateway)["running"] == 0, SOON)
    wait_until_idle(gateway, 0)
    assert_serves(gateway, standin)
    assert not any(SECRET in message.text for message in standin.messages)


def test_client_that_never_reads_is_cut_off(start_gateway: Callable[..., Gateway], standin: StandIn) -> None:
    """The total deadline frees the process and the slot while the gateway still waits to write.

    Till then the answer is not hoarded in the gateway.
    """
    gateway = start_gateway(
        **NOTHING_KEPT, TURN_TIMEOUT_SECONDS="8", MAX_CONCURRENT_SESSIONS="1", WARM_PROCESSES="1"
    )
    (process,) = wait_until_idle(gateway, 1)
    (worker,) = gateway.workers
    memory = worker.memory_info().rss
    standin.reply(text(chunks=["x" * 10_000] * 1_600))
    caller = SocketClient(gateway, stream=True, buffer=4096)
    with hanging_up(caller):
        standin.wait_for(lambda: standin.messages and standin.messages.last.deltas)
        standin.wait_for(lambda: standin.messages.last.finished)
        assert not are_reaped(process)
        assert worker.memory_info().rss - memory < 8e6
        wait_for(lambda: are_reaped(process))
        wait_for(lambda: cli_figures(gateway)["running"] == 0, SOON)
        assert_serves(gateway, standin)


def test_pipelined_request_is_not_a_disconnect(single: Gateway, standin: StandIn) -> None:
    """Bytes of a pipelined request are no hang-up."""
    standin.reply(text("one two three", delay=0.1))
    caller = SocketClient(single, stream=True)
    with hanging_up(caller):
        standin.wait_for(lambda: standin.messages)
        caller.socket.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        caller.read_until(b"[DONE]")
        caller.read_until(b'"healthy"')

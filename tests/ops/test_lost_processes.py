"""The real CLI's processes are killed or stopped while the gateway needs them."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.standin import StandIn, text
from tests.support.api_client import reply_of
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import assistant, user
from tests.support.sockets import cli_figures, cli_pids
from tests.support.wide import wide

KILLS_PER_SECOND = 1.3  # 391 kills in five minutes
SECONDS = 120.0


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway], standin: StandIn) -> Gateway:
    """Return a gateway with two warm processes and a kept conversation."""
    standin.default(text("Hello"))
    gateway = start_gateway(MAX_CONCURRENT_SESSIONS="20", MAX_PROCESSES="22")
    gateway.await_warm(2)
    assert reply_of(gateway.api.chat("hi")) == "Hello"
    gateway.await_warm(2)
    return gateway


@wide
def test_health_is_right_soon_after_all_processes_were_killed(gateway: Gateway) -> None:
    killed = cli_pids(gateway)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(cli_pids(gateway)) & set(killed), 2)
    wait_for(lambda: cli_figures(gateway)["kept"] == 0, 2)
    assert cli_figures(gateway)["processes"] <= 3
    began = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(gateway.api.chat, [f"question {number}" for number in range(20)]))
    print(f"20 answers after {time.monotonic() - began:.1f} s")
    assert [answer.status_code for answer in answers] == [200] * 20


@wide
@pytest.mark.parametrize("kind", ["new", "follow-up"])
def test_processes_that_are_stopped_cost_three_seconds_at_most(gateway: Gateway, kind: str) -> None:
    history = [user("hi"), assistant("Hello")] if kind == "follow-up" else []
    for pid in cli_pids(gateway):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert reply_of(gateway.api.chat(messages=[*history, user("and now?")])) == "Hello"
    took = time.monotonic() - began
    print(f"{kind}: {took:.1f} s")
    assert took < 6  # the next process may be stopped, too, or have to start


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_random_kills_cost_only_the_answers_that_they_cut_off(gateway: Gateway) -> None:
    until = time.monotonic() + SECONDS
    failures: list[str] = []
    answered: list[int] = []

    def converse(number: int) -> None:
        for round_ in range(10_000):
            messages = []
            for turn in range(4):
                if time.monotonic() > until:
                    return
                messages.append(user(f"client {number} round {round_} turn {turn}"))
                answer = gateway.api.chat(messages=messages)
                if answer.status_code != 200:
                    failures.append(answer.json()["error"]["message"])
                    break
                answered.append(turn)
                messages.append(assistant(reply_of(answer)))

    clients = [threading.Thread(target=converse, args=(number,)) for number in range(8)]
    for client in clients:
        client.start()
    kills = 0
    while time.monotonic() < until:
        time.sleep(random.expovariate(KILLS_PER_SECOND))
        if pids := cli_pids(gateway):
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(pids), signal.SIGKILL)
                kills += 1
    for client in clients:
        client.join()
    print(f"{kills} kills, {len(answered)} answers, {len(failures)} cut off")
    assert all("in the middle of the answer" in failure for failure in failures)
    assert len(failures) < 0.5 * kills < len(answered)

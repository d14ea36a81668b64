"""Five minutes of agentic clients: no errors, follow-ups find their processes, memory and processes stay bounded.

The same with processes that are killed all the time: no conversation is lost, and every turn gets its answer.
"""

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.standin import StandIn, text
from tests.support.gateway import Gateway
from tests.support.recorded import assistant, system, user

CLIENTS = 8
TURNS = 10
SECONDS = 300.0
MAX_PROCESSES = 20
KILLS = 391
TRIES = 3  # of one turn; a process may be killed in the middle of its answer


class Client(threading.Thread):
    """Holds conversations of TURNS turns, one after the other, until the time is up. It asks up to `tries` times."""

    def __init__(self, gateway: Gateway, number: int, until: float, tries: int = 1) -> None:
        super().__init__()
        self.errors: list[Any] = []
        self.losses: list[tuple[int, str]] = []
        self.follow_ups = self.turns = 0
        self._gateway = gateway
        self._number = number
        self._until = until
        self._tries = tries

    def run(self) -> None:
        for round_ in itertools.count():
            messages = [system(f"client {self._number}")]
            for turn in range(TURNS):
                if time.monotonic() > self._until:
                    return
                messages.append(user(f"round {round_} turn {turn}"))
                said = self._ask(messages)
                if said is None:
                    return
                messages.append(assistant(said))
                self.turns += 1
                self.follow_ups += turn > 0

    def _ask(self, messages: list[Any]) -> str | None:
        """Return the answer; or None if all tries failed."""
        for attempt in range(self._tries):
            answer = self._gateway.api.chat(messages=messages, model="claude-haiku-4-5")
            if answer.status_code == 200:
                return str(answer.json()["choices"][0]["message"]["content"])
            lost = (answer.status_code, answer.json()["error"]["message"])
            (self.losses if attempt + 1 < self._tries else self.errors).append(lost)
        return None


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway], standin: StandIn) -> Gateway:
    """Return a gateway with four warm processes and a model that writes four words."""
    standin.default(text("one two three four", delay=0.01))
    gateway = start_gateway(MAX_PROCESSES=str(MAX_PROCESSES), WARM_PROCESSES="4")
    gateway.await_warm(4)
    return gateway


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_sustained_load_is_free_of_errors_and_bounded(gateway: Gateway) -> None:
    until = time.monotonic() + SECONDS
    clients = [Client(gateway, number, until) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    memory, processes = [], []
    while time.monotonic() < until:
        time.sleep(1)  # between two samples
        memory.append(gateway.workers[0].memory_info().rss)
        processes.append(gateway.api.health()["claude"]["processes"])
    for client in clients:
        client.join()
    status = gateway.api.health()["claude"]
    follow_ups = sum(client.follow_ups for client in clients)
    print(f"follow-ups {follow_ups}, reuses {status['kept_hits']}, most processes {max(processes)}")
    print(f"MiB at 30 s {memory[30] >> 20}, at the end {memory[-1] >> 20}")
    assert not [error for client in clients for error in client.errors]
    assert status["kept_hits"] >= 0.98 * follow_ups
    assert max(processes) <= MAX_PROCESSES
    assert memory[-1] < memory[30] + 16 * 2**20


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_killed_processes_lose_no_conversation(gateway: Gateway) -> None:
    """The first soak of this kind lost nothing, but had refusals while starts were possible."""
    until = time.monotonic() + SECONDS
    clients = [Client(gateway, number, until, TRIES) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    chance, kills = random.Random(1), 0
    while time.monotonic() < until:
        time.sleep(SECONDS / KILLS)
        with suppress(psutil.NoSuchProcess, IndexError):
            chance.choice(gateway.cli_processes()).send_signal(signal.SIGKILL)
            kills += 1
    for client in clients:
        client.join()
    turns, losses = (
        sum(client.turns for client in clients),
        [one for client in clients for one in client.losses],
    )
    print(f"{turns} turns, {kills} kills, {len(losses)} answers lost: {set(losses)}")
    assert not [error for client in clients for error in client.errors]
    assert {status for status, _ in losses} <= {502}  # a 503 would say that nothing can start
    assert len(losses) < kills / 2
    assert gateway.api.chat("and now?").status_code == 200

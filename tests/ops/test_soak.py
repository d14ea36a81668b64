"""Five minutes of agentic clients: no errors, follow-ups find their processes, memory and processes stay bounded."""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.standin import StandIn, text
from tests.support.gateway import Gateway
from tests.support.recorded import assistant, system, user

CLIENTS = 8
TURNS = 10
SECONDS = 300.0
MAX_PROCESSES = 20


class Client(threading.Thread):
    """Holds conversations of TURNS turns, one after the other, until the time is up."""

    def __init__(self, gateway: Gateway, number: int, until: float) -> None:
        super().__init__()
        self.errors: list[Any] = []
        self.follow_ups = 0
        self._gateway = gateway
        self._number = number
        self._until = until

    def run(self) -> None:
        for round_ in itertools.count():
            messages = [system(f"client {self._number}")]
            for turn in range(TURNS):
                if time.monotonic() > self._until:
                    return
                messages.append(user(f"round {round_} turn {turn}"))
                answer = self._gateway.api.chat(messages=messages, model="claude-haiku-4-5")
                if answer.status_code != 200:
                    self.errors.append(answer.text)
                    return
                messages.append(assistant(answer.json()["choices"][0]["message"]["content"]))
                self.follow_ups += turn > 0


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_sustained_load_is_free_of_errors_and_bounded(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    standin.default(text("one two three four", delay=0.01))
    gateway = start_gateway(MAX_PROCESSES=str(MAX_PROCESSES), WARM_PROCESSES="4")
    gateway.await_warm(4)
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

"""Thirty people use a gateway with the settings that the simulation recommends, and find what it has predicted."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from bench import usage
from bench.results import MAX_SHARE_OF_OTHERS
from gateway.sizing.advice import recommend
from gateway.sizing.model import Figures, Habits, Machine, percentile
from gateway.sizing.report import SETTINGS
from tests.standin import StandIn, text
from tests.support.api_client import Api, chat_body
from tests.support.gateway import Gateway
from tests.support.recorded import assistant, system, user

MACHINE = Machine(cores=2, memory=6_000_000_000)
WARM_UP_SECONDS = 30.0
SECONDS = 75.0
DELTA_SECONDS = 0.02
#: Faster than people are, so that a minute has as many turns as three of theirs.
HABITS = Habits(
    users=30,
    think_seconds=8.0,
    turns=5.0,
    pause_seconds=25.0,
    model_seconds=0.3,
    tokens=50,
    tokens_per_second=1 / DELTA_SECONDS,
)


class Person(threading.Thread):
    """Holds conversations as HABITS says, and notes how long each answer takes to begin."""

    def __init__(self, gateway: Gateway, number: int, until: float) -> None:
        super().__init__(daemon=True)
        self.waits: list[tuple[bool, float, float]] = []  # new, sent at, seconds
        self.errors: list[str] = []
        self._url = gateway.url
        self._random = random.Random(number)
        self._number = number
        self._until = until

    def run(self) -> None:
        with Api(self._url) as api:
            self._pause(self._random.uniform(0, HABITS.pause_seconds + HABITS.think_seconds))
            while time.monotonic() < self._until:
                messages = [system(f"Person {self._number}, {self._random.random()}")]
                while time.monotonic() < self._until and self._ask(api, messages):
                    self._pause(self._random.expovariate(1 / HABITS.think_seconds))
                self._pause(self._random.expovariate(1 / HABITS.pause_seconds))

    def _ask(self, api: Api, messages: list[dict[str, Any]]) -> bool:
        """Ask the next question. Return whether the conversation goes on."""
        is_new = len(messages) == 1
        messages.append(user(f"question {len(messages)}"))
        sent, first, said = time.monotonic(), 0.0, []
        body = chat_body(messages=messages, stream=True)
        with api.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                self.errors.append(response.read().decode())
                return False
            for line in response.iter_lines():
                if '"content":"word' in line:
                    first = first or time.monotonic()
                    said.append("word ")
        self.waits.append((is_new, sent, first - sent - HABITS.model_seconds))
        messages.append(assistant("".join(said)))
        return self._random.random() > 1 / HABITS.turns

    def _pause(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self._until - time.monotonic())))


@pytest.mark.slow
@pytest.mark.timeout(WARM_UP_SECONDS + SECONDS + 120)
def test_thirty_people_find_what_the_simulation_predicts(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    advice = recommend(Figures.load(), HABITS, MACHINE)
    predicted, plan = advice.outcome, advice.plan
    assert advice.machines == 1
    standin.default(
        text(chunks=["word "] * HABITS.tokens, delay=DELTA_SECONDS, first_delay=HABITS.model_seconds)
    )
    gateway = start_gateway(**{name.upper(): str(getattr(plan, name)) for name in SETTINGS})
    gateway.await_warm(plan.warm_processes)
    begun = time.monotonic() + WARM_UP_SECONDS
    people = [Person(gateway, number, begun + SECONDS) for number in range(HABITS.users)]
    for person in people:
        person.start()
    time.sleep(WARM_UP_SECONDS)
    others = usage.Others()
    used, hits = usage.cpu_seconds(gateway.process.pid), gateway.api.health()["claude"]["kept_hits"]
    processes = []
    while time.monotonic() < begun + SECONDS:
        time.sleep(1)
        processes.append(gateway.api.health()["claude"]["processes"])
    share = (usage.cpu_seconds(gateway.process.pid) - used) / SECONDS / MACHINE.cores
    hits = gateway.api.health()["claude"]["kept_hits"] - hits
    disturbance = others.share()
    for person in people:
        person.join()
    waits = [wait for person in people for wait in person.waits if wait[1] >= begun]
    new = [seconds for is_new, _, seconds in waits if is_new]
    later = [seconds for is_new, _, seconds in waits if not is_new]
    expected = percentile([*predicted.hits, *predicted.misses], 0.5), percentile(predicted.new, 0.5)
    print(f"{plan}")
    print(f"answers {len(waits)}, predicted {predicted.answers / predicted.seconds * SECONDS:.0f}")
    print(f"hit rate {hits / len(later):.2f}, predicted {predicted.hit_rate:.2f}")
    print(f"most processes {max(processes)}, predicted {predicted.peak_processes}")
    print(f"CPU {share:.0%}, predicted {predicted.cpu_share(MACHINE.cores):.0%}")
    for title, measured, model in (("follow-up", later, expected[0]), ("new", new, expected[1])):
        median, p95 = (percentile(measured, part) * 1000 for part in (0.5, 0.95))
        print(f"{title}: {median:.0f} ms, 95 % {p95:.0f} ms, predicted {model * 1000:.0f} ms")
    assert not [error for person in people for error in person.errors]
    assert hits / len(later) == pytest.approx(predicted.hit_rate, abs=0.15)
    assert max(processes) <= plan.max_processes
    if disturbance > MAX_SHARE_OF_OTHERS:
        pytest.skip(f"other programs used {disturbance:.0%} of the machine, so times and CPU prove nothing")
    assert len(waits) == pytest.approx(predicted.answers / predicted.seconds * SECONDS, rel=0.3)
    assert share == pytest.approx(predicted.cpu_share(MACHINE.cores), rel=0.5)
    assert percentile(later, 0.5) < 3 * expected[0]
    assert percentile(new, 0.5) < 3 * expected[1]

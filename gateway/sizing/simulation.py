"""Simulate users and the processes of one gateway, event by event, with SimPy.

The model has the rules of `gateway.claude.fleet`: slots with a queue, a pool of warm processes that grows after a
burst, kept processes that give way to running turns, and one budget for all of them. Each piece of work occupies a
core; starts have a lower priority than turns, and cores switch between them every 50 ms.
"""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Generator
from typing import Any

import simpy

from gateway.sizing.model import Figures, Habits, Machine, Outcome, Plan

SLICE_SECONDS = 0.05
TURN, STREAM, START = 0, 1, 2  # priorities: smaller ones go first
REFILL_SECONDS = 1.0  # before the replacement of a process that was taken starts
BURST_SECONDS, REMEMBER_SECONDS = 3.0, 300.0
RATE_SECONDS, LEAD_SECONDS = 10.0, 1.5  # processes start early if the pool would be empty after LEAD_SECONDS

Steps = Generator[simpy.Event, Any, None]


def simulate(
    figures: Figures,
    habits: Habits,
    machine: Machine,
    plan: Plan,
    seconds: float = 1800.0,
    warm_up: float = 400.0,
) -> Outcome:
    """Return what `seconds` of such use lead to, after a `warm_up` that does not count."""
    world = World(figures, habits, machine, plan)
    world.env.run(until=warm_up)
    world.forget()
    world.env.run(until=warm_up + seconds)
    world.outcome.seconds = seconds
    return world.outcome


class World:
    """One gateway with all of its users. The same input always leads to the same outcome."""

    def __init__(self, figures: Figures, habits: Habits, machine: Machine, plan: Plan) -> None:
        self.env = simpy.Environment()
        self.outcome = Outcome()
        self._figures = figures
        self._habits = habits
        self._plan = plan
        self._random = random.Random(1)
        self._cores = simpy.PriorityResource(self.env, machine.cores)
        self._slots = simpy.Resource(self.env, plan.max_concurrent_sessions)
        self._warm: simpy.Store = simpy.Store(self.env)
        self._max_starting = machine.cores
        self._starting = 0
        self._kept: OrderedDict[int, float] = OrderedDict()  # conversations, and when they expire
        self._conversations = 0
        self._arrivals: deque[float] = deque()
        self._bursts: deque[tuple[float, int]] = deque()
        for _ in range(plan.warm_processes):
            self._warm.put(None)
        for _ in range(habits.users):
            self.env.process(self._user())

    def forget(self) -> None:
        """Forget the outcome so far."""
        self.outcome = Outcome()

    # People

    def _user(self) -> Steps:
        habits = self._habits
        yield self.env.timeout(self._random.uniform(0, habits.pause_seconds + habits.think_seconds))
        while True:
            self._conversations += 1
            conversation = self._conversations
            yield from self._turn(conversation, is_new=True)
            while self._random.random() > 1 / habits.turns:
                yield self._pause(habits.think_seconds)
                yield from self._turn(conversation, is_new=False)
            yield self._pause(habits.pause_seconds)

    def _pause(self, mean: float) -> simpy.Event:
        return self.env.timeout(self._random.expovariate(1 / mean))

    # Turns

    def _turn(self, conversation: int, *, is_new: bool) -> Steps:
        begun = self.env.now
        if len(self._slots.queue) >= self._plan.max_queued_requests:
            self.outcome.refused += 1
            return
        with self._slots.request() as slot:
            yield slot
            self.outcome.peak_running = max(self.outcome.peak_running, self._slots.count)
            self._drop_expired()
            is_hit = self._kept.pop(conversation, None) is not None
            if not is_hit:
                yield from self._take_warm()
            self._note_peak()
            yield from self._answer(begun, is_new=is_new, is_hit=is_hit)
            self._keep(conversation)
        self._refill()

    def _answer(self, begun: float, *, is_new: bool, is_hit: bool) -> Steps:
        figures, habits, outcome = self._figures, self._habits, self.outcome
        seconds = figures.follow_up_seconds if is_hit else figures.new_seconds
        cpu = figures.follow_up_cpu_seconds if is_hit else figures.new_cpu_seconds
        yield from self._work(seconds, TURN)
        waits = outcome.new if is_new else outcome.hits if is_hit else outcome.misses
        waits.append(self.env.now - begun)
        rest = max(0.0, cpu - seconds) + habits.tokens * figures.token_cpu_seconds
        self.env.process(self._work(rest, STREAM))
        yield self.env.timeout(habits.answer_seconds)

    def _work(self, seconds: float, priority: int) -> Steps:
        """Occupy a core for a time, in slices."""
        while seconds > 0:
            part = min(SLICE_SECONDS, seconds)
            with self._cores.request(priority=priority) as core:
                yield core
                yield self.env.timeout(part)
            self.outcome.cpu_seconds += part
            seconds -= part

    # Processes

    @property
    def _processes(self) -> int:
        """The number of processes that exist or are about to; turns that wait for a start have a slot already."""
        starting = max(0, self._starting - len(self._warm.get_queue))
        return self._slots.count + len(self._kept) + len(self._warm.items) + starting

    def _note_peak(self) -> None:
        self.outcome.peak_processes = max(self.outcome.peak_processes, self._processes)

    def _keep(self, conversation: int) -> None:
        if self._plan.keep_seconds > 0:
            self._kept[conversation] = self.env.now + self._plan.keep_seconds
        while self._kept and self._processes - 1 > self._plan.max_processes:
            self._kept.popitem(last=False)

    def _drop_expired(self) -> None:
        while self._kept and next(iter(self._kept.values())) <= self.env.now:
            self._kept.popitem(last=False)

    def _take_warm(self) -> Steps:
        self._count_arrival()
        taken = self._warm.get()
        if self._warm.get_queue or self._is_scarce:
            self._refill()
        else:
            self.env.process(self._refill_later())
        yield taken

    def _refill_later(self) -> Steps:
        yield self.env.timeout(REFILL_SECONDS)
        self._refill()

    def _refill(self) -> None:
        """Start the missing processes, as far as the budget allows. A turn that waits evicts a kept conversation."""
        self._drop_expired()
        while self._starting < self._start_limit and self._missing > 0:
            is_urgent = bool(self._warm.get_queue) or self._idle < self._plan.warm_processes
            if self._processes >= self._plan.max_processes + bool(self._warm.get_queue):
                if not (is_urgent and self._kept):
                    return
                self._kept.popitem(last=False)
            self._starting += 1
            self.env.process(self._start())

    @property
    def _start_limit(self) -> int:
        """The number of processes that may start at once. While no turn waits for them, a core is left to answers."""
        return self._max_starting if self._warm.get_queue else max(1, self._max_starting - 1)

    @property
    def _is_scarce(self) -> bool:
        return self._idle < len(self._arrivals) / RATE_SECONDS * LEAD_SECONDS

    @property
    def _idle(self) -> int:
        return len(self._warm.items) + self._starting

    @property
    def _missing(self) -> int:
        waiting = len(self._warm.get_queue)
        return waiting - self._starting if waiting else self._target - self._idle

    @property
    def _target(self) -> int:
        remember = min(REMEMBER_SECONDS, max(60.0, self._plan.keep_seconds))
        while self._bursts and self._bursts[0][0] < self.env.now - remember:
            self._bursts.popleft()
        burst = self._bursts[0][1] if self._bursts else 0
        return max(self._plan.warm_processes, min(burst, self._plan.max_warm_processes))

    def _start(self) -> Steps:
        yield from self._work(self._figures.start_cpu_seconds, START)
        self._starting -= 1
        self.outcome.starts += 1
        self._warm.put(None)
        self._note_peak()
        self._refill()

    def _count_arrival(self) -> None:
        now = self.env.now
        self._arrivals.append(now)
        while self._arrivals[0] < now - RATE_SECONDS:
            self._arrivals.popleft()
        burst = sum(arrival >= now - BURST_SECONDS for arrival in self._arrivals)
        while self._bursts and self._bursts[-1][1] <= burst:
            self._bursts.pop()
        self._bursts.append((now, burst))

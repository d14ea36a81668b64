"""Recommend settings: simulate the users without limits, choose limits that fit, and simulate those.

If one machine is not enough, the users are spread over several of the same kind.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gateway.memory import MEGABYTE, usable_bytes
from gateway.sizing.model import DEFAULT_QUEUE, Advice, Figures, Habits, Machine, Outcome, Plan, percentile
from gateway.sizing.simulation import simulate

MIN_PROCESSES = 3
BUSY = 0.7  # the share of the cores above which bursts wait for each other
HEADROOM = 1.25  # of running answers, above the peak of the simulation
WARM_CHOICES = (4, 8, 12, 16)
GOOD_ENOUGH = 1.1  # a wait that is less than 10 % shorter is no reason for more warm processes
UNLIMITED = Plan(1_000_000, 1_000_000, 2, max_queued_requests=1_000_000)
LONGEST_WAIT = 0.5  # seconds that the gateway may add to the first token, for 95 % of the answers
MIN_SECONDS, MAX_SECONDS, SIMULATED_TURNS = 300.0, 1800.0, 4000  # simulated; more turns change nothing


class TooSmall(Exception):
    """The machine cannot run a gateway. The message says why."""


def recommend(figures: Figures, habits: Habits, machine: Machine) -> Advice:
    """Return settings for these users on as many machines of this kind as they need. Raises TooSmall."""
    budget = count_processes(figures, machine)
    if budget < MIN_PROCESSES:
        raise TooSmall(
            f"{machine.memory / 1e9:.3g} GB are too little: not even {MIN_PROCESSES} processes fit."
        )
    machines = _estimate_machines(figures, habits, machine, budget)
    while True:
        share = replace(habits, users=math.ceil(habits.users / machines))
        found = _try(figures, share, machine, budget)
        if found is not None or share.users == 1:
            break
        machines += max(1, machines // 10)
    if found is None:
        raise TooSmall("The machine is too small for even one of these users.")
    return replace(found, machines=machines)


def count_processes(figures: Figures, machine: Machine) -> int:
    """Return the number of processes for which there is memory.

    >>> count_processes(Figures.load(), Machine(cores=2, memory=4_000_000_000)) > 10
    True
    """
    usable = usable_bytes(machine.memory) / MEGABYTE - figures.worker_mb
    return int(usable / figures.process_mb)


def _estimate_machines(figures: Figures, habits: Habits, machine: Machine, budget: int) -> int:
    """Return a number of machines that is not too large."""
    per_second = habits.turns_per_minute / 60
    cpu = figures.follow_up_cpu_seconds + habits.tokens * figures.token_cpu_seconds
    cpu += (
        figures.new_cpu_seconds - figures.follow_up_cpu_seconds + figures.start_cpu_seconds
    ) / habits.turns
    by_cpu = per_second * cpu / (machine.cores * BUSY)
    by_memory = per_second * habits.answer_seconds / budget
    return max(1, math.ceil(max(by_cpu, by_memory)))


def _try(figures: Figures, habits: Habits, machine: Machine, budget: int) -> Advice | None:
    """Return settings for one machine, or None if it is too small for these users."""
    seconds = min(MAX_SECONDS, max(MIN_SECONDS, SIMULATED_TURNS / habits.turns_per_minute * 60))
    free = simulate(figures, habits, machine, UNLIMITED, seconds)
    running = math.ceil(free.peak_running * HEADROOM) + 1
    if free.cpu_share(machine.cores) > BUSY or running > budget - UNLIMITED.warm_processes:
        return None
    wanted = math.ceil(free.peak_processes * HEADROOM) + 1
    queued = max(DEFAULT_QUEUE, habits.users // 2)
    plan = Plan(running, min(budget, max(wanted, running + 4)), 2, max_queued_requests=queued)
    plan, outcome = _choose_warm(figures, habits, machine, plan, seconds)
    return Advice(1, habits.users, plan, outcome, wanted) if _is_good(outcome, machine) else None


def _is_good(outcome: Outcome, machine: Machine) -> bool:
    waits = [*outcome.new, *outcome.hits, *outcome.misses]
    is_fast = outcome.refused == 0 and percentile(waits, 0.95) <= LONGEST_WAIT
    return is_fast and outcome.cpu_share(machine.cores) <= BUSY


def _choose_warm(
    figures: Figures, habits: Habits, machine: Machine, plan: Plan, seconds: float
) -> tuple[Plan, Outcome]:
    """Return the plan with the fewest warm processes that make new conversations about as fast as more would."""
    outcome = simulate(figures, habits, machine, plan, seconds)
    for count in WARM_CHOICES:
        more = replace(plan, warm_processes=count)
        found = simulate(figures, habits, machine, more, seconds)
        if percentile(found.new, 0.95) > percentile(outcome.new, 0.95) / GOOD_ENOUGH:
            break
        plan, outcome = more, found
    return plan, outcome

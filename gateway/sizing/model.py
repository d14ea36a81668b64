"""The input and output of a simulation: measured figures, habits of users, settings of a gateway, and the outcome.

For example, people who write for half a minute between two questions:

>>> round(Habits(users=30).turns_per_minute)
43
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("figures.json")


@dataclass(frozen=True, slots=True)
class Figures:
    """The measured costs of one CLI process. `make bench ARGS=--figures` measures them again.

    `…_seconds` pass until the first delta, without the model's own time; `…_cpu_seconds` are the whole turn's.
    """

    start_cpu_seconds: float
    new_seconds: float
    new_cpu_seconds: float
    follow_up_seconds: float
    follow_up_cpu_seconds: float
    token_cpu_seconds: float
    process_mb: float
    worker_mb: float

    @classmethod
    def load(cls, path: Path = FIGURES) -> "Figures":
        """Return the figures in a file."""
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return cls(**{one.name: float(found[one.name]) for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class Habits:
    """The use that people make of the gateway. Times are seconds; those that depend on people are means.

    A conversation has `turns` questions with `think_seconds` between an answer and the next question, and the next
    conversation begins after `pause_seconds`. The model takes `model_seconds` until its first token, and then sends
    `tokens` tokens.
    """

    users: int
    think_seconds: float = 30.0
    turns: float = 6.0
    pause_seconds: float = 60.0
    model_seconds: float = 1.5
    tokens: int = 300
    tokens_per_second: float = 60.0

    @property
    def answer_seconds(self) -> float:
        """The time that the model takes for an answer."""
        return self.model_seconds + self.tokens / self.tokens_per_second

    @property
    def turns_per_minute(self) -> float:
        """The number of questions of all users per minute, if no answer waits."""
        seconds = (
            self.turns * self.answer_seconds + (self.turns - 1) * self.think_seconds + self.pause_seconds
        )
        return self.users * self.turns / seconds * 60


@dataclass(frozen=True, slots=True)
class Machine:
    """The cores and the memory, in bytes, that a gateway may use."""

    cores: int
    memory: int


DEFAULT_QUEUE = 100  # of the setting MAX_QUEUED_REQUESTS


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings that a simulation tries, by the names that they have in `gateway.settings`."""

    max_concurrent_sessions: int
    max_processes: int
    warm_processes: int
    keep_seconds: float = 300.0
    max_queued_requests: int = DEFAULT_QUEUE
    max_warm_processes: int = 16


@dataclass(slots=True)
class Outcome:
    """The results of a simulation.

    Waits are seconds until the first token, without the model's own time: of new conversations, of follow-up turns
    that found their process, and of those that did not.
    """

    seconds: float = 0.0
    new: list[float] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    misses: list[float] = field(default_factory=list)
    refused: int = 0
    starts: int = 0
    peak_running: int = 0
    peak_processes: int = 0
    cpu_seconds: float = 0.0

    @property
    def answers(self) -> int:
        """The number of answers."""
        return len(self.new) + len(self.hits) + len(self.misses)

    @property
    def hit_rate(self) -> float:
        """The share of the follow-up turns that found their process."""
        return len(self.hits) / max(1, len(self.hits) + len(self.misses))

    def cpu_share(self, cores: int) -> float:
        """Return the used share of all cores."""
        return self.cpu_seconds / (self.seconds * cores)


@dataclass(frozen=True, slots=True)
class Advice:
    """Settings for each of `machines` machines, which have `users` users each, and what they lead to."""

    machines: int
    users: int
    plan: Plan
    outcome: Outcome
    wanted_processes: int

    @property
    def is_short_of_memory(self) -> bool:
        """True if more memory would keep more conversations."""
        return self.wanted_processes > self.plan.max_processes


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share (0 to 1) of all values does not exceed; 0 without values.

    >>> percentile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

"""Limits for turns and processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The number of turns and processes at the same time, and the seconds that each step may take.

    `queue` is the number of turns that may wait for a slot, for up to `queue_seconds` each. A process must start within
    `start_seconds` and may be silent for `silence_seconds` during a turn. A whole turn may take `turn_seconds`. A
    conversation stays parked for `tool_seconds` if it waits for tool results, or else for `park_seconds`.

    The warm pool keeps `warm_processes` ready, and up to `max_warm_processes` after a burst of new conversations. None
    stands for no other limit than `processes`.
    """

    turns: int = 10
    queue: int = 20
    queue_seconds: float = 10.0
    start_seconds: float = 30.0
    silence_seconds: float = 300.0
    turn_seconds: float = 3600.0
    tool_seconds: float = 300.0
    park_seconds: float = 300.0
    processes: int = 16
    warm_processes: int = 2
    max_warm_processes: int | None = None

    @property
    def running_turns(self) -> int:
        """The number of turns that may run at once: each needs a process."""
        return min(self.turns, self.processes)

"""A watchdog that logs what holds the event loop for too long.

All greenlets of a worker share one thread. While one of them computes, no other runs: no stream, no `/health`. A timer
of the loop notes the time. A thread notices when the notes are late, and takes the stack of the main thread in that
moment. The stack is logged as soon as the loop runs again, because only then is it known how long it stood still, and
because the locks of the log belong to the main thread. For example:

    the event loop stood still for 0.31 s (0.30 s of CPU) in …/request.py:12 parse_request < …/chat.py:50 create < …

A loop that waits for the CPU or has nothing to do is not reported. An idle worker spends 2 ms of CPU per second on
this, and a busy one less.
"""

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from types import FrameType

import gevent
from gevent import monkey

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.05
LIMIT_SECONDS = 0.1
FRAMES = 12
_sleep = monkey.get_original("time", "sleep")
_start_thread = monkey.get_original("_thread", "start_new_thread")
_get_ident = monkey.get_original("_thread", "get_ident")


@dataclass(frozen=True, slots=True)
class _Beat:
    """A moment at which the loop ran, in monotonic seconds and in seconds of CPU time of its thread."""

    at: float
    cpu: float


class Watchdog:
    """Watches the loop of the thread that calls `start`. `limit` is in seconds."""

    def __init__(self, limit: float = LIMIT_SECONDS) -> None:
        self._limit = limit
        self._stack = ""
        self._is_stopped = False

    def start(self) -> None:
        """Watch until `stop` is called."""
        self._thread: int = _get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._beat = self._now()
        self._timer = gevent.get_hub().loop.timer(INTERVAL_SECONDS, repeat=INTERVAL_SECONDS)
        self._timer.start(self._note)
        _start_thread(self._watch, ())

    def stop(self) -> None:
        """End the thread soon."""
        self._is_stopped = True
        self._timer.stop()

    def _now(self) -> _Beat:
        return _Beat(time.monotonic(), time.clock_gettime(self._clock))

    def _note(self) -> None:
        """Note that the loop runs. The hub calls this, so it must not wait."""
        last, self._beat = self._beat, self._now()
        stack, self._stack = self._stack, ""
        seconds = self._beat.at - last.at - INTERVAL_SECONDS
        if stack and seconds >= self._limit:
            gevent.spawn(_report, seconds, self._beat.cpu - last.cpu, stack)

    def _watch(self) -> None:
        reported: _Beat | None = None
        while not self._is_stopped:
            beat = self._beat
            left = beat.at + INTERVAL_SECONDS + self._limit - time.monotonic()
            if left > 0 or beat is reported:
                _sleep(max(left, INTERVAL_SECONDS))
                continue
            reported = beat
            frame = sys._current_frames().get(self._thread)
            if frame is not None and not _is_idle(frame):
                self._stack = _format_stack(frame)


def _report(seconds: float, cpu: float, stack: str) -> None:
    log.warning("the event loop stood still for %.2f s (%.2f s of CPU) in %s", seconds, cpu, stack)


def _is_idle(frame: FrameType) -> bool:
    """Return True if the thread waits for events. It only lacks the CPU then, or has just got it."""
    return frame.f_code.co_name == "run" and frame.f_globals.get("__name__") == "gevent.hub"


def _format_stack(frame: FrameType) -> str:
    """Return the innermost calls, the last one first. Values are left out: they may be clients' texts."""
    calls = islice(_walk_outward(frame), FRAMES)
    return " < ".join(f"{one.f_code.co_filename}:{one.f_lineno} {one.f_code.co_name}" for one in calls)


def _walk_outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back

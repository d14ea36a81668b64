"""A watchdog that logs what holds the event loop for too long.

All greenlets of a worker share one thread. While one of them computes, no other runs: no stream, no `/health`. A thread
looks ten times per second at what the loop's thread does. If it does not wait for events, the thread calls the loop and
expects an answer. If none comes in time, it takes the stack of the loop's thread in that moment. The stack is logged as
soon as the loop runs again, because only then is it known how long it stood still, and because the locks of the log
belong to the main thread. For example:

    the event loop stood still for 0.31 s (0.30 s of CPU) in …/request.py:12 parse_request < …/chat.py:50 create < …

A loop that waits for the CPU or has nothing to do is not reported, and the second one is never woken.

After a second in which the loop had hardly anything to do, the thread looks only once per second, because ten looks
per second cost 0.1 % of a core. The next request wakes it.
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

INTERVAL_SECONDS = 0.1  # between two looks
DOZE_SECONDS = 1.0  # the same, while nothing happens
QUIET_LOOKS = 10
QUIET_ITERATIONS = 4  # of the loop, between two looks: an idle worker wakes two or three times per second
LIMIT_SECONDS = 0.1
FRAMES = 12
_sleep = monkey.get_original("time", "sleep")
_start_thread = monkey.get_original("_thread", "start_new_thread")
_get_ident = monkey.get_original("_thread", "get_ident")
_allocate_lock = monkey.get_original("_thread", "allocate_lock")


@dataclass(slots=True)
class _Call:
    """A call of the loop, with its moment in monotonic seconds and in seconds of CPU time of the loop's thread.

    `stack` is what held the loop when it had not answered for too long.
    """

    at: float
    cpu: float
    stack: str = ""


class Watchdog:
    """Watches the loop of the thread that calls `start`. `limit` is in seconds."""

    def __init__(self, limit: float = LIMIT_SECONDS) -> None:
        self._limit = limit
        self._call: _Call | None = None  # until the loop has answered
        self._is_stopped = False
        self._alarm = _allocate_lock()  # the thread dozes while this is locked
        self._alarm.acquire()
        self._is_dozing = False

    def start(self) -> None:
        """Watch until `stop` is called."""
        self._thread: int = _get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._loop = gevent.get_hub().loop
        self._bell = self._loop.async_()
        self._bell.start(self._answer)
        _start_thread(self._watch, ())

    def stop(self) -> None:
        """End the thread soon."""
        self._is_stopped = True
        self._bell.stop()

    def wake(self) -> None:
        """Look often from now on, because a request has arrived. Call this in the loop's thread."""
        if self._is_dozing and self._alarm.locked():
            self._alarm.release()

    def _answer(self) -> None:
        """Show that the loop runs. The hub calls this, so it must not wait."""
        call, self._call = self._call, None
        if call is not None and call.stack:
            seconds = time.monotonic() - call.at
            gevent.spawn(_report, seconds, time.clock_gettime(self._clock) - call.cpu, call.stack)

    def _watch(self) -> None:
        looks = QUIET_LOOKS  # until the thread dozes
        while not self._is_stopped:
            iteration = self._loop.iteration
            is_called = self._pause(is_short=looks > 0)
            is_idle = self._look(sys._current_frames().get(self._thread))
            is_quiet = is_idle and not is_called and self._loop.iteration - iteration <= QUIET_ITERATIONS
            looks = max(0, looks - 1) if is_quiet else QUIET_LOOKS

    def _pause(self, *, is_short: bool) -> bool:
        """Wait until the next look. Return True if `wake` ended a long pause."""
        if is_short:
            _sleep(INTERVAL_SECONDS)
            return False
        self._is_dozing = True
        is_called = self._alarm.acquire(timeout=DOZE_SECONDS)
        self._is_dozing = False
        return bool(is_called)

    def _look(self, frame: FrameType | None) -> bool:
        """Call the loop if it does something, or note what holds it if it has not answered. Return True if it waits."""
        if frame is None or _is_idle(frame):
            return True
        call = self._call
        if call is None:
            self._call = _Call(time.monotonic(), time.clock_gettime(self._clock))
            self._bell.send()
        elif not call.stack and time.monotonic() - call.at >= self._limit:
            call.stack = _format_stack(frame)
        return False


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

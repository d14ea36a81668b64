"""Give the memory of large requests back to the system when they are over.

The allocator of glibc keeps large blocks that were freed, for later requests that may never come: after eight requests
of 20 MB each, 120 MB were kept.
"""

import ctypes

import gevent

LARGE_BYTES = 4_000_000
DELAY_SECONDS = 1.0  # several requests that end together are one job

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
_is_due = False


def release_memory_later() -> None:
    """Return unused memory to the system soon. It takes about 20 ms, in a thread."""
    global _is_due
    if _trim is not None and not _is_due:
        _is_due = True
        gevent.spawn_later(DELAY_SECONDS, _release)


def release_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an error that was reported. Their frames hold the request, and refer to the error."""
    while error is not None and error.__traceback__ is not None:  # an error may be its own cause
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _release() -> None:
    global _is_due
    _is_due = False
    if _trim is not None:
        gevent.get_hub().threadpool.spawn(_trim, 0)

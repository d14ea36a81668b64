"""The numbers of a fleet's parts that follow from the settings, at the start and after a change at run time."""

from typing import TypedDict

from gateway.claude.fleet.demand import REMEMBER_SECONDS
from gateway.memory import MEGABYTE
from gateway.settings import Settings

MIN_REMEMBER_SECONDS = 60.0  # bursts are remembered as long as conversations are kept, and this long at least
HABIT_SECONDS = 120.0  # conversations that pause for longer count as ended, for `Habits`


class PoolNumbers(TypedDict):
    """The numbers of a warm pool that follow from the settings."""

    size: int
    max_size: int
    start_timeout: float
    remember_seconds: float


def slot_limits(settings: Settings) -> tuple[int, int, float, float]:
    """Return the numbers of `Slots`, in their order."""
    return (
        settings.max_running_turns,
        settings.max_queued_requests,
        settings.queue_timeout_seconds,
        settings.max_queued_mb * MEGABYTE,
    )


def pool_numbers(settings: Settings, accounts: int) -> PoolNumbers:
    """Return the numbers of each account's pool. The warm processes are divided: each account has one at least."""
    share = min(settings.warm_processes, max(1, settings.warm_processes // accounts))
    return {
        "size": min(share, settings.max_processes),
        "max_size": settings.max_warm_processes,
        "start_timeout": settings.start_timeout_seconds,
        "remember_seconds": min(REMEMBER_SECONDS, max(settings.keep_seconds, MIN_REMEMBER_SECONDS)),
    }


def habit_seconds(settings: Settings) -> float:
    """Return the pause after which a conversation counts as ended."""
    return min(settings.keep_seconds, HABIT_SECONDS)


def rest_seconds(before: Settings, after: Settings) -> float:
    """Return the time for which idle conversations are still kept after a change of the settings.

    A process that was told another TOOL_WAIT_SECONDS at its set-up is not kept.
    """
    return after.keep_seconds if after.tool_wait_seconds == before.tool_wait_seconds else 0.0

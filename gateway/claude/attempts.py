"""The attempts of a run to get an answer, and what follows the loss of a process."""

import logging
from dataclasses import dataclass, replace

from gateway import errors
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.hangs import ProcessHung
from gateway.claude.cli.process import ProcessEnded
from gateway.claude.cli.spawn import describe_exit
from gateway.turn import Model

log = logging.getLogger(__name__)

MAX_LOST_PROCESSES = 3  # processes in a row that may be lost before the model begins
LOST_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to get an answer from `model`.

    `parked` is the parked conversation to continue and the number of messages that it knows. Without it the attempt
    takes a fresh process. `lost_processes` counts the fresh processes that were lost before.
    """

    model: Model
    parked: tuple[Conversation, int] | None
    lost_processes: int = 0

    @property
    def is_last(self) -> bool:
        """True if a loss of the process will not lead to another attempt."""
        return self.lost_processes + 1 >= MAX_LOST_PROCESSES


def replace_process(
    attempt: Attempt, conversation: Conversation, error: ProcessEnded, *, is_silent: bool
) -> Attempt:
    """Return the attempt that follows the loss of a process before the model began. Raises `error` if none does.

    `is_silent` says that the process has not written anything since it was asked.
    """
    if attempt.parked is not None and is_silent:
        log.warning("the process of a parked conversation was lost; a fresh one is seeded: %s", error)
        return replace(attempt, parked=None)
    is_harmless = conversation.tuning is None or error.was_killed
    if is_harmless and not attempt.is_last:
        log.warning("a claude process was lost before the model began; another one is taken: %s", error)
        return replace(attempt, parked=None, lost_processes=attempt.lost_processes + 1)
    raise error


def explain_loss(error: ProcessEnded, *, has_begun: bool) -> errors.GatewayError:
    """Return the error for a client whose process was lost, and log it."""
    log.error("a claude process was lost during a turn: %s", error)
    if "not logged in" in error.stderr.lower():
        return errors.NotLoggedIn("The gateway's Claude Code CLI is not logged in.", should_retry=False)
    if isinstance(error, ProcessHung):
        end = "hung"
    else:
        end = f"was {describe_exit(error.returncode)}," if error.was_killed else "ended"
    if has_begun:
        return errors.UpstreamError(f"The Claude Code process {end} in the middle of the answer. Try again.")
    return errors.ClaudeUnavailable(
        f"The Claude Code process {end} before the model began to answer. Try again.",
        retry_after=LOST_RETRY_SECONDS,
    )

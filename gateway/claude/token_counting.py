"""How many tokens a turn would send: the CLI asks Anthropic's counter for each part. No model request is made.

The counter is https://platform.claude.com/docs/en/api/messages-count-tokens; the CLI sums up what it says of the
system text, the tools and the messages (`get_context_usage`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.claude.cli.conversation import CONTROL_TIMEOUT_SECONDS, Conversation
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded
from gateway.claude.cli.tuning import tune
from gateway.claude.fleet.wait_queue import Ticket
from gateway.errors import UpstreamError
from gateway.turn import Turn

if TYPE_CHECKING:
    from gateway.claude.service import Claude


def count(claude: Claude, turn: Turn) -> int:
    """Set a warm process up for the turn, and ask it. It takes a slot as a turn does, and the process is dropped.

    Raises ModelNotSupported, TooManyTurns or UpstreamError.
    """
    model = turn.resolved_model
    tuning = tune(turn, model, seeded=True)
    claude.slots.acquire(Ticket[bool]())
    try:
        process = claude.pool.take(Ticket[Process](), claude.limits.start_seconds)
        conversation = Conversation(process, turn, claude.limits.tool_seconds)
        try:
            conversation.set_up(tuning)
            conversation.seed(turn.messages)
            (usage,) = process.control([{"subtype": "get_context_usage"}], CONTROL_TIMEOUT_SECONDS)
        finally:
            claude.drop(conversation)
    except (ControlRefused, ControlTimeout, ProcessEnded) as error:
        raise UpstreamError("The Claude Code CLI could not count the tokens.") from error
    finally:
        claude.slots.release()
    return _used(usage)


def _used(usage: dict[str, Any]) -> int:
    try:
        return sum(part["tokens"] for part in usage["categories"] if part["kind"] == "used")
    except (KeyError, TypeError) as error:
        raise UpstreamError("The Claude Code CLI counted the tokens in a form that is not known.") from error

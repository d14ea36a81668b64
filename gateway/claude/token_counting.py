"""Count the tokens of a turn without asking a model.

The CLI asks Anthropic's counter (https://platform.claude.com/docs/en/api/messages-count-tokens) for the system text,
the tools and the messages, and reports each as a category of `get_context_usage`, for example:

    {"categories": [{"kind": "used", "tokens": 9}, {"kind": "free", "tokens": 199991}]}
"""

from __future__ import annotations

from gateway.claude.cli.conversation import CONTROL_TIMEOUT_SECONDS, Conversation
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded
from gateway.claude.cli.protocol import ControlResult, QueryRequest
from gateway.claude.cli.tuning import tune
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.errors import UpstreamError
from gateway.turn import Turn


def count_tokens(fleet: Fleet, turn: Turn) -> int:
    """Set up a warm process for the turn and ask it. Like a turn, this takes a slot and uses up the process.

    Raises ClaudeUnavailable, TooManyTurns or UpstreamError.
    """
    tuning = tune(turn, turn.resolved_model, is_seeded=True)
    fleet.acquire_slot(Ticket[bool]())
    try:
        conversation = Conversation(
            fleet.take_warm(Ticket[Process]()), turn, fleet.settings.tool_wait_seconds
        )
        try:
            conversation.set_up(tuning)
            conversation.seed(turn.messages)
            question: QueryRequest = {"subtype": "get_context_usage"}
            (usage,) = conversation.process.send_requests([question], CONTROL_TIMEOUT_SECONDS)
        finally:
            fleet.end_conversation(conversation)
    except (ControlRefused, ControlTimeout, ProcessEnded) as error:
        raise UpstreamError("The Claude Code CLI could not count the tokens.") from error
    finally:
        fleet.release_slot()
    return _sum_used(usage)


def _sum_used(usage: ControlResult) -> int:
    try:
        return sum(category["tokens"] for category in usage["categories"] if category["kind"] == "used")
    except (KeyError, TypeError) as error:
        raise UpstreamError("The Claude Code CLI reported the tokens in an unknown format.") from error

"""The facade of this package: everything that the rest of the gateway does with the CLI.

For example:

    claude = Claude(load())
    claude.open()
    runs = claude.answer(turn)
    try:
        for index, batch in runs: ...
    finally:
        runs.close()
"""

import time
from collections.abc import Mapping
from typing import Any

import gevent

from gateway.claude.cli.conversation import CONTROL_TIMEOUT_SECONDS, Conversation
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded
from gateway.claude.cli.protocol import ControlResult, QueryRequest
from gateway.claude.cli.rate_limits import RateLimitWindow
from gateway.claude.cli.tuning import tune
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.merged_runs import MergedRuns
from gateway.claude.run import Run
from gateway.errors import GatewayError, ShuttingDown, UpstreamError
from gateway.settings import Settings
from gateway.turn import Turn


class Claude:
    """Answers turns with CLI processes. `runs` are the turns that are running now."""

    def __init__(self, settings: Settings) -> None:
        self.runs: set[Run] = set()
        self._fleet = Fleet(settings)
        self.catalog = self._fleet.catalog

    def open(self) -> None:
        """Search for the CLI and start warm processes, in the background. Problems are logged."""
        self._fleet.open()

    def await_ready(self) -> None:
        """Wait until the CLI was searched for and its models are known. Raises ClaudeUnavailable or ShuttingDown."""
        self._fleet.await_ready()

    def answer(self, *turns: Turn, n: int = 1) -> MergedRuns:
        """Return `n` runs of each turn, in the order of the turns. They start when they are iterated.

        The caller must close the result. Raises ClaudeUnavailable or ShuttingDown.
        """
        self.await_ready()
        runs = [Run(self._fleet, turn, self.runs.discard) for turn in turns for _ in range(n)]
        self.runs.update(runs)
        return MergedRuns(runs)

    def count_tokens(self, turn: Turn) -> int:
        """Return the tokens of everything that `turn` would send, by Anthropic's counter. No model is asked.

        The CLI asks the counter (https://platform.claude.com/docs/en/api/messages-count-tokens) for the system text,
        the tools and the messages. Like a turn, this takes a slot and uses up a process.

        Raises ClaudeUnavailable, TooManyTurns or UpstreamError.
        """
        self.await_ready()
        fleet = self._fleet
        tuning = tune(turn, turn.resolved_model, is_seeded=True)
        fleet.acquire_slot(Ticket[bool]())
        try:
            conversation = Conversation(
                fleet.take_warm(Ticket[Process]()), turn, fleet.settings.tool_wait_seconds
            )
            try:
                conversation.set_up(tuning, counts_tools=True)
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

    def stop_project(self, project: str, reason: GatewayError) -> None:
        """End the turns of this worker that belong to a project."""
        for run in list(self.runs):
            if run.project == project:
                run.stop(reason)

    def retire(self) -> None:
        """Keep no processes waiting, because new workers take over. Later turns get a process of their own."""
        self._fleet.retire()

    def drain(self, seconds: float) -> None:
        """Refuse new turns, let running ones finish for up to `seconds`, then end them and all processes."""
        self._fleet.refuse_turns(ShuttingDown())
        deadline = time.monotonic() + seconds
        while self.runs and time.monotonic() < deadline:
            gevent.sleep(0.05)
        self.close()

    def close(self) -> None:
        """End all turns and processes now."""
        self._fleet.refuse_turns(ShuttingDown())
        for run in list(self.runs):
            run.stop(ShuttingDown())
        self._fleet.close()

    @property
    def rate_limit_windows(self) -> Mapping[str, RateLimitWindow]:
        """The rate-limit windows of the account by name, as the CLI has last reported them."""
        return self._fleet.rate_limit_windows

    @property
    def problem(self) -> str | None:
        """The reason why no turn can be answered, with advice for the operator. None if all is well."""
        return self._fleet.problem

    def status(self) -> dict[str, Any]:
        """Return the figures that `/health` and the metrics show."""
        return self._fleet.status()


def _sum_used(usage: ControlResult) -> int:
    """Add up the categories in use, e.g. {"categories": [{"kind": "used", "tokens": 9}, {"kind": "free", …}]}."""
    try:
        return sum(category["tokens"] for category in usage["categories"] if category["kind"] == "used")
    except (KeyError, TypeError) as error:
        raise UpstreamError("The Claude Code CLI reported the tokens in an unknown format.") from error

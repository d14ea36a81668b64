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

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent

from gateway.accounts.account import DEFAULT
from gateway.accounts.states import AccountStates
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.merged_runs import MergedRuns
from gateway.claude.remote_run import RemoteRun
from gateway.claude.run import Run
from gateway.claude.token_counts import TokenCount, TokenCounts
from gateway.claude.turn_accounts import Fallback
from gateway.errors import ClaudeUnavailable, GatewayError, ShuttingDown
from gateway.settings import Settings
from gateway.turn import Turn

log = logging.getLogger(__name__)


class Claude:
    """Answers turns with CLI processes. `runs` are the turns that are running now."""

    def __init__(self, settings: Settings, accounts: AccountStates | None = None) -> None:
        self.runs: set[Run | RemoteRun] = set()
        self._fleet = Fleet(settings, accounts)
        self._token_counts = TokenCounts(self._fleet)
        self.catalog = self._fleet.catalog

    def open(self) -> None:
        """Search for the CLI and start warm processes, in the background. Problems are logged."""
        self._fleet.open()

    def change_accounts(self, new: AccountStates) -> None:
        """Use another list of accounts from now on. Running turns go on with their accounts."""
        self._fleet.change_accounts(new)
        log.info("the accounts are: %s", ", ".join(new.accounts))

    def apply(self, settings: Settings) -> None:
        """Take over changed settings."""
        self._fleet.apply(settings)

    def await_ready(self) -> None:
        """Wait until the CLI was searched for and its models are known. Raises ClaudeUnavailable or ShuttingDown."""
        self._fleet.await_ready()

    def answer(
        self,
        *turns: Turn,
        n: int = 1,
        before_start: Callable[[], None] | None = None,
        fallback: Fallback | None = None,
    ) -> MergedRuns:
        """Return `n` runs of each turn, in the order of the turns. They start when they are iterated.

        `before_start` is called when a run has its slot. A GatewayError that it raises ends the run. `fallback` answers
        if all accounts of a turn are out of quota. The caller must close the result. Raises ClaudeUnavailable or
        ShuttingDown.
        """
        self.await_ready()
        runs = [self._run(turn, before_start, fallback) for turn in turns for _ in range(n)]
        self.runs.update(runs)
        return MergedRuns(runs)

    def _run(
        self, turn: Turn, before_start: Callable[[], None] | None, fallback: Fallback | None
    ) -> Run | RemoteRun:
        if turn.toolbox is not None:
            return RemoteRun(self._fleet, turn, turn.toolbox, self.runs.discard, before_start, fallback)
        return Run(self._fleet, turn, self.runs.discard, before_start, fallback)

    def count_tokens(self, turn: Turn) -> TokenCount:
        """Return the tokens of everything that `turn` would send, by Anthropic's counter. No model is asked.

        The counter is https://platform.claude.com/docs/en/api/messages-count-tokens. A count takes a slot, like a turn.

        Raises ClaudeUnavailable, TooManyTurns or UpstreamError.
        """
        self.await_ready()
        return self._token_counts.count(turn)

    def is_project_busy(self, project: str) -> bool:
        """Return True if a turn of this worker belongs to a project."""
        return any(run.project == project for run in self.runs)

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
    def accounts(self) -> AccountStates:
        """The state of each account: its windows, whether it is logged in, and how long it rests."""
        return self._fleet.accounts

    def test_login(self, account: str) -> bool | None:
        """Learn from a new process whether an account is logged in; None if it does not tell. No model is asked.

        Raises ClaudeUnavailable or ShuttingDown.
        """
        self.await_ready()
        try:
            return self._fleet.check_login(account)
        except OSError as error:
            raise ClaudeUnavailable(f"The Claude Code CLI does not start: {error}") from error

    def advise_login(self, account: str) -> str:
        """Return a sentence that says how to log in an account."""
        return self._fleet.advise_login(account)

    @property
    def has_spare_slot(self) -> bool:
        """True if a turn of a batch could start now without delaying other turns."""
        return self._fleet.has_spare_slot

    @property
    def problem(self) -> str | None:
        """The reason why no turn can be answered, with advice for the operator. None if all is well."""
        return self._fleet.problem

    @property
    def start_problem(self) -> str | None:
        """The reason why CLI processes do not start. None if they do."""
        return self._fleet.start_problem

    def status(self) -> dict[str, Any]:
        """Return the figures that `/health` and the metrics show."""
        status = self._fleet.status()
        running = Counter(run.times.account or DEFAULT for run in self.runs if run.times.process_at)
        for account in status["accounts"]:
            account["running"] = running[account["name"]]
        return status

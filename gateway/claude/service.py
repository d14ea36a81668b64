"""The CLI as one object: find it, keep it warm, run turns on it, say how it is."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from gateway.claude import token_counting as counting
from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli import process
from gateway.claude.cli.binary import TESTED, Binary, dotted, find
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.launch import CHAT_ARGUMENTS, agent_arguments, agent_environment, child_environment
from gateway.claude.cli.process import ProcessEnded
from gateway.claude.cli.rate_limits import RateLimitWindow
from gateway.claude.cli.tuning import Tuning
from gateway.claude.fleet.budget import Budget
from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.slots import Slots
from gateway.claude.fleet.warm_pool import StartFailure, WarmPool
from gateway.claude.merged_runs import MergedRuns
from gateway.claude.run import Run
from gateway.errors import ClaudeUnavailable, GatewayError, NotLoggedIn, ShuttingDown
from gateway.turn import AgentWorkspace, Turn

log = logging.getLogger(__name__)

RECHECK_SECONDS = 10.0  # how soon a missing CLI is looked for again
SETUPS_REMEMBERED = 64
PREPARE_SECONDS = 0.5  # after a conversation began: first its own start
PREPARE_TRIES = 10
ROOM_SECONDS = 1.0
PROGRAMS_SECONDS = 1.0  # for agents to end what they run, when the gateway stops
LOGIN_ADVICE = "Run `claude` and /login, or `claude setup-token`, or set CLAUDE_API_KEY."


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once and how long, in seconds."""

    turns: int = 10
    queue: int = 20
    queue_seconds: float = 10.0
    start_seconds: float = 30.0
    silence_seconds: float = 300.0
    turn_seconds: float = 3600.0
    tool_seconds: float = 300.0
    keep_seconds: float = 300.0
    processes: int = 16


class Claude:
    """Everything the gateway does with the CLI.

    `binary_path` None means: search. `environ` is the environment the child's is made from. `work_dir` is the empty
    folder that conversations run in; it is made if it does not exist.
    """

    def __init__(
        self,
        *,
        catalog: ModelCatalog,
        limits: Limits,
        work_dir: Path,
        environ: Mapping[str, str],
        binary_path: str | None = None,
        api_key: str | None = None,
        warm: int = 2,
        most_warm: int | None = None,
        max_retries: int = 2,
    ) -> None:
        self.catalog = catalog
        self.limits = limits
        self.slots = Slots(min(limits.turns, limits.processes), limits.queue, limits.queue_seconds)
        self.kept = ParkedConversations(self.drop)
        self.budget = Budget(limits.processes, self.slots, self.kept)
        self.pool = self.budget.pool = WarmPool(
            self._spawn,
            catalog.merge,
            size=min(warm, limits.processes),
            most=most_warm,
            allows_start=lambda urgent: self.budget.allows_start(urgent=urgent),
            start_timeout=limits.start_seconds,
        )
        self.runs: set[Run] = set()
        self.windows: dict[str, RateLimitWindow] = {}  # the subscription's limits, as last heard of
        self._setups: OrderedDict[bytes, int] = OrderedDict()
        self._work_dir = work_dir
        self._binary_path = binary_path
        self._environ = child_environment(environ, api_key=api_key, max_retries=max_retries)
        self._binary: Binary | None = None
        self._problem: GatewayError | None = ClaudeUnavailable("The gateway is starting.", retry_after=1.0)
        self._login: bool | None = None
        self._renewed = 0.0
        self._retired = False
        self._opener: gevent.Greenlet[..., None] | None = None
        self._looked = Event()  # the first search for the CLI is over

    def open(self) -> None:
        """Look for the CLI and start warming, in the background; log what is wrong."""
        self._opener = gevent.spawn(self._open)

    def run(self, *turns: Turn, n: int = 1) -> MergedRuns:
        """`n` runs of each turn, in their order; nothing happens before they are iterated.

        Raises ModelNotSupported or ClaudeUnavailable.
        """
        self.await_ready()
        return MergedRuns([Run(self, turn) for turn in turns for _ in range(n)])

    def count_tokens(self, turn: Turn) -> int:
        """The tokens of everything that `turn` would send, by Anthropic's own counter; the model is not asked.

        Raises ModelNotSupported, ClaudeUnavailable, TooManyTurns or UpstreamError.
        """
        self.await_ready()
        return counting.count(self, turn)

    def await_ready(self) -> None:
        """Wait for the first search for the CLI and for its models. Raises ClaudeUnavailable."""
        if self._opener is not None:
            self._looked.wait(self.limits.start_seconds)
            if self._problem is None:
                self.pool.settled.wait(self.limits.start_seconds)  # only then are the CLI's models known
        if self._problem is not None:
            raise self._problem

    def drop(self, conversation: Conversation) -> None:
        """End a conversation's process without making anybody wait for it."""
        conversation.process.kill()
        gevent.spawn(conversation.process.close)
        self.pool.refill_later()

    def keep(self, digest: bytes, conversation: Conversation) -> None:
        """Keep the process of a turn that is just ending for what comes next in its conversation."""
        seconds = self.limits.tool_seconds if conversation.is_waiting else self.limits.keep_seconds
        if seconds > 0 and not self._retired:
            self.kept.put(digest, conversation, seconds)
            self.budget.trim(held=1)
        else:
            self.drop(conversation)

    def learn(self, digest: bytes, turn: Turn, tuning: Tuning) -> None:
        """A conversation began with this set-up: if not for the first time, have a process set up for the next."""
        seen = self._setups.pop(digest, 0) + 1
        self._setups[digest] = seen
        if len(self._setups) > SETUPS_REMEMBERED:
            self._setups.popitem(last=False)
        if seen > 1 and self.limits.keep_seconds > 0:
            setup = replace(turn, messages=())
            gevent.spawn_later(PREPARE_SECONDS, self._prepare, digest, setup, tuning, PREPARE_TRIES)

    def _prepare(self, digest: bytes, setup: Turn, tuning: Tuning, tries: int) -> None:
        """Set up a warm process, unless one is; later if the pool has none to spare now."""
        if digest in self.kept or self._problem is not None or self._retired:
            return
        process = None if self.pool.wanted else self.pool.take_ready()
        if process is None:
            if tries > 1:
                gevent.spawn_later(PREPARE_SECONDS, self._prepare, digest, setup, tuning, tries - 1)
            return
        conversation = Conversation(process, setup, self.limits.tool_seconds)
        try:
            conversation.set_up(tuning)
        except (GatewayError, ProcessEnded) as error:
            log.warning("a process could not be set up ahead: %s", error)
            self.drop(conversation)
        else:
            self.kept.put(digest, conversation, self.limits.keep_seconds)
            self.budget.trim()
        self.pool.refill_later()

    def start_in(self, agent_workspace: AgentWorkspace) -> process.Process:
        """A process of its own for a running turn that works in a project. Raises OSError."""
        self.budget.make_room()
        self._await_room()
        assert self._binary is not None
        argv = [self._binary.path, *agent_arguments(agent_workspace)]
        return process.Process(
            argv, agent_environment(self._environ), agent_workspace.folder, runs_programs=True
        )

    def stop_project(self, project: str, reason: GatewayError) -> None:
        """End the turns that run in a project; those of this worker."""
        for run in list(self.runs):
            if run.project == project:
                run.stop(reason)

    def stop_runs(self, reason: GatewayError) -> None:
        """End every running turn."""
        for run in list(self.runs):
            run.stop(reason)

    def retire(self) -> None:
        """Others take over: have no process wait for anything. Turns that still come get one of their own."""
        self._retired = True
        self.kept.clear()
        self.pool.retire()

    def drain(self, seconds: float) -> None:
        """Let running turns finish for up to `seconds`, then end them and all processes. New ones are refused."""
        self._problem = ShuttingDown()
        deadline = time.monotonic() + seconds
        while self.runs and time.monotonic() < deadline:
            gevent.sleep(0.05)
        self.stop_runs(ShuttingDown())
        self.close()

    def close(self) -> None:
        """End everything now."""
        self._problem = ShuttingDown()
        if self._opener is not None:
            self._opener.kill()
        self.stop_runs(ShuttingDown())
        self.kept.clear()
        self.pool.close()
        process.kill_all()
        process.await_programs(PROGRAMS_SECONDS)

    def note_success(self) -> None:
        """An answer came: the login is good."""
        self._login = True

    def note_windows(self, windows: Mapping[str, RateLimitWindow]) -> None:
        """What a turn has heard of the subscription's limits."""
        self.windows.update(windows)

    def note_failure(self, error: GatewayError) -> None:
        """A refused login may be mended outside: the next turn gets a process that reads it afresh."""
        if isinstance(error, NotLoggedIn):
            self._login = False
            if time.monotonic() - self._renewed > RECHECK_SECONDS:
                self._renewed = time.monotonic()
                self.pool.renew()

    @property
    def problem(self) -> str | None:
        """What keeps the gateway from answering, with what to do; None when all is well."""
        error = self._problem or (self.pool.failure if not self.pool.ready else None)
        if error is not None:
            return error.message
        return f"The Claude Code CLI is not logged in. {LOGIN_ADVICE}" if self._login is False else None

    def status(self) -> dict[str, Any]:
        """Figures for health and metrics."""
        return {
            "version": self._binary.version_text if self._binary else None,
            "logged_in": self._login,
            "running": self.slots.used,
            "kept": len(self.kept),
            "waiting_for_tools": self.kept.waiting_for_tools,
            "prepared": self.kept.prepared,
            "kept_hits": self.kept.hits,
            "queued": self.slots.waiting,
            "warm": self.pool.ready,
            "warm_hits": self.pool.hits,
            "warm_misses": self.pool.misses,
            "starting": self.pool.starting,
            "starts": self.pool.starts,
            "start_failures": self.pool.failures,
            "processes": process.living(),
            "max_processes": self.budget.most,
        }

    def _open(self) -> None:
        while not self._found():
            self._looked.set()
            gevent.sleep(RECHECK_SECONDS)
        self._looked.set()
        self.pool.open()
        self._check_login()

    def _found(self) -> bool:
        try:
            self._binary = find(self._binary_path)
        except ClaudeUnavailable as error:
            if self._problem is None or self._problem.message != error.message:
                log.error("%s", error.message)
            self._problem = error
            return False
        if self._binary.version != TESTED:
            log.warning(
                "Claude Code %s is not the tested version %s", self._binary.version_text, dotted(TESTED)
            )
        log.info("using Claude Code %s at %s", self._binary.version_text, self._binary.path)
        self._problem = None
        return True

    def _spawn(self) -> process.Process:
        assert self._binary is not None
        self._work_dir.mkdir(parents=True, exist_ok=True)
        self._await_room()
        return process.Process([self._binary.path, *CHAT_ARGUMENTS], self._environ, str(self._work_dir))

    def _await_room(self) -> None:
        """A process that made room may not be gone yet: not even for a moment are there more than the budget."""
        deadline = time.monotonic() + ROOM_SECONDS
        while process.living() >= self.budget.most and time.monotonic() < deadline:
            gevent.sleep(0.002)

    def _check_login(self) -> None:
        """Ask a process of its own how the CLI is logged in; only `initialize` tells."""
        try:
            probe = self._spawn()
        except OSError:
            return  # the pool says it too
        try:
            (answer,) = probe.control([{"subtype": "initialize"}], self.limits.start_seconds)
        except StartFailure as error:
            log.warning("the CLI does not say how it is logged in: %s", error)
            self.pool.settled.set()
            return
        finally:
            probe.close(grace=1.0)
        self.catalog.merge(answer.get("models", []))
        self.pool.settled.set()  # with WARM_PROCESSES=0 the pool itself starts nothing yet
        self._login = _is_logged_in(answer.get("account") or {}, self._environ)
        if not self._login:
            log.error("the Claude Code CLI is not logged in. %s", LOGIN_ADVICE)


def _is_logged_in(account: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """`account` is AccountInfo of `sdk.d.ts`; an ANTHROPIC_AUTH_TOKEN does not show in it."""
    sources = (account.get("tokenSource"), account.get("apiKeySource"))
    return (
        any(source not in (None, "none") for source in sources)
        or account.get("apiProvider") != "firstParty"
        or bool(environ.get("ANTHROPIC_AUTH_TOKEN"))
    )

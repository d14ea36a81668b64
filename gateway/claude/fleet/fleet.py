"""All CLI processes of a worker: warm, running and parked.

For example, a turn that has the fleet to itself:

    fleet.acquire_slot(Ticket())
    conversation = Conversation(fleet.take_warm(Ticket()), turn, fleet.settings.tool_wait_seconds)
    ...                                       # set up, ask, read
    fleet.park(digest, conversation)          # or fleet.end_conversation(conversation)
    fleet.release_slot()
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from gevent.event import Event

from gateway.accounts.account import DEFAULT
from gateway.accounts.chooser import AccountChooser
from gateway.accounts.states import AccountStates, Window, load_states
from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import (
    Process,
    count_living,
    kill_all,
    list_living_pids,
    refuse_request,
    wait_for_programs,
)
from gateway.claude.cli.tuning import Tuning
from gateway.claude.fleet.budget import ProcessBudget, end_process
from gateway.claude.fleet.deadlines import Deadlines
from gateway.claude.fleet.habits import Habits, Shapes
from gateway.claude.fleet.idle_watch import IdleWatch
from gateway.claude.fleet.login import Login
from gateway.claude.fleet.memory_guard import make_guard
from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.preparation import Preparation
from gateway.claude.fleet.recycling import Recycling
from gateway.claude.fleet.seats import Seat, Seats
from gateway.claude.fleet.sizes import habit_seconds, pool_numbers, rest_seconds, slot_limits
from gateway.claude.fleet.wait_queue import Slots, Ticket
from gateway.claude.fleet.warm_pool import WarmPool
from gateway.claude.launcher import Launcher
from gateway.cores import count_cores
from gateway.errors import ClaudeUnavailable, GatewayError, ShuttingDown
from gateway.memory import find_total
from gateway.settings import Settings
from gateway.turn import Turn
from gateway.workspace import AgentWorkspace

log = logging.getLogger(__name__)

SEARCH_SECONDS = 10.0  # the pause between two searches for a missing CLI
PROGRAMS_SECONDS = 1.0  # how long agents get to end their programs when the gateway stops


class Fleet:
    """Owns the slots, the warm pool, the parked conversations and the budget of processes. It does not know `Run`.

    The life of a fleet, and who calls what when:

    1. `Claude` constructs it and calls `open`, which searches for the CLI in the background and fills the warm pool.
    2. `await_ready` waits for that. It is called before each turn.
    3. `Run` calls `acquire_slot` and one of `take_parked`, `take_warm`, `start_agent` and `start_for_batch`. From then
       on the run owns the process.
    4. `Run` reports back with `record_success`, `record_failure` and `record_rate_limits`.
    5. `Run` gives the process back with `park` or `end_conversation`, and the slot with `release_slot`.
    6. `Claude` calls `retire` when new workers take over, `refuse_turns` when the worker drains, and `close` last.

    All times are in seconds. Only the methods of steps 2 and 3 wait.
    """

    def __init__(self, settings: Settings, accounts: AccountStates | None = None) -> None:
        self.catalog = ModelCatalog(
            settings.claude_code_api_models_path, settings.default_model, settings.model_patterns
        )
        self.settings = settings
        self.accounts = accounts or load_states(settings)
        self.deadlines = Deadlines(settings.turn_timeout_seconds)
        self.chooser = AccountChooser(self.accounts, settings.account_strategy)
        self._launcher = Launcher(settings, self.accounts.accounts.values())
        self._slots = Slots(*slot_limits(settings))
        self._parked = ParkedConversations(self.end_conversation, lambda one: self._seats.is_current(one))
        self._budget = ProcessBudget(settings.max_processes, self._slots, self._parked)
        self._settled = Event()
        self._seats = Seats(self._make_seat, self.accounts, self._settled)
        self._recycling = Recycling(
            self._parked,
            lambda: self.settings.keep_seconds,
            self._may_prepare,
            self.end_conversation,
            self._budget.trim_parked,
        )
        self._habits = Habits(habit_seconds(settings))
        self._guard = make_guard(settings, list_living_pids, self._budget.give_up)
        self._budget.connect(self._seats, self._recycling, self._guard)
        self._watch = IdleWatch(self._parked, self._seats, self._guard)
        self._refusal: GatewayError | None = ClaudeUnavailable("The gateway is starting.", retry_after=1.0)
        self._is_retired = False
        self._opener: gevent.Greenlet[..., None] | None = None
        self._first_search_done = Event()

    def _make_seat(self, account: str) -> Seat:
        pool = WarmPool(
            partial(self._start_chat, account),
            self.catalog.merge,
            allows_start=partial(self._budget.allows_start, account),
            max_starting=count_cores(),
            settled=self._settled,
            **pool_numbers(self.settings, len(self.accounts.accounts)),
        )
        login = Login(
            partial(self._launcher.advise_login, account), partial(self.accounts.record_login, account)
        )
        preparation = Preparation(
            lambda: self.settings, pool, self._parked, self._may_prepare, self.end_conversation
        )
        return Seat(account, login, pool, preparation)

    # Life cycle

    def open(self) -> None:
        """Search for the CLI and fill the warm pool, in the background. Problems are logged."""
        total = find_total(self.settings.max_memory_mb) / 1e9
        log.info("up to %d claude processes in %.1f GB of memory", self.settings.max_processes, total)
        self._opener = gevent.spawn(self._open)
        self._watch.open()

    def apply(self, settings: Settings) -> None:
        """Take over changed settings. Running turns keep their slots; idle processes that are now too many end."""
        before, self.settings = self.settings, settings
        self.catalog.configure(settings.default_model, settings.model_patterns)
        self.deadlines.change(settings.turn_timeout_seconds)
        self._slots.resize(*slot_limits(settings))
        self._habits.window_seconds = habit_seconds(settings)
        self._parked.shorten(rest_seconds(before, settings))
        self._budget.resize(settings.max_processes)
        if not self._is_retired:
            self._seats.resize(pool_numbers(settings, len(self.accounts.accounts)))

    def await_ready(self) -> None:
        """Wait until the CLI was searched for and its models are known. Raises ClaudeUnavailable or ShuttingDown."""
        if self._opener is not None:
            self._first_search_done.wait(self.settings.start_timeout_seconds)
            if self._refusal is None:
                self._seats.settled.wait(self.settings.start_timeout_seconds)
        if self._refusal is not None:
            raise self._refusal

    def retire(self) -> None:
        """Keep no processes waiting, because new workers take over. Later turns get a process of their own."""
        self._is_retired = True
        self._slots.refuse_batches(ShuttingDown())
        self._parked.clear()
        for seat in self._seats:
            seat.pool.retire()

    def change_accounts(self, new: AccountStates) -> None:
        """Use another list of accounts from now on. Running turns go on with their accounts."""
        changed = self.accounts.replace(new)
        self._launcher.add_accounts(new.accounts.values())
        made = self._seats.replace(new.accounts, changed)
        if self._is_retired:
            self.retire()
            return
        self._seats.resize(pool_numbers(self.settings, len(new.accounts)))
        if self._refusal is None:  # otherwise `_open` opens them when the CLI was found
            gevent.spawn(self._open_seats, made)

    def refuse_turns(self, reason: GatewayError) -> None:
        """Let `await_ready` raise `reason` from now on, and turns of batches that wait for a slot."""
        self._refusal = reason
        self._slots.refuse_batches(reason)

    def close(self) -> None:
        """End all processes now."""
        self._watch.close()
        if self._opener is not None:
            self._opener.kill()
        self._parked.clear()
        self._seats.close()
        kill_all()
        wait_for_programs(PROGRAMS_SECONDS)

    # Slots and processes

    def acquire_slot(
        self, ticket: Ticket[bool], *, is_batch: bool = False, measure: Callable[[], int] = lambda: 0
    ) -> None:
        """Wait for permission to run a turn. Raises TooManyTurns, or the error of `ticket.cancel`.

        `measure` returns the size of the turn in bytes.
        """
        if is_batch:
            self._slots.acquire_spare(ticket)
        else:
            self._slots.acquire(ticket, measure)

    @property
    def has_spare_slot(self) -> bool:
        """True if a turn of a batch could start now, and it is not about to be cut off."""
        return self._may_prepare() and self._slots.has_spare

    def release_slot(self) -> None:
        """Return a slot when the turn has ended."""
        self._slots.release()

    def take_warm(
        self, ticket: Ticket[Process], digests: Sequence[bytes] = (), account: str = DEFAULT
    ) -> Process:
        """Take a generic process out of the account's warm pool; wait for one to start if the pool is empty.

        Raises ClaudeUnavailable, the error of `ticket.cancel`, or ParkedMeanwhile for a conversation with a digest.
        """
        with self._parked.awaited(digests, ticket):
            return self._seats[account].pool.take(ticket, self.settings.start_timeout_seconds)

    def suspect_hangs(self) -> None:
        """Check the warm processes, because one of them hung. They may have been stopped together."""
        for seat in self._seats:
            seat.pool.check_all()

    def has_warm(self, account: str = DEFAULT) -> bool:
        """Return True if `take_warm` would not have to wait."""
        return self._seats[account].pool.ready_count > 0

    def cache_ttl(self, account: str) -> str | None:
        """Return the lifetime of the CLI's own marks in a prompt; None for the API's default."""
        return self._launcher.cache_ttl(account)

    def start_agent(self, workspace: AgentWorkspace, account: str = DEFAULT) -> Process:
        """Start a process for a running turn that works in a project.

        If the budget is full, parked conversations and then warm processes make room. Raises OSError.
        """
        self._budget.make_room()
        return self._launcher.start_agent(workspace, account)

    def start_for_batch(self, account: str = DEFAULT) -> Process:
        """Start a generic process for a running turn of a batch: the warm pool is left to other turns.

        Raises ClaudeUnavailable.
        """
        self._budget.make_room()
        try:
            return self._launcher.start_chat(account)
        except OSError as error:
            raise ClaudeUnavailable("The Claude Code CLI does not start.") from error

    def _may_prepare(self) -> bool:
        return self._refusal is None and not self._is_retired and not self._guard.is_short

    def _start_chat(self, account: str) -> Process:
        self._budget.await_room()
        return self._launcher.start_chat(account)

    def take_parked(
        self, digests: Sequence[bytes], is_usable: Callable[[Conversation, int], bool]
    ) -> tuple[Conversation, int] | None:
        """Take the parked conversation that has come furthest, as `ParkedConversations.take` describes."""
        self._habits.note_turn(digests[-1])
        return self._parked.take(digests, is_usable)

    def park(self, digest: bytes, conversation: Conversation, shapes: Shapes = ()) -> None:
        """Park the conversation of a turn that is about to release its slot.

        `shapes` are the shapes of the turn, by which `Habits` judges if it will go on. If it will hardly do so, the
        process is recycled for another conversation. One that waits for tools is always kept.
        """
        conversation.process.forget_context()
        seconds = self.settings.tool_wait_seconds if conversation.is_waiting else self.settings.keep_seconds
        if shapes and not conversation.is_waiting:
            seconds = self._habits.keep_seconds(shapes, seconds)
            self._habits.note_end(shapes, digest)
        if seconds > 0 and not self._is_retired:
            self._parked.put(digest, conversation, seconds)
            self._budget.trim_parked(leaving=1)
        else:
            self.recycle(conversation)

    def recycle(self, conversation: Conversation) -> None:
        """Use the process of a conversation that is over for another one with the same set-up, or end it."""
        self._recycling.start(conversation, everything=True)

    def give_back(self, conversation: Conversation) -> None:
        """Take back the conversation of a turn that was stopped. It forgets the question, or it ends."""
        self._recycling.start(conversation, everything=False)

    def end_conversation(self, conversation: Conversation) -> None:
        """Kill a conversation's process without waiting for its end."""
        conversation.process.answer_request = refuse_request  # the conversation can be freed now
        end_process(conversation.process)
        for seat in self._seats:
            seat.pool.refill_later()

    def prepare_next(self, digest: bytes, turn: Turn, tuning: Tuning, account: str = DEFAULT) -> None:
        """Note that a conversation has begun, and perhaps prepare a process for the next one with the same set-up.

        `digest` covers the set-up alone. The process is prepared in the background.
        """
        self._seats[account].preparation.note_use(digest, turn, tuning)

    # Reports

    def record_success(self, account: str = DEFAULT, model_id: str = "") -> None:
        """Record that a turn was answered."""
        self._seats[account].login.record_success()
        self.chooser.record_success(account, model_id)

    def record_failure(
        self, error: GatewayError, account: str = DEFAULT, model_id: str = "", allowed: Sequence[str] = ()
    ) -> GatewayError:
        """Record that a turn failed, and return the error for the client. A refused login renews the warm processes.

        `allowed` are all accounts that may answer the turn.
        """
        seat = self._seats[account]
        if seat.login.needs_renewal(error):
            seat.pool.renew()
        if self._refusal is None:  # otherwise it may fail because the gateway stops
            error = self.chooser.record_failure(account, model_id, error, allowed)
        return seat.login.explain(error)

    def record_rate_limits(self, windows: Mapping[str, Window], account: str = DEFAULT) -> None:
        """Record the rate-limit windows that a turn was told."""
        self.accounts.record_windows(account, windows)

    @property
    def problem(self) -> str | None:
        """The reason why no turn can be answered, with advice for the operator. None if all is well."""
        return self._refusal.message if self._refusal is not None else self._seats.problem

    @property
    def start_problem(self) -> str | None:
        """The reason why CLI processes do not start. None if they do."""
        return problem.message if (problem := self._seats.start_problem) is not None else None

    def advise_login(self, account: str) -> str:
        """Return a sentence that says how to log in an account."""
        return self._launcher.advise_login(account)

    def status(self) -> dict[str, Any]:
        """Return the figures that `/health` and the metrics show."""
        return {
            "version": self._launcher.binary.version_text if self._launcher.binary else None,
            "logged_in": self._seats.is_logged_in,
            "accounts": self._seats.describe(self._parked.count_by_account()),
            "running": self._slots.used,
            "queued": self._slots.waiting,
            **self._parked.status(),
            **self._seats.status(),
            "processes": count_living(),
            "max_processes": self.settings.max_processes,
            "given_up": self._guard.given_up,
            "recycled": self._recycling.recycled,
        }

    # Opening

    def _open(self) -> None:
        while not self._find_binary():
            self._first_search_done.set()
            gevent.sleep(SEARCH_SECONDS)
        self._first_search_done.set()
        self._open_seats([*self._seats])

    def _open_seats(self, seats: Sequence[Seat]) -> None:
        for seat in seats:
            seat.pool.open()
        for seat in seats:
            with suppress(OSError):  # the pool logs the same error
                self.check_login(seat.account)

    def _find_binary(self) -> bool:
        try:
            self._launcher.find_binary()
        except ClaudeUnavailable as error:
            if self._refusal is None or self._refusal.message != error.message:
                log.error("%s", error.message)
            self._refusal = error
            return False
        self._refusal = None
        return True

    def check_login(self, account: str) -> bool | None:
        """Learn from a new process whether an account is logged in; None if it does not tell. Raises OSError."""
        seat, environ = self._seats[account], self._launcher.environs[account]
        result = seat.check_login(self._start_chat(account), environ, self.settings.start_timeout_seconds)
        self._seats.settled.set()  # with WARM_PROCESSES=0 the pool has not started a process yet
        if not result:
            return None
        self.catalog.merge(result.get("models", []))
        if seat.login.is_good:
            self.accounts.end_rests(account, reasons=("login", "start"))
        return seat.login.is_good

"""Count the tokens of turns, in few CLI processes.

Clients ask for many counts at once: the command `/context` of Claude Code sends two dozen requests. So equal counts
share one figure, also later, and at most `MAX_COUNTS` processes count at a time. A process that has counted is parked
and counts again (see `cli.counting`).
"""

import hashlib
import logging
from collections import Counter, OrderedDict
from typing import NamedTuple

from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore

from gateway.accounts.chooser import FAILURES
from gateway.claude.cli.counting import CountingConversation
from gateway.claude.cli.hangs import HangWatch
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded
from gateway.claude.cli.tuning import tune
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.errors import GatewayError, UpstreamError
from gateway.lenient_json import dumps
from gateway.turn import Turn

log = logging.getLogger(__name__)

MAX_COUNTS = 4
COUNT_FAILURES: tuple[type[GatewayError], ...] = (UpstreamError, *FAILURES)
WAIT_SECONDS = 1.0  # then look again, in case that the conversation that was waited for has failed
REMEMBERED_FIGURES = 4096


class TokenCount(NamedTuple):
    """The tokens of a turn, and the account whose process has counted them."""

    tokens: int
    account: str


class TokenCounts:
    """The figures of a worker. They are never shared between owners."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._places = BoundedSemaphore(MAX_COUNTS)
        self._figures: OrderedDict[bytes, TokenCount] = OrderedDict()
        self._running: dict[bytes, AsyncResult[TokenCount | None]] = {}
        self._counting: Counter[bytes] = Counter()  # conversations that count now, by their purpose
        self._returned = Event()

    def count(self, turn: Turn) -> TokenCount:
        """Return the tokens of everything that `turn` would send, by Anthropic's counter.

        The account is chosen as for an answer, and the next one counts if it cannot. A count takes no quota, so that
        accounts without quota can count, too. Raises ClaudeUnavailable, TooManyTurns or UpstreamError.
        """
        key = _digest(turn)
        if key in self._figures:
            self._figures.move_to_end(key)
            return self._figures[key]
        while key in self._running:
            figure = self._running[key].get()
            if figure is not None:
                return figure
        return self._count_once(key, turn)

    def _count_once(self, key: bytes, turn: Turn) -> TokenCount:
        """Count, and share the figure or the error. None tells those who wait that this request was killed."""
        result: AsyncResult[TokenCount | None] = AsyncResult()
        self._running[key] = result
        try:
            figure = self._figures[key] = self._count(turn)
            if len(self._figures) > REMEMBERED_FIGURES:
                self._figures.popitem(last=False)
            result.set(figure)
            return figure
        except Exception as error:
            result.set_exception(error)
            raise
        finally:
            del self._running[key]
            if not result.ready():
                result.set(None)

    def _count(self, turn: Turn) -> TokenCount:
        fleet = self._fleet
        with self._places:
            fleet.acquire_slot(Ticket[bool]())
            try:
                *others, last = fleet.chooser.order(turn.accounts, turn.resolved_model.id, takes_quota=False)
                for account in others:
                    try:
                        return self._count_at(account, turn)
                    except COUNT_FAILURES as error:
                        log.warning(
                            "account %s cannot count tokens, so another one is asked: %s", account, error
                        )
                return self._count_at(last, turn)
            finally:
                fleet.release_slot()

    def _count_at(self, account: str, turn: Turn) -> TokenCount:
        """Count with a process of an account. Raises UpstreamError, or one of FAILURES, which it records."""
        try:
            return TokenCount(self._count_with(self._take_conversation(turn, account), turn), account)
        except (ControlRefused, ControlTimeout, ProcessEnded) as error:
            raise UpstreamError("The Claude Code CLI could not count the tokens.") from error
        except FAILURES as error:
            raise self._fleet.record_failure(error, account, turn.resolved_model.id, turn.accounts) from error

    def _take_conversation(self, turn: Turn, account: str) -> CountingConversation:
        """Return a conversation that counts for this owner, model and account: a parked one, or else a new one.

        If no process is ready, wait for one that counts rather than for the start of another.
        """
        fleet, purpose = self._fleet, _purpose(turn, account)
        while True:
            parked = fleet.take_parked([purpose], lambda one, index: True)
            if parked is not None and isinstance(parked[0], CountingConversation):
                return parked[0]
            if fleet.has_warm(account) or not self._counting[purpose]:
                return self._start_conversation(turn, account)
            self._returned.clear()
            self._returned.wait(WAIT_SECONDS)

    def _count_with(self, conversation: CountingConversation, turn: Turn) -> int:
        purpose = _purpose(turn, conversation.process.account)
        self._counting[purpose] += 1
        try:
            return conversation.count(turn)
        finally:
            self._counting -= Counter([purpose])
            if conversation.is_clean:
                self._fleet.park(purpose, conversation)
            else:
                self._fleet.end_conversation(conversation)
            self._returned.set()

    def _start_conversation(self, turn: Turn, account: str) -> CountingConversation:
        fleet = self._fleet
        process = fleet.take_warm(Ticket[Process](), account=account)
        empty = Turn((), owner=turn.owner, model=turn.model)
        conversation = CountingConversation(process, empty, fleet.settings.tool_wait_seconds)
        try:
            with HangWatch(process):
                conversation.set_up(tune(empty, turn.resolved_model, is_seeded=False))
        except BaseException:
            fleet.end_conversation(conversation)
            raise
        return conversation


def _purpose(turn: Turn, account: str) -> bytes:
    """Return the digest of a conversation that counts for the turn's owner and model, with an account."""
    purpose = ["count", turn.owner, turn.resolved_model.id, account]
    return hashlib.blake2b(dumps(purpose), digest_size=16).digest()


def _digest(turn: Turn) -> bytes:
    """Return a digest of everything that is counted."""
    tools = [[tool.name, tool.description, tool.input_schema, tool.options] for tool in turn.tools]
    hosted = [tool.definition for tool in turn.hosted_tools]
    messages = [[message.role, message.content] for message in turn.messages]
    asked = [turn.owner, turn.resolved_model.id, *turn.accounts]
    counted = [asked, turn.system, tools, hosted, messages]
    return hashlib.blake2b(dumps(counted), digest_size=16).digest()

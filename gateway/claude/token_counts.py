"""Count the tokens of turns, in few CLI processes.

Clients ask for many counts at once: the command `/context` of Claude Code sends two dozen requests. So equal counts
share one figure, also later, and at most `MAX_COUNTS` processes count at a time. A process that has counted is parked
and counts again (see `cli.counting`).
"""

import hashlib
from collections import Counter, OrderedDict

from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore

from gateway.claude.cli.counting import CountingConversation
from gateway.claude.cli.hangs import HangWatch
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, ProcessEnded
from gateway.claude.cli.tuning import tune
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.wait_queue import Ticket
from gateway.errors import UpstreamError
from gateway.lenient_json import dumps
from gateway.turn import Turn

MAX_COUNTS = 4
WAIT_SECONDS = 1.0  # then look again, in case that the conversation that was waited for has failed
REMEMBERED_FIGURES = 4096


class TokenCounts:
    """The figures of a worker. They are never shared between owners."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._places = BoundedSemaphore(MAX_COUNTS)
        self._figures: OrderedDict[bytes, int] = OrderedDict()
        self._running: dict[bytes, AsyncResult[int | None]] = {}
        self._counting: Counter[bytes] = Counter()  # conversations that count now, by their purpose
        self._returned = Event()

    def count(self, turn: Turn) -> int:
        """Return the tokens of everything that `turn` would send, by Anthropic's counter.

        Raises ClaudeUnavailable, TooManyTurns or UpstreamError.
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

    def _count_once(self, key: bytes, turn: Turn) -> int:
        """Count, and share the figure or the error. None tells those who wait that this request was killed."""
        result: AsyncResult[int | None] = AsyncResult()
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

    def _count(self, turn: Turn) -> int:
        fleet = self._fleet
        with self._places:
            fleet.acquire_slot(Ticket[bool]())
            try:
                return self._count_with(self._take_conversation(turn), turn)
            except (ControlRefused, ControlTimeout, ProcessEnded) as error:
                raise UpstreamError("The Claude Code CLI could not count the tokens.") from error
            finally:
                fleet.release_slot()

    def _take_conversation(self, turn: Turn) -> CountingConversation:
        """Return a conversation that counts for this owner and model: a parked one, or else a new one.

        If no process is ready, wait for one that counts rather than for the start of another.
        """
        fleet, purpose = self._fleet, _purpose(turn)
        while True:
            parked = fleet.take_parked([purpose], lambda one, index: one.process.account in turn.accounts)
            if parked is not None and isinstance(parked[0], CountingConversation):
                return parked[0]
            if fleet.has_warm(_account(turn)) or not self._counting[purpose]:
                return self._start_conversation(turn)
            self._returned.clear()
            self._returned.wait(WAIT_SECONDS)

    def _count_with(self, conversation: CountingConversation, turn: Turn) -> int:
        purpose = _purpose(turn)
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

    def _start_conversation(self, turn: Turn) -> CountingConversation:
        fleet = self._fleet
        process = fleet.take_warm(Ticket[Process](), account=_account(turn))
        empty = Turn((), owner=turn.owner, model=turn.model)
        conversation = CountingConversation(process, empty, fleet.settings.tool_wait_seconds)
        try:
            with HangWatch(process):
                conversation.set_up(tune(empty, turn.resolved_model, is_seeded=False))
        except BaseException:
            fleet.end_conversation(conversation)
            raise
        return conversation


def _account(turn: Turn) -> str:
    """Return the account that counts. A count uses no quota, so the first one will do, even if it rests."""
    return turn.accounts[0]


def _purpose(turn: Turn) -> bytes:
    """Return the digest of a conversation that counts for the turn's owner and model."""
    return hashlib.blake2b(dumps(["count", turn.owner, turn.resolved_model.id]), digest_size=16).digest()


def _digest(turn: Turn) -> bytes:
    """Return a digest of everything that is counted."""
    tools = [[tool.name, tool.description, tool.input_schema, tool.options] for tool in turn.tools]
    hosted = [tool.definition for tool in turn.hosted_tools]
    messages = [[message.role, message.content] for message in turn.messages]
    counted = [_purpose(turn).hex(), turn.system, tools, hosted, messages]
    return hashlib.blake2b(dumps(counted), digest_size=16).digest()

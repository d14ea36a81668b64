"""Processes that are set up before the next conversation with a known set-up begins.

For example, after a conversation has begun:

    preparation.note_use(digest, turn, tuning)    # the second one within KEEP_SECONDS prepares a process
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import gevent

from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.hangs import HangWatch
from gateway.claude.cli.process import ProcessEnded
from gateway.claude.cli.tuning import Tuning
from gateway.claude.fleet.parked import ParkedConversations
from gateway.claude.fleet.warm_pool import WarmPool
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.turn import Turn

log = logging.getLogger(__name__)

REMEMBERED_SETUPS = 64
PREPARE_SECONDS = 0.5  # let the conversation that has just begun start first
PREPARE_TRIES = 10


class Preparation:
    """Sets up warm processes in the background and parks them under the digest of the set-up.

    `settings` returns the settings in force. `may_prepare` is called before. `end_conversation` ends a process that
    could not be set up.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        pool: WarmPool,
        parked: ParkedConversations,
        may_prepare: Callable[[], bool],
        end_conversation: Callable[[Conversation], None],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._parked = parked
        self._may_prepare = may_prepare
        self._end_conversation = end_conversation
        self._used_at: OrderedDict[bytes, float] = OrderedDict()

    def note_use(self, digest: bytes, turn: Turn, tuning: Tuning) -> None:
        """Note that a conversation has begun. `digest` covers its set-up alone.

        If the set-up was used a short time ago, a process that had been prepared then would have been used now. So
        prepare one for the next conversation.
        """
        now = time.monotonic()
        used_at = self._used_at.pop(digest, None)
        self._used_at[digest] = now
        if len(self._used_at) > REMEMBERED_SETUPS:
            self._used_at.popitem(last=False)
        if used_at is not None and now - used_at < self._settings().keep_seconds:
            setup = replace(turn, messages=())
            gevent.spawn_later(PREPARE_SECONDS, self._prepare, digest, setup, tuning, PREPARE_TRIES)

    def _prepare(self, digest: bytes, setup: Turn, tuning: Tuning, tries: int) -> None:
        """Set up a warm process and park it. Try again later if the pool has none to spare."""
        if digest in self._parked or not self._may_prepare():
            return
        process = None if self._pool.waiting_count else self._pool.take_ready()
        if process is None:
            if tries > 1:
                gevent.spawn_later(PREPARE_SECONDS, self._prepare, digest, setup, tuning, tries - 1)
            return
        conversation = Conversation(process, setup, self._settings().tool_wait_seconds, digest)
        try:
            with HangWatch(process):
                conversation.set_up(tuning)
        except (GatewayError, ProcessEnded) as error:
            log.warning("a process could not be prepared: %s", error)
            self._end_conversation(conversation)
        else:
            self._parked.put(digest, conversation, self._settings().keep_seconds)
        self._pool.refill_later()

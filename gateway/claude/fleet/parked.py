"""Parked conversations: processes that wait for the next turn of their conversation.

A parked conversation is found by the digest of its state (see `digests`). There are three kinds: conversations between
two turns, conversations that wait for tool results, and prepared ones, which are set up but have no message yet.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import Process
from gateway.claude.cli.spawn import describe_exit
from gateway.claude.fleet.wait_queue import Ticket

log = logging.getLogger(__name__)


class ParkedMeanwhile(Exception):
    """A conversation was parked that the waiting turn may be able to continue."""


class ParkedConversations:
    """The parked conversations of a worker.

    `end_conversation` is called for each conversation that expires, dies or is evicted. A conversation that was taken
    belongs to the caller.
    """

    def __init__(
        self,
        end_conversation: Callable[[Conversation], None],
        is_current: Callable[[Process], bool] = lambda process: True,
    ) -> None:
        self.hits = 0
        self._end_conversation = end_conversation
        self._is_current = is_current
        # With its digest, and the time at which it expires.
        self._conversations: dict[Conversation, tuple[bytes, float]] = {}
        self._by_digest: dict[bytes, list[Conversation]] = {}
        self._awaiting: dict[Ticket[Any], Sequence[bytes]] = {}

    def __len__(self) -> int:
        return len(self._conversations)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._by_digest

    def status(self) -> dict[str, int]:
        """Return the figures that `/health` shows.

        `waiting_for_tools` counts conversations that wait for the results of tool calls, and `prepared` those that are
        set up and wait for their first message.
        """
        return {
            "kept": len(self._conversations),
            "waiting_for_tools": sum(one.is_waiting for one in self._conversations),
            "prepared": sum(one.is_new for one in self._conversations),
            "kept_hits": self.hits,
        }

    def count_by_account(self) -> Counter[str]:
        """Return the number of parked conversations of each account."""
        return Counter(one.process.account for one in self._conversations)

    def put(self, digest: bytes, conversation: Conversation, seconds: float) -> None:
        """Park a conversation whose state is `digest` for up to `seconds`."""
        self._conversations[conversation] = (digest, time.monotonic() + seconds)
        self._by_digest.setdefault(digest, []).append(conversation)
        for ticket, digests in self._awaiting.items():
            if digest in digests and not ticket.is_settled:
                ticket.cancel(ParkedMeanwhile())
                return

    @contextmanager
    def awaited(self, digests: Sequence[bytes], ticket: Ticket[Any]) -> Iterator[None]:
        """Cancel the ticket with ParkedMeanwhile if a conversation with one of the digests is parked in the block."""
        self._awaiting[ticket] = digests
        try:
            yield
        finally:
            del self._awaiting[ticket]

    def take(
        self, digests: Sequence[bytes], is_usable: Callable[[Conversation, int], bool]
    ) -> tuple[Conversation, int] | None:
        """Take the conversation that has come furthest, and return it with the index of its digest.

        `is_usable` is called with each candidate and its index, furthest and most used first, and may decline it.
        Candidates whose process has died or is out of date are ended.
        """
        for index in range(len(digests) - 1, -1, -1):
            found = self._by_digest.get(digests[index], ())
            for conversation in sorted(found, key=lambda one: one.uses, reverse=True):
                if not conversation.process.is_alive or not self._is_current(conversation.process):
                    self._end(conversation)
                elif is_usable(conversation, index):
                    self._remove(conversation)
                    self.hits += 1
                    return conversation, index
        return None

    def evict(self) -> bool:
        """End the least valuable conversation. Return False if no conversation is parked.

        A prepared process that was never used saves little. Of the others, the next one to expire is the least likely
        to be asked for.
        """
        if not self._conversations:
            return False
        self._end(min(self._conversations, key=lambda one: (bool(one.uses), self._conversations[one][1])))
        return True

    def end_lost(self) -> None:
        """End the conversations that have expired, or whose process has died or is out of date. Called often."""
        now = time.monotonic()
        for conversation, (_, expires_at) in list(self._conversations.items()):
            if not conversation.process.is_alive:
                reason = describe_exit(conversation.process.returncode)
                log.warning("the process of a parked conversation was lost: %s", reason)
                self._end(conversation)
            elif expires_at <= now or not self._is_current(conversation.process):
                self._end(conversation)

    def shorten(self, seconds: float) -> None:
        """Let idle conversations expire within `seconds`. Those that wait for tools are left alone."""
        latest = time.monotonic() + seconds
        for conversation, (digest, expires_at) in self._conversations.items():
            if not conversation.is_waiting:
                self._conversations[conversation] = (digest, min(expires_at, latest))

    def clear(self) -> None:
        """End all conversations."""
        while self.evict():
            pass

    def _end(self, conversation: Conversation) -> None:
        self._remove(conversation)
        self._end_conversation(conversation)

    def _remove(self, conversation: Conversation) -> None:
        digest, _ = self._conversations.pop(conversation)
        same = self._by_digest[digest]
        same.remove(conversation)
        if not same:
            del self._by_digest[digest]

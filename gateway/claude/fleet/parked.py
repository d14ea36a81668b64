"""Processes that stay with their conversation, found again by its digest.

Besides conversations between two turns these are ones that wait for the results of tools, and ones that are set up
already but have no message yet.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import gevent

from gateway.claude.cli.conversation import Conversation


class ParkedConversations:
    """Conversations between two requests, the least recently used first.

    `drop` ends a conversation's process. Whatever is taken belongs to the taker.
    """

    def __init__(self, drop: Callable[[Conversation], None]) -> None:
        self.hits = 0
        self._drop = drop
        self._conversations: OrderedDict[Conversation, tuple[bytes, gevent.Greenlet[..., None]]] = (
            OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._conversations)

    def __contains__(self, digest: bytes) -> bool:
        return any(digest == known for known, _ in self._conversations.values())

    @property
    def waiting_for_tools(self) -> int:
        """How many wait for the results of tool calls."""
        return sum(conversation.is_waiting for conversation in self._conversations)

    @property
    def prepared(self) -> int:
        """How many are set up and wait for their first message."""
        return sum(conversation.is_new for conversation in self._conversations)

    def put(self, digest: bytes, conversation: Conversation, seconds: float) -> None:
        """Keep a conversation that stands at `digest` for up to `seconds`."""
        timer = gevent.spawn_later(seconds, self._expire, conversation)
        self._conversations[conversation] = (digest, timer)

    def take(
        self, digests: Sequence[bytes], accept: Callable[[Conversation, int], bool]
    ) -> tuple[Conversation, int] | None:
        """The conversation that stands at the last of `digests` that is kept, and that digest's index.

        `accept` may decline one. Dead processes are dropped on the way.
        """
        where = {digest: index for index, digest in enumerate(digests)}
        found = [
            (where[digest], conversation)
            for conversation, (digest, _) in self._conversations.items()
            if digest in where
        ]
        for index, conversation in sorted(found, key=lambda pair: pair[0], reverse=True):
            if not conversation.process.alive:
                self._expire(conversation)
            elif accept(conversation, index):
                self._remove(conversation)
                self.hits += 1
                return conversation, index
        return None

    def evict(self) -> bool:
        """Drop the least recently used one; False when there is none."""
        if not self._conversations:
            return False
        self._expire(next(iter(self._conversations)))
        return True

    def clear(self) -> None:
        """Drop all."""
        while self.evict():
            pass

    def _expire(self, conversation: Conversation) -> None:
        self._remove(conversation)
        self._drop(conversation)

    def _remove(self, conversation: Conversation) -> None:
        _, timer = self._conversations.pop(conversation)
        if timer is not gevent.getcurrent():
            timer.kill(block=False)

"""Processes that stay with their conversation, found again by its digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import gevent

from gateway.claude.conversation import Conversation


class Kept:
    """Conversations between two requests, the least recently used first.

    At most `limit` are kept; `drop` ends a conversation's process. Whatever is taken belongs to the taker.
    """

    def __init__(self, limit: int, drop: Callable[[Conversation], None]) -> None:
        self._limit = limit
        self._drop = drop
        self._conversations: OrderedDict[Conversation, tuple[bytes, gevent.Greenlet[..., None]]] = (
            OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._conversations)

    def put(self, digest: bytes, conversation: Conversation, seconds: float) -> None:
        """Keep a conversation that stands at `digest` for up to `seconds`."""
        timer = gevent.spawn_later(seconds, self._expire, conversation)
        self._conversations[conversation] = (digest, timer)
        while len(self._conversations) > self._limit:
            self._expire(next(iter(self._conversations)))

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
                return conversation, index
        return None

    def clear(self) -> None:
        """Drop all."""
        for conversation in list(self._conversations):
            self._expire(conversation)

    def _expire(self, conversation: Conversation) -> None:
        self._remove(conversation)
        self._drop(conversation)

    def _remove(self, conversation: Conversation) -> None:
        _, timer = self._conversations.pop(conversation)
        if timer is not gevent.getcurrent():
            timer.kill(block=False)

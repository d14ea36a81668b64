"""Parked conversations: processes that wait for the next turn of their conversation.

A parked conversation is found by the digest of its state (see `digests`). There are three kinds: conversations between
two turns, conversations that wait for tool results, and prepared ones, which are set up but have no message yet.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

import gevent

from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.spawn import describe_exit

log = logging.getLogger(__name__)


class ParkedConversations:
    """The parked conversations of a worker, least recently used first.

    `end_conversation` is called for each conversation that expires or is evicted. A conversation that was taken belongs
    to the caller.
    """

    def __init__(self, end_conversation: Callable[[Conversation], None]) -> None:
        self.hits = 0
        self._end_conversation = end_conversation
        self._conversations: OrderedDict[Conversation, tuple[bytes, gevent.Greenlet[..., None]]] = (
            OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._conversations)

    def __contains__(self, digest: bytes) -> bool:
        return any(digest == known for known, _ in self._conversations.values())

    @property
    def waiting_for_tools(self) -> int:
        """The number of conversations that wait for the results of tool calls."""
        return sum(conversation.is_waiting for conversation in self._conversations)

    @property
    def prepared(self) -> int:
        """The number of conversations that are set up and wait for their first message."""
        return sum(conversation.is_new for conversation in self._conversations)

    def put(self, digest: bytes, conversation: Conversation, seconds: float) -> None:
        """Park a conversation whose state is `digest` for up to `seconds`."""
        timer = gevent.spawn_later(seconds, self._expire, conversation)
        self._conversations[conversation] = (digest, timer)

    def take(
        self, digests: Sequence[bytes], is_usable: Callable[[Conversation, int], bool]
    ) -> tuple[Conversation, int] | None:
        """Take the conversation that has come furthest, and return it with the index of its digest.

        `is_usable` is called with each candidate and its index, furthest first, and may decline it. Candidates whose
        process has died are ended.
        """
        positions = {digest: index for index, digest in enumerate(digests)}
        candidates = [
            (positions[digest], conversation)
            for conversation, (digest, _) in self._conversations.items()
            if digest in positions
        ]
        for index, conversation in sorted(candidates, key=lambda pair: pair[0], reverse=True):
            if not conversation.process.is_alive:
                self._expire(conversation)
            elif is_usable(conversation, index):
                self._remove(conversation)
                self.hits += 1
                return conversation, index
        return None

    def evict(self) -> bool:
        """End the least recently used conversation. Return False if no conversation is parked."""
        if not self._conversations:
            return False
        self._expire(next(iter(self._conversations)))
        return True

    def drop_dead(self) -> None:
        """End the conversations whose process has died. The fleet calls this often."""
        for conversation in [one for one in self._conversations if not one.process.is_alive]:
            log.warning(
                "the process of a parked conversation was lost: %s",
                describe_exit(conversation.process.returncode),
            )
            self._expire(conversation)

    def clear(self) -> None:
        """End all conversations."""
        while self.evict():
            pass

    def _expire(self, conversation: Conversation) -> None:
        self._remove(conversation)
        self._end_conversation(conversation)

    def _remove(self, conversation: Conversation) -> None:
        _, timer = self._conversations.pop(conversation)
        if timer is not gevent.getcurrent():
            timer.kill(block=False)

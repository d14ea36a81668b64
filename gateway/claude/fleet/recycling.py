"""Processes whose turn is over, and that forget it to serve another one.

A client may leave in the middle of an answer, as completion in an editor does all the time, and titles are asked for
once. In both cases the process is made fit for the next turn of the same client, instead of ending:

    recycling.start(conversation, everything=True)     # it will be a prepared process for its set-up
    recycling.start(conversation, everything=False)    # it will be where it was before its last question
"""

import logging
from collections.abc import Callable

import gevent

from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import ProcessEnded
from gateway.claude.fleet.parked import ParkedConversations

log = logging.getLogger(__name__)

MAX_USES = 200  # of one process


class Recycling:
    """Recycles conversations in the background, and parks them for `keep_seconds()`.

    `may_park` is called at the end. `end_conversation` is called for each that cannot be recycled, and `on_parked`
    after each of the others.
    """

    def __init__(
        self,
        parked: ParkedConversations,
        keep_seconds: Callable[[], float],
        may_park: Callable[[], bool],
        end_conversation: Callable[[Conversation], None],
        on_parked: Callable[[], None],
    ) -> None:
        self.count = 0
        self.recycled = 0
        self._parked = parked
        self._keep_seconds = keep_seconds
        self._may_park = may_park
        self._end_conversation = end_conversation
        self._on_parked = on_parked

    def start(self, conversation: Conversation, *, everything: bool) -> None:
        """Let a conversation forget its last question, or `everything`. End it if that is not possible."""
        if (
            self._keep_seconds() > 0
            and conversation.can_forget
            and conversation.uses < MAX_USES
            and self._may_park()
        ):
            self.count += 1
            gevent.spawn(self._recycle, conversation, everything)
        else:
            self._end_conversation(conversation)

    def _recycle(self, conversation: Conversation, everything: bool) -> None:
        has_forgotten = False
        try:
            has_forgotten = conversation.forget(everything=everything)
        except ProcessEnded as error:
            log.info("a process could not be used again: %s", error)
        finally:  # also after an unexpected error: no process may be left without an owner
            self.count -= 1
            if has_forgotten and self._may_park():
                self.recycled += 1
                self._parked.put(conversation.state, conversation, self._keep_seconds())
                self._on_parked()
            else:
                self._end_conversation(conversation)

"""Answers in stored conversations: only one at a time can be written in each conversation.

An answer claims its conversation before it begins. It gives the claim up together with adding its items, or when it is
closed. Until then, a LeaseKeeper renews the claim.
"""

import logging
from collections.abc import Iterator, Mapping

from gateway.answering.caller import Caller
from gateway.answering.metering import AnswerStream
from gateway.answering.services import Services
from gateway.dialects.common.json_types import Item
from gateway.errors import GatewayError, StoreError
from gateway.turn import Batch

log = logging.getLogger(__name__)


class Claim:
    """The right of the answer `holder` to add to a stored conversation, which it has had at `version`.

    Raises ConversationLocked, ConversationNotFound and StoreError.
    """

    def __init__(
        self, conversation_id: str, version: int, holder: str, caller: Caller, services: Services
    ) -> None:
        self._conversation_id = conversation_id
        self._holder = holder
        self._owner_id = caller.owner_id
        self._conversations = services.conversations
        self._leases = services.conversation_leases
        self._is_held = True
        self._conversations.claim(self._owner_id, conversation_id, holder, version)
        self._leases.add(holder)

    def append(self, items: Mapping[str, Item]) -> bool:
        """Add items, by their ids, and give the claim up. Return False if they could not be added."""
        try:
            was_added = self._conversations.append(self._owner_id, self._conversation_id, self._holder, items)
        except StoreError:  # logged by the store; `release` follows when the answer is closed
            return False
        self._is_held = False
        self._leases.remove(self._holder)
        return was_added

    def release(self) -> None:
        """Give the claim up without adding anything. Releasing again has no effect."""
        if not self._is_held:
            return
        self._is_held = False
        self._leases.remove(self._holder)
        try:
            self._conversations.release(self._holder)
        except StoreError:
            log.warning("a conversation stays locked until its lease expires")


class ClaimedAnswer:
    """An answer that releases its claim when it is closed. `claim` is None if it needs none."""

    def __init__(self, answer: AnswerStream, claim: Claim | None) -> None:
        self.record = answer.record
        self.claim = claim
        self._answer = answer

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        return iter(self._answer)

    def stop(self, reason: GatewayError) -> None:
        """End the answer from outside."""
        self._answer.stop(reason)

    def fail(self, error: GatewayError) -> None:
        """Record the error that ended the answer."""
        self._answer.fail(error)

    def close(self) -> None:
        """Free everything."""
        self._answer.close()
        if self.claim is not None:
            self.claim.release()


def claim_or_close(
    answer: AnswerStream, conversation_id: str, version: int, holder: str, caller: Caller, services: Services
) -> Claim:
    """Return the claim of an answer that has not begun. Close it if the claim fails. Raises what `Claim` does."""
    try:
        return Claim(conversation_id, version, holder, caller, services)
    except GatewayError:
        answer.close()
        raise

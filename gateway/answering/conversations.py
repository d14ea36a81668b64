"""Conversations of `/v1/conversations`: creating them, adding items, and answering in them.

A response with `conversation` gets the items of the conversation before its input. When it is complete, its input and
its output are added to the conversation. A response that fails, or whose client leaves, adds nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.answering.caller import Caller
from gateway.answering.claims import Claim, ClaimedAnswer, claim_or_close
from gateway.answering.connection_memory import ConnectionMemory
from gateway.answering.metering import AnswerStream
from gateway.answering.services import Services
from gateway.answering.stored_responses import CONTINUABLE, PREVIOUS, find_earlier_items, find_items
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.json_types import Body, Item
from gateway.dialects.responses.builder import OnEnd
from gateway.dialects.responses.items import by_id, complete_items
from gateway.errors import ConversationNotFound, InvalidRequest, NotServed
from gateway.settings import Settings
from gateway.store.conversations import MAX_ITEMS, LoadedConversation, StoredConversation

FIELD = "conversation"


@dataclass(frozen=True, slots=True)
class Context:
    """The items before a request's input, and the conversation that they come from, if any."""

    items: Sequence[Item]
    conversation: LoadedConversation | None = None


def create_conversation(body: Body, caller: Caller, services: Services) -> StoredConversation:
    """Create a conversation with its first items. Raises NotServed if the gateway stores nothing."""
    _require_storage(services.settings)
    items = _read_items(body.get("items") or [], caller, services)
    conversation_id = f"conv_{secrets.token_hex(16)}"
    stored = {"metadata": body.get("metadata") or {}}
    return services.conversations.add(caller.owner_id, conversation_id, stored, by_id(items))


def add_items(
    conversation_id: str, given: Sequence[Item], caller: Caller, services: Services
) -> Sequence[Item]:
    """Add items to a conversation, and return them. Raises what `Conversations.add_items` raises."""
    items = by_id(_read_items(given, caller, services))
    services.conversations.add_items(caller.owner_id, conversation_id, items)
    return list(items.values())


def find_context(
    body: Body, caller: Caller, services: Services, memory: ConnectionMemory | None = None
) -> Context:
    """Return the items that a request continues, of a conversation or of previous responses.

    Raises InvalidRequest, ConversationNotFound, ConversationLocked, or NotServed if the gateway stores nothing.
    """
    conversation_id = _read_conversation_id(body)
    if conversation_id is None:
        return Context(find_earlier_items(body, caller, services, memory))
    if body.get("generate") is False:
        raise invalid_field(FIELD, "It cannot be combined with `generate: false`, which adds nothing.")
    if body.get(PREVIOUS):
        raise invalid_field(FIELD, f"It cannot be combined with `{PREVIOUS}`.")
    _require_storage(services.settings)
    try:
        conversation = services.conversations.load(caller.owner_id, conversation_id)
    except ConversationNotFound as error:
        raise ConversationNotFound(error.message, param=FIELD) from error
    if len(conversation.items) >= MAX_ITEMS:
        raise InvalidRequest(f"The conversation is full: it has {MAX_ITEMS} items.", param=FIELD)
    return Context(conversation.items, conversation)


def join_conversation(
    answer: AnswerStream, context: Context, response_id: str, caller: Caller, services: Services
) -> ClaimedAnswer:
    """Return an answer in the conversation of `context`; no other answer can be written there until it ends.

    Raises ConversationLocked or ConversationNotFound; `answer` is closed then.
    """
    conversation = context.conversation
    if conversation is None:
        return ClaimedAnswer(answer, None)
    claim = claim_or_close(answer, conversation.id, conversation.version, response_id, caller, services)
    return ClaimedAnswer(answer, claim)


def add_at_end(claim: Claim | None, inputs: Sequence[Item], then: OnEnd = lambda _: None) -> OnEnd:
    """Return the function that adds a response that is over to its conversation, and then calls `then`.

    If that fails, the response says that it is in no conversation.
    """

    def add(response: Body) -> None:
        if claim is not None and response["status"] in CONTINUABLE:
            was_added = claim.append(by_id([*inputs, *response["output"]]))
            response |= {} if was_added else {FIELD: None}
        then(response)

    return add


def conversation_field(context: Context) -> Body:
    """Return the field of a response that names its conversation."""
    return {FIELD: {"id": context.conversation.id} if context.conversation else None}


def _read_conversation_id(body: Body) -> str | None:
    given = body.get(FIELD)
    conversation_id = given.get("id") if isinstance(given, dict) else given
    if given in (None, ""):
        return None
    if not isinstance(conversation_id, str) or not conversation_id:
        raise invalid_field(FIELD, "Expected the id of a conversation, or an object with its `id`.")
    return conversation_id


def _read_items(given: Sequence[Item], caller: Caller, services: Services) -> list[Item]:
    return complete_items(find_items(list(given), "items", caller, services))


def _require_storage(settings: Settings) -> None:
    if not settings.store_responses:
        problem = "This gateway stores no conversations. Send all items in the `input` of each response."
        raise NotServed(problem, should_retry=False)

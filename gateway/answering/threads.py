"""Threads of the Messages API: finding the messages that the gateway holds, and adding the new ones and the answer.

A thread is a stored conversation (`store/conversations.py`) whose id no client knows: clients name the last answer.
"""

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.answering.caller import Caller
from gateway.answering.claims import Claim, ClaimedAnswer, claim_or_close
from gateway.answering.metering import AnswerStream
from gateway.answering.services import Services
from gateway.dialects.common.field_errors import quote
from gateway.dialects.common.json_types import Body
from gateway.dialects.messages.answers import Collector
from gateway.dialects.messages.threads import continue_body, fixed_fields, number_messages, read_thread
from gateway.errors import (
    ConversationLocked,
    ConversationNotFound,
    StoreError,
    ThreadNotFound,
    ThreadRejected,
)
from gateway.store.conversations import MAX_ITEMS
from gateway.turn import Batch, Done

log = logging.getLogger(__name__)

PREVIOUS = "thread.previous_message_id"


@dataclass(frozen=True, slots=True)
class Thread:
    """The thread of a request. `body` is the request with everything that the thread holds.

    `held` counts the messages that the gateway has added in front. `id` is None if the request has no thread, and
    `version` is None if the thread is new.
    """

    body: Body
    id: str | None = None
    held: int = 0
    version: int | None = None


def open_thread(body: Body, caller: Caller, services: Services) -> Thread:
    """Return the thread that a request creates or continues. Raises InvalidRequest, ThreadRejected, ThreadNotFound."""
    wanted = read_thread(body)
    if wanted is None:
        return Thread(body)
    if not services.settings.store_responses:
        raise ThreadRejected(
            "This gateway stores no conversations. Send the whole conversation without `thread`."
        )
    if wanted.previous_id is None:
        return Thread(body, f"thread_{secrets.token_hex(16)}")
    return _continue_thread(body, wanted.previous_id, caller, services)


def _continue_thread(body: Body, previous_id: str, caller: Caller, services: Services) -> Thread:
    found = services.conversations.find_by_item(caller.owner_id, previous_id)
    if found is None:
        raise _not_found(previous_id)
    thread_id, is_last = found
    if not is_last:
        problem = "This answer was continued before. Continue from the last answer, or create a new thread."
        raise ThreadRejected(problem, param=PREVIOUS, code="thread_already_continued")
    try:
        held = services.conversations.load(caller.owner_id, thread_id)
    except ConversationNotFound as error:
        raise _not_found(previous_id) from error
    except ConversationLocked as error:
        raise _in_flight() from error
    if len(held.items) + len(body["messages"]) >= MAX_ITEMS:
        raise ThreadRejected(f"A thread can have at most {MAX_ITEMS} messages.")
    merged = continue_body(body, held.body, list(held.items))
    return Thread(merged, thread_id, len(held.items), held.version)


def join_thread(
    answer: AnswerStream, thread: Thread, answer_id: str, reply: Collector, caller: Caller, services: Services
) -> AnswerStream:
    """Return an answer that the thread gets at its end, or `answer` itself if there is no thread.

    `reply` collects the answer as the client gets it. Until its end, no other answer can continue the thread. Raises
    ThreadRejected; `answer` is closed then.
    """
    if thread.id is None:
        return answer
    claim = None
    if thread.version is not None:
        try:
            claim = claim_or_close(answer, thread.id, thread.version, answer_id, caller, services)
        except (ConversationLocked, ConversationNotFound) as error:
            raise _in_flight() from error

    def store() -> None:
        messages = number_messages(thread.body["messages"][thread.held :], answer_id, reply.body())
        if claim is not None:
            claim.append(messages)
        elif thread.id is not None:
            services.conversations.add(caller.owner_id, thread.id, fixed_fields(thread.body), messages)

    return ThreadAnswer(answer, claim, reply, store)


class ThreadAnswer(ClaimedAnswer):
    """An answer in a thread. A complete answer is stored before its last batch is handed out."""

    def __init__(
        self, answer: AnswerStream, claim: Claim | None, reply: Collector, store: Callable[[], None]
    ) -> None:
        super().__init__(answer, claim)
        self._reply = reply
        self._store = store

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        for index, batch in self._answer:
            self._reply.add(batch, index)
            if isinstance(batch[-1], Done):
                self._store_answer()
            yield index, batch

    def _store_answer(self) -> None:
        """Store the answer. Without it, the client gets `thread_not_found` and sends the conversation again."""
        try:
            self._store()
        except StoreError:
            log.warning("an answer could not be added to its thread")


def _not_found(previous_id: str) -> ThreadNotFound:
    problem = f"There is no thread with the message {quote(previous_id)}. Send the conversation again with"
    return ThreadNotFound(f'{problem} `thread: {{"type": "create"}}`.', param=PREVIOUS)


def _in_flight() -> ThreadRejected:
    problem = "Another request is continuing this answer. Wait for its end, or create a new thread."
    return ThreadRejected(problem, param=PREVIOUS, code="thread_continue_in_flight")

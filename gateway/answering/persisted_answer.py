"""An answer in a session: the claim is renewed while it runs, and the session is updated at its end.

A session stores what its client has seen. A failed answer stores nothing, so that the client can send the same message
again. A stream that was stopped, or that its client left, stores the question and the text that was sent.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gevent
from gevent.lock import RLock

from gateway.answering.late_endings import LateEndings
from gateway.answering.metering import AnswerStream
from gateway.dialects.chat.answers import ChoiceCollector
from gateway.dialects.chat.cursor import PlainBody
from gateway.dialects.chat.replay import Continuation
from gateway.dialects.chat.request import ChatRequest
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import GatewayError, StoreError, TurnStopped
from gateway.store.lease_keeper import LeaseKeeper
from gateway.store.projects import ProjectRecord
from gateway.store.sessions import SessionClaims, SessionRecord, StoredMessage, TurnResult
from gateway.turn import Batch, Done, Started, Usage, sum_usage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimedTurn:
    """A turn that may run in a session, with everything that the session adds to the request.

    `plain` is the chat body with the session's defaults, `continuation` how it continues the stored messages (None if
    the session stores none). `is_claimed` is False for a new session: it is inserted in the background, once its
    answer has begun.
    """

    id: str
    session: SessionRecord
    is_claimed: bool
    plain: PlainBody
    project: ProjectRecord | None = None
    stored: tuple[StoredMessage, ...] = ()
    continuation: Continuation | None = None

    @property
    def history(self) -> list[dict[str, Any]]:
        """Return the chat messages that go before the messages of the request."""
        return self.continuation.history if self.continuation else []


class PersistedAnswer:
    """The answer of a session's turn: its claim is renewed while it runs, and the session is updated at its end.

    A complete answer is stored before its last batch is handed out, because the client may send its next turn at once.
    """

    def __init__(
        self,
        answer: AnswerStream,
        claimed: ClaimedTurn,
        request: ChatRequest,
        claims: SessionClaims,
        keeper: LeaseKeeper[str],
        on_end: Callable[[str], object],
        late_endings: LateEndings,
    ) -> None:
        self.record = answer.record
        self.record.session_id = claimed.session.id
        self.record.project_id = claimed.session.project_id
        self._answer = answer
        self._claimed = claimed
        self._claims = claims
        self._keeper = keeper
        self._on_end = on_end
        self._late_endings = late_endings
        self._request = request
        call_format = ToolCallFormat(request.tool_call_format.deprecated)
        self._collector = ChoiceCollector(call_format, cites=bool(request.turn.hosted_tools))
        self._started = Started("")
        self._usages: list[Usage] = []
        self._opening = RLock()
        self._is_claimed = claimed.is_claimed
        self._has_begun = False
        self._is_complete = False
        self._is_over = False
        if self._is_claimed:
            self._keeper.add(claimed.id, self.stop_on_request)

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        for index, batch in self._answer:
            self._collect(index, batch)
            if isinstance(batch[-1], Done):
                self._usages.append(batch[-1].usage)
                if len(self._usages) == self._request.n:
                    self._store_complete_answer()
            yield index, batch

    @property
    def session_id(self) -> str:
        """Return the id of the session."""
        return self._claimed.session.id

    def stop(self, reason: GatewayError) -> None:
        """End the answer from outside."""
        self._answer.stop(reason)

    def stop_on_request(self) -> None:
        """End the answer because another request asked for it; the client is told."""
        self.stop(TurnStopped(should_retry=False))

    def fail(self, error: GatewayError) -> None:
        """Record the error that ended the answer."""
        self._answer.fail(error)

    def close(self) -> None:
        """Free everything, and update the session in the background."""
        self._answer.close()
        self.end()

    def _collect(self, index: int, batch: Batch) -> None:
        if not self._has_begun:
            self._has_begun = True
            if not self._is_claimed:  # the client does not know the session before it has this batch
                gevent.spawn(self._insert_early)
        if not self._started.model:
            found = (event for event in batch if isinstance(event, Started))
            self._started = next(found, self._started)
        if self._claimed.session.is_stored and index == 0:
            for event in batch:
                self._collector.add(event)

    def _store_complete_answer(self) -> None:
        """Store the answer, later if the database is unavailable. Raises TurnStopped if the session was deleted."""
        self._is_complete = True
        usage = sum_usage(self._usages)
        if not self._claimed.session.is_stored:
            self._finish_later(self._result(usage))
            return
        result = self._result(usage, self._collector.message())
        try:
            self._finish(result)
        except StoreError:
            self._finish_later(result)
        except GatewayError as error:
            self.fail(error)
            raise

    def end(self) -> None:
        """Free the session, and store what its client has seen of an answer that did not come to its end."""
        if self._is_over:
            return
        self._is_over = True
        self._keeper.remove(self._claimed.id)
        self._on_end(self._claimed.id)
        if not self._is_complete:
            text = self._collector.message()["content"]
            was_seen = self.record.outcome == "cut" and self.record.streamed and text
            answer = {"role": "assistant", "content": text} if was_seen else None
            self._finish_later(self._result(self.record.usage, answer))

    def _result(self, usage: Usage, answer: dict[str, Any] | None = None) -> TurnResult:
        """Return the changes to the session. Without an `answer`, only its totals change."""
        continuation = self._claimed.continuation
        messages = continuation.conversation if continuation else self._request.turn.messages
        result = TurnResult(
            model=self._started.model or None,
            claude_session_id=self._started.session or None,
            message_count=len(messages) + 1,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost_usd or 0.0,
        )
        if continuation is None:
            return result
        if answer is None:
            return replace(result, message_count=None)
        known = continuation.unchanged
        return replace(
            result,
            keep_until=self._claimed.stored[known - 1].id if known else 0,
            messages=[*continuation.conversation[known:], answer],
            about={"model": self._started.model, "is_complete": len(self._usages) == self._request.n},
        )

    def _insert_early(self) -> None:
        try:
            self._insert()
        except StoreError:
            log.warning("the session %s could not be added yet", self.session_id)

    def _insert(self) -> None:
        with self._opening:
            if self._is_claimed:
                return
            self._claims.open(self._claimed.session, self._claimed.id)
            self._is_claimed = True
            if not self._is_over:
                self._keeper.add(self._claimed.id, self.stop_on_request)

    def _finish(self, result: TurnResult) -> None:
        if self._has_begun:
            self._insert()
        if self._is_claimed:
            self._claims.finish(self._claimed.id, result)
            self._keeper.remove(self._claimed.id)

    def _finish_later(self, result: TurnResult) -> None:
        self._late_endings.store(lambda: self._finish(result), self.session_id)

"""The one way from a view to the CLI: who may ask is checked here, and what came of it is recorded.

Whatever wants to know about answers (usage, limits, logs, metrics) is a function in `app.extensions["on_record"]`,
called once with the Record of every answer, when it is over. None may raise, or wait for anything.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from flask import current_app, g, request

from gateway.api import auth, current, owner
from gateway.claude.fan import Fan
from gateway.errors import ClientGone, GatewayError, TurnStopped
from gateway.record import Record
from gateway.turn import Done, Event, Idle, Started, Turn

log = logging.getLogger(__name__)

Batch = list[Event]
OnRecord = Callable[[Record], None]
Listener = Callable[[int, Batch], None]

MOST_OF_A_HEADER = 200


def run(turn: Turn, *, n: int = 1, stream: bool = False) -> Metered:
    """`n` answers to `turn` for whoever sent the request at hand; nothing runs before they are iterated.

    Raises ModelNotSupported, ModelNotAllowed or ClaudeUnavailable.
    """
    record = _record(turn, stream)
    fan = current.claude().run(replace(turn, owner=owner.current()), n)
    auth.require_model(turn.model)  # now that the CLI's models are known
    return Metered(fan, record, current_app.extensions["on_record"])


class Metered:
    """A Fan that is watched: what goes through it makes its Record, which is passed on at `close`.

    `listeners` get every batch before the client does; `on_record` gets the Record at the end.
    """

    def __init__(self, fan: Fan, record: Record, on_record: Sequence[OnRecord]) -> None:
        self.record = record
        self.listeners: list[Listener] = []
        self.on_record = [*on_record]
        self._fan = fan
        self._began = time.monotonic()
        self._open = True
        self._left = 0

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        try:
            for index, batch in self._fan:
                self._note(batch)
                for listener in self.listeners:
                    listener(index, batch)
                yield index, batch
            self.record.outcome = "complete"
        except GatewayError as error:
            self.record.error = error.code
            self.record.outcome = "cut" if isinstance(error, (ClientGone, TurnStopped)) else "failed"
            raise

    def stop(self, reason: GatewayError) -> None:
        """End all answers from outside."""
        self._fan.stop(reason)

    def close(self) -> None:
        """Free everything and pass the record on. May be repeated."""
        self._fan.close()
        if self._open:
            self._open = False
            self._finish()

    def _note(self, batch: Batch) -> None:
        record = self.record
        if record.first_seconds is None:
            for event in batch:
                if isinstance(event, Started):
                    record.model = event.model
                elif not isinstance(event, Idle):
                    record.first_seconds = time.monotonic() - self._began
                    break
        if isinstance(batch[-1], Done):
            record.stop_reason = batch[-1].stop_reason

    def _finish(self) -> None:
        record = self.record
        record.seconds = time.monotonic() - self._began
        record.usage, record.is_estimated = self._fan.used()
        if record.outcome == "failed" and record.error is None:
            record.outcome, record.error = "cut", ClientGone.code  # closed before its end, without an error
        for on_record in self.on_record:
            try:
                on_record(record)
            except Exception:
                log.exception("an answer could not be recorded")


def _record(turn: Turn, stream: bool) -> Record:
    who = auth.identity()
    return Record(
        request_id=g.get("request_id", ""),
        endpoint=request.path,
        started_at=datetime.now(timezone.utc),
        model=turn.model or "",
        key_id=who.id if who else None,
        key_name=who.name if who else None,
        client=request.headers.get("user-agent", "")[:MOST_OF_A_HEADER],
        address=request.remote_addr or "",
        streamed=stream,
    )

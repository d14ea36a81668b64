"""The one way from a view to the CLI: who may ask is checked here, and what came of it is recorded.

Whatever wants to know about answers (usage, limits, metrics) is a function in `app.extensions["on_record"]`, called
once with the Record of every answer, when it is over; or in `g.on_record`, for the request at hand only. None may
raise, or wait for anything. `app.extensions["live"]` are the answers that this worker is giving now.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from flask import Flask, current_app, g, request

from gateway.answering import project_policy as workplaces
from gateway.api.hooks import auth
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.claude.merged_runs import MergedRuns
from gateway.errors import ClientGone, GatewayError, ShuttingDown, TurnStopped
from gateway.observe.transcript import Transcript
from gateway.record import Record
from gateway.turn import Done, Event, Idle, Started, Turn, Usage

log = logging.getLogger(__name__)

Batch = list[Event]
OnRecord = Callable[[Record], None]
Listener = Callable[[int, Batch], None]

MOST_OF_A_NAME = 200


def run(
    turn: Turn, *others: Turn, n: int = 1, stream: bool = False, project_id: str | None = None
) -> Metered:
    """`n` answers to `turn` for whoever sent the request at hand; nothing runs before they are iterated.

    `others` are more turns with the same parameters, each answered `n` times as well, in their order.
    Raises ModelNotSupported, ModelNotAllowed or ClaudeUnavailable, and what `workplaces.place` raises.
    """
    turn = workplaces.place(turn, project_id)
    turns = _prepared(turn, *others)  # first: runs that are made have to be closed
    fan = current.claude().answer(*turns, n=n)
    record = _record(turns[0], stream)
    on_record = [*current_app.extensions["on_record"], *g.get("on_record", ())]
    metered = Metered(fan, record, on_record, live())
    g.record = record
    if current.settings().log_content:
        g.transcript = Transcript()
        metered.listeners.append(g.transcript.note)
    return metered


def count_tokens(turn: Turn) -> int:
    """The tokens of what `turn` would send. Raises as `run` does, and TooManyTurns or UpstreamError."""
    return current.claude().count_tokens(*_prepared(turn))


def live() -> set[Metered]:
    """The answers that this worker is giving now."""
    running: set[Metered] = current_app.extensions["live"]
    return running


def end_all(app: Flask) -> None:
    """Record the answers that the end of the worker cuts off, of clients that do not read among them."""
    for metered in list(app.extensions["live"]):
        metered.stop(ShuttingDown())
        metered.give_up(ShuttingDown())


class Metered:
    """A Fan that is watched: what goes through it makes its Record, which is passed on at `close`.

    `listeners` get every batch before the client does; `on_record` gets the Record at the end. It is in `live` while
    it runs.
    """

    def __init__(
        self, fan: MergedRuns, record: Record, on_record: Sequence[OnRecord], live: set[Metered]
    ) -> None:
        self.record = record
        self.listeners: list[Listener] = []
        self.on_record = [*on_record]
        self._live = live
        self._fan = fan
        self._began = time.monotonic()
        self._open = True

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        self._live.add(self)
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
        except Exception:
            self.record.error = GatewayError.code
            raise

    def stop(self, reason: GatewayError) -> None:
        """End all answers from outside."""
        self._fan.stop(reason)

    @property
    def seconds(self) -> float:
        """How long ago it was asked for."""
        return time.monotonic() - self._began

    def used(self) -> Usage:
        """What the answer has used until now; its output is an estimate while it runs."""
        return self._fan.usage_so_far()[0]

    def close(self) -> None:
        """Free everything and pass the record on. May be repeated."""
        self._fan.close()
        self._finish()

    def give_up(self, reason: GatewayError) -> None:
        """Pass the record of an answer on that nobody will close any more."""
        self.record.error = self.record.error or reason.code
        self._finish()

    def _note(self, batch: Batch) -> None:
        record = self.record
        if record.first_seconds is None:
            for event in batch:
                if isinstance(event, Started):
                    record.model = event.model
                elif not isinstance(event, Idle):
                    record.first_seconds = self.seconds
                    break
        if isinstance(batch[-1], Done):
            record.stop_reason = batch[-1].stop_reason

    def _finish(self) -> None:
        if not self._open:
            return
        self._open = False
        self._live.discard(self)
        record = self.record
        record.seconds = self.seconds
        record.usage, record.is_estimated = self._fan.usage_so_far()
        if record.outcome == "failed" and record.error is None:
            record.outcome, record.error = "cut", ClientGone.code  # closed before its end, without an error
        for on_record in self.on_record:
            try:
                on_record(record)
            except Exception:
                log.exception("an answer could not be recorded")


def _prepared(*turns: Turn) -> list[Turn]:
    """The turns with their owner, and with the model that their name stands for."""
    current.claude().await_ready()  # only then are the CLI's models known
    name = turns[0].requested_model
    model = current.claude().catalog.resolve(name)
    auth.require_model(name)
    return [replace(turn, owner=owner.current(), model=model) for turn in turns]


def _record(turn: Turn, stream: bool) -> Record:
    who = auth.identity()
    return Record(
        request_id=g.get("request_id", ""),
        endpoint=request.path,
        started_at=datetime.now(timezone.utc),
        model=turn.resolved_model.id[:MOST_OF_A_NAME],
        key_id=who.id if who else None,
        key_name=who.name if who else None,
        project_id=turn.project or None,
        client=request.headers.get("user-agent", "")[:MOST_OF_A_NAME],
        address=request.remote_addr or "",
        streamed=stream,
    )

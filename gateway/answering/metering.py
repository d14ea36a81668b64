"""The metering of a run, and the interface of everything that wraps it.

An AnswerStream is an iterator of batches of events that can be stopped and closed. MeteredAnswer is the innermost one;
others wrap it, for example `PersistedAnswer(MeteredAnswer(run, …), …)` for an answer in a session.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from gateway.approvals import ApprovalRequest
from gateway.claude.merged_runs import MergedRuns
from gateway.errors import ClientGone, GatewayError, TurnStopped
from gateway.observe.transcript import Transcript
from gateway.record import Record
from gateway.turn import Batch, Done, Idle, Started, Usage

log = logging.getLogger(__name__)


class AnswerStream(Protocol):
    """The batches of events of one answer."""

    record: Record

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        """Yield batches of events, each with the index of its choice. Raises GatewayError if the answer fails."""

    def stop(self, reason: GatewayError) -> None:
        """End the answer from outside: the iterator raises `reason`."""

    def fail(self, error: GatewayError) -> None:
        """Record a failure that the run knows nothing of, for example while its events were encoded."""

    def close(self) -> None:
        """Free everything. Closing again has no effect."""


class MeteredAnswer:
    """A run of the CLI whose record is filled while its batches pass. `report` is called once, when the answer is over.

    `transcript` collects the text of the answer; it is None unless LOG_CONTENT is set. `on_approval` is called for each
    request for an approval, before the client gets it.
    """

    def __init__(
        self,
        run: MergedRuns,
        record: Record,
        report: Callable[[MeteredAnswer], None],
        transcript: Transcript | None = None,
        on_approval: Callable[[ApprovalRequest], None] = lambda request: None,
    ) -> None:
        self.record = record
        self.transcript = transcript
        self._run = run
        self._report = report
        self._on_approval = on_approval
        self._started_at = record.began_at = time.monotonic()
        self._is_over = False

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        try:
            for index, batch in self._run:
                self._meter(batch)
                if self.transcript is not None:
                    self.transcript.add(index, batch)
                yield index, batch
            self.record.outcome = "complete"
        except GatewayError as error:
            self.fail(error)
            raise
        except Exception:
            self.fail(GatewayError())
            raise

    def stop(self, reason: GatewayError) -> None:
        """End all runs of the answer."""
        self._run.stop(reason)

    def fail(self, error: GatewayError) -> None:
        """Record the error that ended the answer. The first one counts."""
        if self.record.error is None:
            self._note_account()
            self.record.error = error.code
            self.record.reason = error.message
            self.record.outcome = "cut" if isinstance(error, (ClientGone, TurnStopped)) else "failed"

    @property
    def is_over(self) -> bool:
        """True once the record is reported."""
        return self._is_over

    @property
    def seconds(self) -> float:
        """Return the seconds since the request."""
        return time.monotonic() - self._started_at

    def used(self) -> Usage:
        """Return the usage so far. While the answer is running, its output tokens are an estimate."""
        return self._run.usage_so_far()[0]

    def close(self) -> None:
        """Free everything and report the record."""
        self._run.close()
        self._finish()

    def abandon(self, reason: GatewayError) -> None:
        """Stop the run and report the record, without closing the run: another greenlet may be in it."""
        self._run.stop(reason)
        self.record.error = self.record.error or reason.code
        self._finish()

    def _meter(self, batch: Batch) -> None:
        record = self.record
        if record.first_seconds is None:
            for event in batch:
                if isinstance(event, Started):
                    record.model = event.model
                    self._note_account()
                elif not isinstance(event, Idle):
                    record.first_seconds = self.seconds
                    break
        if isinstance(batch[-1], Done):
            record.stop_reason = batch[-1].stop_reason
            for event in batch:
                if isinstance(event, ApprovalRequest):
                    self._on_approval(event)

    def _note_account(self) -> None:
        times = self._run.times
        self.record.account, self.record.fallback_model = times.account, times.fallback_model

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        record = self.record
        record.seconds = self.seconds
        record.usage, record.is_estimated = self._run.usage_so_far()
        record.fallback_usage = self._run.fallback_usage()
        record.times, record.is_over = self._run.times, True
        self._note_account()
        if record.outcome == "failed" and record.error is None:
            self.fail(ClientGone())  # closed before its end, without an error
        try:
            self._report(self)
        except Exception:
            log.exception("an answer could not be recorded")

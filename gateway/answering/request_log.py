"""Write the list of requests in the background. A request only appends its summary to a queue.

For example, `log.note(summary)` is one of the observers of requests, and the rows are written within two seconds.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from time import monotonic
from typing import Any
from urllib.parse import quote

import gevent

from gateway.addresses import client_network
from gateway.answering.outages import Outage
from gateway.answering.refusals import Refusals
from gateway.observe.logs import QUIET_ROUTES
from gateway.record import Record, RequestSummary
from gateway.store.admin_models import RequestRow
from gateway.store.request_log import RequestTable
from gateway.usage import COUNTS

log = logging.getLogger(__name__)

GATHER_SECONDS = 1.0  # one transaction for all requests of a second
MAX_WAITING = 10_000  # more are dropped while the database fails
BATCH_SIZE = 50  # takes some milliseconds, in which no other greenlet runs
MAX_TEXT = 200
MAX_REASON = 300
DIALECTS = {
    "/v1/chat/completions": "chat",
    "/dashboard/chat": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/completions": "completions",
}

_COUNTS = tuple(name for name in COUNTS if name in RequestRow._meta.fields)


class RequestLog:
    """A queue of summaries, and the greenlet that writes them. `max_body_bytes` limits the bodies that are kept.

    The greenlet ends when nothing is left to write, so that an idle worker does not wake for it.
    While `is_on` is False, nothing is queued.
    """

    def __init__(
        self,
        table: RequestTable,
        max_body_bytes: int,
        now: Callable[[], float] = monotonic,
        *,
        is_on: bool = True,
    ) -> None:
        self.is_on = is_on
        self._table = table
        self._max_body_bytes = max_body_bytes
        self._waiting: deque[RequestSummary] = deque()
        self._refusals: Refusals[RequestSummary] = Refusals(now=now)
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._outage = Outage(log, "the list of requests cannot be written")

    def note(self, summary: RequestSummary) -> None:
        """Queue a request if it belongs into the list. This neither waits nor raises."""
        if not self.is_on:
            return
        if summary.record is None and (summary.status < 400 or summary.route in QUIET_ROUTES):
            return
        if summary.record is not None or self._refusals.admits(_kind(summary), summary):
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
            self._waiting.append(summary)
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._write_all)

    def close(self) -> None:
        """Write the waiting requests, if possible."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._flush_quietly()

    def flush(self) -> None:
        """Write the requests that are over. The others wait, for example background responses. Raises StoreError."""
        found = list(self._waiting)
        self._waiting.clear()
        self._waiting.extend(one for one in found if not _is_over(one))
        done = list(filter(_is_over, found))
        while done:
            try:
                self._write([(one, 0) for one in done[:BATCH_SIZE]])
                del done[:BATCH_SIZE]
                gevent.sleep(0)
            except BaseException:  # also when the greenlet is killed in its pause
                self._waiting.extendleft(reversed(done))
                raise
        self._write(self._refusals.take_repeated())

    def _write(self, found: list[tuple[RequestSummary, int]]) -> None:
        bodies: list[dict[str, Any]] = []
        rows = []
        for summary, repeats in found:
            row = make_row(summary, repeats)
            if summary.kept:
                row["body_id"] = secrets.token_hex(12)
                bodies.append(self._make_bodies(row, summary.kept))
            rows.append(row)
        if rows:
            self._table.add(rows, bodies)

    def _make_bodies(self, row: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        texts = (kept.get("body"), "\n\n".join(kept.get("answer", ())))
        shortened = [text and text[: self._max_body_bytes] for text in texts]
        return {
            "id": row["body_id"],
            "created_at": row["created_at"],
            "request": shortened[0],
            "answer": shortened[1],
            "is_cut": list(texts) != shortened,
        }

    def _write_all(self) -> None:
        while self._waiting or self._refusals.is_pending:
            gevent.sleep(GATHER_SECONDS)
            self._flush_quietly()
        self._greenlet = None

    def _flush_quietly(self) -> None:
        with self._outage:
            self.flush()


def _is_over(summary: RequestSummary) -> bool:
    return summary.record is None or summary.record.is_over


def make_row(summary: RequestSummary, repeats: int = 0) -> dict[str, Any]:
    """Return the row of a request."""
    error, record = summary.error, summary.record
    path = quote(summary.path)[:MAX_TEXT]
    row = {
        "created_at": _started_at(summary),
        "request_id": summary.request_id,
        "owner": summary.owner_id,
        "key_id": summary.key_id,
        "key_name": summary.key_name,
        "address": summary.address,
        "client": summary.client[:MAX_TEXT],
        "method": summary.method[:MAX_TEXT],
        "path": path,
        "dialect": DIALECTS.get(path.removesuffix("/compact"), ""),
        "status": summary.status,
        "outcome": "refused",
        "code": error.code if error else None,
        "reason": error.message[:MAX_REASON] if error else None,
        "repeats": repeats,
        "seconds": summary.seconds,
    }
    return row | _answer_values(record, summary) if record is not None else row


def _answer_values(record: Record, summary: RequestSummary) -> dict[str, Any]:
    reason = summary.error.message if summary.error else record.reason
    values: dict[str, Any] = {
        name: getattr(record, name)
        for name in (
            "outcome",
            "model",
            "account",
            "fallback_model",
            "project_id",
            "session_id",
            "stop_reason",
            "streamed",
            "is_estimated",
        )
    }
    values |= {name: getattr(record.usage, name) for name in _COUNTS}
    return {
        **values,
        **find_phases(record),
        "code": record.error or (summary.error.code if summary.error else None),
        "reason": reason[:MAX_REASON] if reason else None,
        "cost": record.usage.cost_usd or 0.0,
        "parse_seconds": max(0.0, record.began_at - summary.began_at),
        "first_seconds": record.first_seconds,
        "answer_seconds": record.seconds,
        "seconds": max(summary.seconds, record.seconds),  # a background response goes on after its request
        "process": record.times.process,
        "attempts": record.times.attempts,
        "repaired": _as_list(record.repaired),
        "ignored": _as_list(tuple(sorted(record.ignored))),
    }


def find_phases(record: Record) -> dict[str, float | None]:
    """Return the seconds of the phases until the model was asked; None for a phase that did not begin.

    >>> from gateway.record import RunTimes
    >>> times = RunTimes(slot_at=11.0, process_at=11.5, asked_at=12.0)
    >>> find_phases(Record("r", "/v1/messages", datetime.now(timezone.utc), began_at=10.0, times=times))
    {'queue_seconds': 1.0, 'process_seconds': 0.5, 'setup_seconds': 0.5}
    """
    times, phases = record.times, {}
    before: float = record.began_at
    for name, moment in (("queue", times.slot_at), ("process", times.process_at), ("setup", times.asked_at)):
        phases[f"{name}_seconds"] = max(0.0, moment - before) if moment else None
        before = moment or before
    return phases


def _as_list(names: tuple[str, ...]) -> str:
    return f",{','.join(names)}," if names else ""


def _started_at(summary: RequestSummary) -> datetime:
    if summary.record is not None:
        return summary.record.started_at
    return datetime.now(timezone.utc) - timedelta(seconds=monotonic() - summary.began_at)


def _kind(summary: RequestSummary) -> tuple[str, str | None, str | None]:
    code = summary.error.code if summary.error else str(summary.status)
    return client_network(summary.address), summary.key_id, code

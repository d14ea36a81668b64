"""Send a reply to a client: the right bytes at the right time."""

import time

from .events import Event, duration, message, new_id, stream
from .prompt import Body
from .records import Recorded
from .replies import Failure, Reply, failure_of
from .wire import Wire, chunk

# Events that are due at the same time are written together, up to about this many bytes.
_BATCH = 16_384


def play(wire: Wire, record: Recorded, reply: Reply, body: Body) -> bool:
    """Answer one request. Return whether the connection can be reused.

    Raises ClientGone if the client disconnects, and Stopped if the stand-in stops.
    """
    due = time.monotonic() + reply.head_delay
    if reply.head_delay:
        wire.wait_until(due)
    if reply.failure:
        return fail(wire, record, reply.failure)
    if reply.ending.kind != "end" and reply.ending.after < 0:
        return _interrupt(wire, record, reply)
    if body.get("stream"):
        return _play_stream(wire, record, reply, body, due)
    return _play_message(wire, record, reply, body, due)


def fail(wire: Wire, record: Recorded, failure: Failure) -> bool:
    """Answer with an HTTP error and the body that the API sends with it. Return True."""
    request_id = new_id("req")
    error = {"type": failure.type, "message": failure.message}
    record.begin(failure.status)
    wire.send_json(
        failure.status,
        {"type": "error", "error": error, "request_id": request_id},
        {"request-id": request_id, **failure.headers},
        record.method == "HEAD",
    )
    return True


def _interrupt(wire: Wire, record: Recorded, reply: Reply) -> bool:
    if reply.ending.kind == "error":
        return fail(wire, record, failure_of(reply.ending))
    if reply.ending.kind == "hang":
        wire.wait_for_the_end()
    wire.drop()
    return False


def _play_message(wire: Wire, record: Recorded, reply: Reply, body: Body, due: float) -> bool:
    wire.wait_until(due + duration(reply, body))
    if reply.ending.kind != "end":
        return _interrupt(wire, record, reply)
    record.begin(200)
    wire.send_json(200, message(reply, body), {"request-id": new_id("req"), **reply.headers}, is_head=False)
    return True


def _play_stream(wire: Wire, record: Recorded, reply: Reply, body: Body, due: float) -> bool:
    batch = _Batch(wire, record, reply)
    for event in stream(reply, body):
        if event.wait:
            batch.flush()
            # Counted from the start, so that one late wake-up does not delay all later deltas.
            due += event.wait
            wire.wait_until(due)
        batch.add(event)
    batch.flush()
    if reply.ending.kind in ("cut", "hang"):
        return _interrupt(wire, record, reply)
    wire.send(chunk(b""))
    return True


class _Batch:
    """Events that wait to be written together."""

    def __init__(self, wire: Wire, record: Recorded, reply: Reply) -> None:
        self._wire, self._record = wire, record
        self._head = wire.start_stream({"request-id": new_id("req"), **reply.headers})
        self._events: list[Event] = []
        self._size = 0

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._size += len(event.payload)
        if self._size > _BATCH or not self._record.first_byte:
            self.flush()

    def flush(self) -> None:
        if not self._events:
            return
        if self._head:
            self._record.begin(200)
        # Counted before they are sent, so that a test that has read a delta finds it counted.
        self._record.count(sum(event.is_delta for event in self._events))
        self._wire.send(self._head + chunk(b"".join(event.payload for event in self._events)))
        self._head, self._events, self._size = b"", [], 0

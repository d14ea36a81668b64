"""A run as an HTTP response: streamed or whole, with the client watched all the way."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Protocol

from flask import Response, request

from gateway.api.http.disconnect import watch
from gateway.dialects.common import sse
from gateway.dialects.common.answers import Collector, StreamEncoder
from gateway.dialects.common.field_errors import FieldNames, translate_names, translated_errors
from gateway.errors import ClientGone, GatewayError, UpstreamError
from gateway.record import Record
from gateway.turn import Event, Started

log = logging.getLogger(__name__)

Batch = list[Event]
Batches = Iterable[tuple[int, Batch]]

STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
IGNORED_HEADER = "x-ignored-parameters"
SESSION_HEADER = "X-Session-ID"
PROJECT_HEADER = "X-Project-ID"


class Source(Protocol):
    """Where the events come from: a Metered run, or what follows one."""

    record: Record

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        """Batches with the index of their choice. Raises GatewayError."""

    def stop(self, reason: GatewayError) -> None:
        """End it from outside."""

    def close(self) -> None:
        """Free everything. May be repeated."""


def stream(run: Source, encoder: StreamEncoder, ignored: Iterable[str]) -> Response:
    """The answer as it is written. Raises what goes wrong before its first event, as a real status."""
    with translated_errors(encoder.field_names), contextlib.ExitStack() as stack:
        first = _begin(run, stack)
        headers = STREAM_HEADERS | _headers(run, first, ignored, encoder.field_names)
        held = stack.pop_all()
    encoded = _encoded(chain([first], run), encoder, run.record)
    response = Response(encoded, mimetype="text/event-stream", headers=headers)
    response.call_on_close(held.close)  # runs even if the stream is never begun
    return response


def ignored_header(names: Collection[str]) -> dict[str, str]:
    """The header that names parameters without effect; none where there are none."""
    return {IGNORED_HEADER: ", ".join(sorted(names))} if names else {}


def whole(run: Source, collector: Collector, ignored: Iterable[str]) -> Response:
    """The answer in one piece."""
    with translated_errors(collector.field_names), contextlib.ExitStack() as stack:
        first = _begin(run, stack)
        for index, batch in chain([first], run):
            collector.add(batch, index)
    headers = _headers(run, first, ignored, collector.field_names)
    return Response(sse.dumps(collector.body()), mimetype="application/json", headers=headers)


def _begin(run: Source, stack: contextlib.ExitStack) -> tuple[int, Batch]:
    """Wait for the model to begin; on the stack is what the end of the answer has to undo."""
    stack.callback(run.close)
    stack.enter_context(watch(request.environ, lambda: run.stop(ClientGone())))
    for index, batch in run:
        if any(isinstance(event, Started) for event in batch):
            return index, batch
    raise UpstreamError("The Claude Code CLI gave no answer.")


def _encoded(batches: Batches, encoder: StreamEncoder, record: Record) -> Iterator[bytes]:
    """The bytes of the stream. The record has to know of failures to encode, too: no client has left then."""
    try:
        for index, batch in batches:
            data = encoder.encode(batch, index)
            if data:
                yield data
    except GatewayError as error:
        record.error = record.error or error.code
        yield encoder.error(error)
    except Exception:
        log.exception("a stream failed in an unforeseen way")
        record.error = record.error or GatewayError.code
        yield encoder.error(GatewayError())


def _headers(
    run: Source, first: tuple[int, Batch], ignored: Iterable[str], names: FieldNames
) -> dict[str, str]:
    started = next(event for event in first[1] if isinstance(event, Started))
    places = {SESSION_HEADER: run.record.session_id, PROJECT_HEADER: run.record.project_id}
    known = {name: value for name, value in places.items() if value}
    return ignored_header({*translate_names(started.ignored, names), *ignored}) | known

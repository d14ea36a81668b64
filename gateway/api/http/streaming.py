"""Running answers as HTTP responses, streamed or as one JSON body. The client is watched until the end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any

from flask import Response, request

from gateway.answering.metering import AnswerStream
from gateway.api.http.disconnect import watch_client
from gateway.dialects.common.answers import Collector, StreamEncoder
from gateway.dialects.common.field_errors import FieldNames, translate_names, translated_errors
from gateway.errors import ClientGone, GatewayError, UpstreamError
from gateway.lenient_json import dumps
from gateway.repairs import Repair, repaired_codes
from gateway.turn import Batch, Started

log = logging.getLogger(__name__)

Batches = Iterator[tuple[int, Batch]]

STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
IGNORED_HEADER = "x-ignored-parameters"
REPAIRED_HEADER = "x-repaired"
SESSION_HEADER = "X-Session-ID"
PROJECT_HEADER = "X-Project-ID"

MAX_LOGGED_REPAIRS = 20  # a long conversation may need hundreds of them in each request


def stream_answer(
    answer: AnswerStream, encoder: StreamEncoder, ignored: Iterable[str], repaired: Iterable[Repair] = ()
) -> Response:
    """Send the answer while it is written. Raises an error before the first event, so that it gets its own status."""
    batches = iter(answer)
    with translated_errors(encoder.field_names), contextlib.ExitStack() as stack:
        first = _await_start(answer, batches, stack)
        headers = STREAM_HEADERS | _answer_headers(answer, first, ignored, repaired, encoder.field_names)
        clean_up = stack.pop_all()
    encoded = _encode_batches(chain([first], batches), encoder, answer)
    response = Response(encoded, mimetype="text/event-stream", headers=headers)
    response.call_on_close(clean_up.close)  # runs even if the client leaves before the first byte
    return response


def send_answer(
    answer: AnswerStream, collector: Collector, ignored: Iterable[str], repaired: Iterable[Repair] = ()
) -> Response:
    """Wait for the whole answer and send it as one JSON body."""
    batches = iter(answer)
    with translated_errors(collector.field_names), contextlib.ExitStack() as stack:
        first = _await_start(answer, batches, stack)
        for index, batch in chain([first], batches):
            collector.add(batch, index)
    headers = _answer_headers(answer, first, ignored, repaired, collector.field_names)
    return Response(dumps(collector.body()), mimetype="application/json", headers=headers)


def json_response(body: dict[str, Any]) -> Response:
    """Return a body as JSON that may hold half of a surrogate pair, which Flask's own encoder rejects."""
    return Response(dumps(body), mimetype="application/json")


def note_headers(ignored: Collection[str], repaired: Collection[Repair]) -> dict[str, str]:
    """Return the headers that name the parameters without effect and the repairs, and log the repairs."""
    headers = {IGNORED_HEADER: ", ".join(sorted(ignored))} if ignored else {}
    if repaired:
        found = [f"{repair.code} at {repair.path}" for repair in repaired]
        log.info("request repaired", extra={"repairs": found[:MAX_LOGGED_REPAIRS], "count": len(found)})
        headers[REPAIRED_HEADER] = ", ".join(repaired_codes(repaired))
    return headers


def _await_start(answer: AnswerStream, batches: Batches, stack: contextlib.ExitStack) -> tuple[int, Batch]:
    """Return the batch with which the model starts. The clean-up for the end of the answer is pushed onto `stack`."""
    stack.callback(answer.close)
    stack.enter_context(watch_client(request.environ, lambda: answer.stop(ClientGone())))
    for index, batch in batches:
        if any(isinstance(event, Started) for event in batch):
            return index, batch
    raise UpstreamError("The Claude Code CLI gave no answer.")


def _encode_batches(
    batches: Iterable[tuple[int, Batch]], encoder: StreamEncoder, answer: AnswerStream
) -> Iterator[bytes]:
    """Yield the bytes of the stream. Record encoding errors, which would look like disconnects otherwise."""
    try:
        for index, batch in batches:
            data = encoder.encode(batch, index)
            if data:
                yield data
    except GatewayError as error:
        answer.fail(error)
        yield encoder.error(error)
    except Exception:
        log.exception("a stream failed unexpectedly")
        answer.fail(GatewayError())
        yield encoder.error(GatewayError())


def _answer_headers(
    answer: AnswerStream,
    first: tuple[int, Batch],
    ignored: Iterable[str],
    repaired: Iterable[Repair],
    names: FieldNames,
) -> dict[str, str]:
    started = next(event for event in first[1] if isinstance(event, Started))
    ids = {SESSION_HEADER: answer.record.session_id, PROJECT_HEADER: answer.record.project_id}
    all_ignored = {*translate_names(started.ignored, names), *ignored}
    return note_headers(all_ignored, [*repaired, *started.repaired]) | {
        name: value for name, value in ids.items() if value
    }

"""Running answers as HTTP responses, streamed or as one JSON body. The client is watched until the end."""

import contextlib
import logging
import math
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from time import monotonic
from typing import Any

from flask import Response, request

from gateway.answering.metering import AnswerStream
from gateway.api.http.context import RequestState, get_services, get_state
from gateway.api.http.disconnect import watch_client
from gateway.dialects.common.answers import Collector, StreamEncoder
from gateway.dialects.common.field_errors import (
    FieldNames,
    translate_error,
    translate_names,
    translated_errors,
)
from gateway.errors import GatewayError, UpstreamError
from gateway.lenient_json import dumps
from gateway.repairs import Repair, repaired_codes
from gateway.turn import Batch, Idle, Started

log = logging.getLogger(__name__)

Batches = Iterator[tuple[int, Batch]]

WHITE_SPACE = b" "
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
# Files may come from anywhere: browsers must not show them as pages of the gateway.
DOWNLOAD_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}
IGNORED_HEADER = "x-ignored-parameters"
REPAIRED_HEADER = "x-repaired"
SESSION_HEADER = "X-Session-ID"
PROJECT_HEADER = "X-Project-ID"

KEEP_ALIVE_SECONDS = 10.0  # a stream that has nothing to send gets a sign of life this often
MAX_LOGGED_REPAIRS = 20  # a long conversation may need hundreds of them in each request


def stream_answer(
    answer: AnswerStream, encoder: StreamEncoder, ignored: Iterable[str], repaired: Iterable[Repair] = ()
) -> Response:
    """Send the answer while it is written. Raises an error before the first event, so that it gets its own status."""
    batches = iter(answer)
    with translated_errors(encoder.field_names), contextlib.ExitStack() as stack:
        first = _await_start(answer, batches, stack)
        headers = STREAM_HEADERS | _answer_headers(
            answer, _find_started(first[1]), ignored, repaired, encoder.field_names
        )
        clean_up = stack.pop_all()
    encoded = _encode_batches(chain([first], batches), encoder, answer)
    response = Response(encoded, mimetype="text/event-stream", headers=headers)
    response.call_on_close(clean_up.close)  # runs even if the client leaves before the first byte
    return response


def send_answer(
    answer: AnswerStream, collector: Collector, ignored: Iterable[str], repaired: Iterable[Repair] = ()
) -> Response:
    """Wait for the whole answer and send it as one JSON body.

    After KEEPALIVE_WHOLE_ANSWERS_SECONDS the response begins with white space, which JSON allows. From then on the
    status is 200, so an error is only in the body. Requests of batches need neither.
    """
    seconds = 0.0 if get_state().call else get_services().settings.keepalive_whole_answers_seconds
    slow_at = get_state().started_at + seconds if seconds else math.inf
    batches, started = iter(answer), None
    with translated_errors(collector.field_names), contextlib.ExitStack() as stack:
        _watch(answer, stack)
        for index, batch in batches:
            started = started or _find_started(batch)
            collector.add(batch, index)
            if monotonic() >= slow_at:
                break
        else:
            headers = _answer_headers(answer, started, ignored, repaired, collector.field_names)
            return Response(dumps(collector.body()), mimetype="application/json", headers=headers)
        headers = _answer_headers(answer, started, ignored, repaired, collector.field_names)
        clean_up = stack.pop_all()
    slow = _send_slowly(batches, collector, answer, seconds, get_state())
    response = Response(slow, mimetype="application/json", headers=STREAM_HEADERS | headers)
    response.call_on_close(clean_up.close)
    return response


def _send_slowly(
    batches: Batches, collector: Collector, answer: AnswerStream, seconds: float, state: RequestState
) -> Iterator[bytes]:
    """Yield white space every `seconds` and then the body, or the error that ends the answer."""
    yield WHITE_SPACE
    yielded_at = monotonic()
    try:
        for index, batch in batches:
            collector.add(batch, index)
            if monotonic() - yielded_at >= seconds:
                yield WHITE_SPACE
                yielded_at = monotonic()
        yield dumps(collector.body())
    except GatewayError as error:
        yield _fail_late(answer, translate_error(error, collector.field_names), state)
    except Exception:
        log.exception("an answer failed unexpectedly")
        yield _fail_late(answer, GatewayError(), state)


def _fail_late(answer: AnswerStream, error: GatewayError, state: RequestState) -> bytes:
    """Record an error that comes after the status, and return its body."""
    answer.fail(error)
    state.error = error
    return dumps(state.error_format.make_body(error, state.request_id))


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
    _watch(answer, stack)
    for index, batch in batches:
        if _find_started(batch):
            return index, batch
    raise UpstreamError("The Claude Code CLI gave no answer.")


def _watch(answer: AnswerStream, stack: contextlib.ExitStack) -> None:
    """Stop the answer when its client leaves, and close it at the end of `stack`."""
    stack.callback(answer.close)
    stack.enter_context(watch_client(request.environ, answer.stop))


def _find_started(batch: Batch) -> Started | None:
    return next((event for event in batch if isinstance(event, Started)), None)


def _encode_batches(
    batches: Iterable[tuple[int, Batch]], encoder: StreamEncoder, answer: AnswerStream
) -> Iterator[bytes]:
    """Yield the bytes of the stream. Record encoding errors, which would look like disconnects otherwise."""
    sent_at = monotonic()
    try:
        for index, batch in batches:
            data = encoder.encode(batch, index)
            if not data and monotonic() - sent_at >= KEEP_ALIVE_SECONDS:  # it hides the model's thinking
                data = encoder.encode([Idle()], index)
            if data:
                yield data
                sent_at = monotonic()
    except GatewayError as error:
        answer.fail(error)
        yield encoder.error(error)
    except Exception:
        log.exception("a stream failed unexpectedly")
        answer.fail(GatewayError())
        yield encoder.error(GatewayError())


def _answer_headers(
    answer: AnswerStream,
    started: Started | None,
    ignored: Iterable[str],
    repaired: Iterable[Repair],
    names: FieldNames,
) -> dict[str, str]:
    """Return the headers of an answer. It may not have started yet, if it is slow."""
    ids = {SESSION_HEADER: answer.record.session_id, PROJECT_HEADER: answer.record.project_id}
    if started is not None:
        ignored = {*translate_names(started.ignored, names), *ignored}
        repaired = [*repaired, *started.repaired]
    ignored, repaired = {*ignored}, [*repaired]
    answer.record.ignored, answer.record.repaired = tuple(ignored), repaired_codes(repaired)
    return note_headers(ignored, repaired) | {name: value for name, value in ids.items() if value}

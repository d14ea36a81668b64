"""Follow a stored response: the events of its stream again, from any worker, until it is finished."""

from collections.abc import Iterator
from time import monotonic

import gevent

from gateway.dialects.common import sse
from gateway.dialects.responses.replay import encode_event, find_final_event, replay
from gateway.errors import GatewayError
from gateway.store.responses import Responses

POLL_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 10.0
_FINAL = (b"event: response.completed", b"event: response.incomplete", b"event: response.failed")


def follow_response(responses: Responses, owner: str, response_id: str, after: int) -> Iterator[bytes]:
    """Yield the events with numbers above `after`, and comments while the response is silent.

    A response that was not requested as a background stream has no stored events; it is replayed when it is finished.
    """
    number, is_ended = 0, False  # the number of the next event, and whether the last one was final
    sent_at = monotonic()
    while True:
        try:
            stored = responses.get(
                owner, response_id
            )  # before its events, so that a finished one has all of them
            chunks = responses.list_events(response_id, number)
        except GatewayError as error:
            yield encode_event({"type": "error", "error": error.body()["error"], "sequence_number": number})
            return
        for chunk in chunks:
            number = chunk.first_number + len(chunk.events)
            is_ended = chunk.events[-1].startswith(_FINAL)
            skipped = max(0, after + 1 - chunk.first_number)
            if skipped < len(chunk.events):
                yield b"".join(event + sse.END for event in chunk.events[skipped:])
                sent_at = monotonic()
        if is_ended:
            return
        if stored.is_finished:
            yield _finish(stored.body, number, after)
            return
        if monotonic() - sent_at >= KEEP_ALIVE_SECONDS:
            yield sse.KEEP_ALIVE
            sent_at = monotonic()
        gevent.sleep(POLL_SECONDS)


def _finish(body: dict[str, object], number: int, after: int) -> bytes:
    """Return the rest of the stream of a finished response: of all of it, or only the end that its worker missed."""
    events = replay(body) if number == 0 else [find_final_event(body)]
    numbered = [{**event, "sequence_number": number + index} for index, event in enumerate(events)]
    missing = [event for event in numbered if event["sequence_number"] > after]
    # The original stream had more events than the replay, so the client may have more; it still needs the end.
    return b"".join(map(encode_event, missing or [{**numbered[-1], "sequence_number": after + 1}]))

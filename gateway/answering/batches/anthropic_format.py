"""Anthropic's batches of messages: the lines of results, and the batch object.

https://platform.claude.com/docs/en/api/creating-message-batches

A line of the results:

    {"custom_id": "a", "result": {"type": "succeeded", "message": {…}}}
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import gevent

from gateway.answering.batches.calls import ItemResponse
from gateway.answering.caller import Caller
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.dialects.common.json_types import Body
from gateway.dialects.messages.errors import error_body, error_status
from gateway.errors import GatewayError
from gateway.lenient_json import dumps
from gateway.store.batch_items import Outcome
from gateway.store.batches import CANCELLING, OPEN, Batch, new_batch_id
from gateway.store.database import utc_now

ENDPOINT = "/v1/messages"
WINDOW = timedelta(hours=24)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CUSTOM_ID_PROBLEM = "Expected 1 to 64 letters, digits, hyphens and underscores."
CHECKED_AT_ONCE = 500  # requests, between which other greenlets run
#: In a batch, all messages are sent whole.
WITHOUT_EFFECT = ("stream",)


def new_batch(caller: Caller, headers: Mapping[str, str]) -> Batch:
    """Return a new batch. `headers` go with each of its requests."""
    return Batch(
        id=new_batch_id("anthropic"),
        owner=caller.owner_id,
        kind="anthropic",
        endpoint=ENDPOINT,
        expires_at=utc_now() + WINDOW,
        key_id=caller.key_id,
        address=caller.address,
        client=caller.user_agent,
        headers=dict(headers),
    )


def check_requests(requests: Any, most: int) -> None:
    """Check the requests of a new batch. Their `params` are checked when they run, as Anthropic does.

    Raises InvalidRequest.
    """
    if not isinstance(requests, list) or not requests:
        raise invalid_field("requests", "Expected a list of requests.")
    if len(requests) > most:
        raise invalid_field("requests", f"At most {most} requests are allowed.")
    known: set[str] = set()
    for index, request in enumerate(requests):
        where = f"requests[{index}]"
        custom_id = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
            raise invalid_field(f"{where}.custom_id", CUSTOM_ID_PROBLEM)
        if custom_id in known:
            raise invalid_field(f"{where}.custom_id", f"{quote(custom_id)} is not unique.")
        if not isinstance(request.get("params"), dict):
            raise invalid_field(f"{where}.params", "Expected an object.")
        known.add(custom_id)
        if index % CHECKED_AT_ONCE == 0:
            gevent.sleep(0)


def read_requests(requests: Iterable[Body]) -> Iterator[tuple[str, str]]:
    """Yield the custom id and the body of each request."""
    for request in requests:
        yield request["custom_id"], dumps(request["params"]).decode()


def make_line(custom_id: str, response: ItemResponse, request_id: str) -> str:
    """Return the line of a request that was answered or refused."""
    kind, name = ("succeeded", "message") if response.status < 400 else ("errored", "error")
    notes = f',"headers":{dumps(dict(response.notes)).decode()}' if response.notes else ""
    return (
        f'{{"custom_id":{dumps(custom_id).decode()},"result":{{"type":"{kind}",'
        f'"{name}":{response.body.decode()}}}{notes}}}'
    )


def make_unanswered_line(custom_id: str, outcome: Outcome) -> str:
    """Return the line of a request that was canceled or has expired."""
    return dumps({"custom_id": custom_id, "result": {"type": outcome}}).decode()


def make_error(error: GatewayError, request_id: str) -> ItemResponse:
    """Return the response for a request that is refused without being sent."""
    return ItemResponse(error_status(error), dumps(error_body(error, request_id)))


def batch_object(batch: Batch, results_url: str) -> Body:
    """Return the batch object. `waiting` is the gateway's own field: why no request runs at the moment."""
    has_ended = batch.status not in OPEN
    canceling = "canceling" if batch.status == CANCELLING else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if has_ended else canceling,
        "request_counts": {
            "processing": batch.total - batch.done,
            "succeeded": batch.succeeded,
            "errored": batch.errored,
            "canceled": batch.canceled,
            "expired": batch.expired,
        },
        "created_at": _timestamp(batch.created_at),
        "expires_at": _timestamp(batch.expires_at),
        "ended_at": _timestamp(batch.ended_at),
        "cancel_initiated_at": _timestamp(batch.cancelling_at),
        "archived_at": None,
        "results_url": results_url if has_ended else None,
        "waiting": batch.current_waiting,
    }


def _timestamp(moment: datetime | None) -> str | None:
    """Return an RFC 3339 timestamp."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")

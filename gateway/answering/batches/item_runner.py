"""Answer one item of a batch, and decide what becomes of it: a result, another attempt, or a pause of the batch."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent

from gateway.answering.batches.calls import ItemCall, ItemResponse, SendCall
from gateway.answering.batches.formats import FORMATS
from gateway.answering.caller import Caller
from gateway.errors import (
    AccountLimitReached,
    GatewayError,
    InvalidKey,
    RateLimited,
    SessionBusy,
    ShuttingDown,
    StoreError,
    TurnStopped,
    Unavailable,
    UpstreamError,
)
from gateway.lenient_json import dumps, loads
from gateway.store.batch_items import BatchItems, ClaimedItem, Outcome
from gateway.store.batches import CANCELLING, Batch, Batches
from gateway.store.lease_keeper import LeaseKeeper
from gateway.turn import Usage

log = logging.getLogger(__name__)

MAX_TRIES = 5
RETRY_SECONDS = (5.0, 30.0, 120.0, 300.0)  # pauses after the first, second … failure of one item
RETRIED = (500, 502, 504)  # statuses of failures that may be over at the next attempt
# A batch that waits looks again at least this often, because the operator may have raised a limit. The account's
# limits are asked for less often, because each attempt is a request to Anthropic.
MIN_WAIT_SECONDS, WAIT_SECONDS, MAX_WAIT_SECONDS, ACCOUNT_WAIT_SECONDS = 5.0, 30.0, 60.0, 600.0
RECORD_PAUSES = (0.5, 1, 2, 5, 10, 30)  # seconds between attempts to record a result

CountResult = Callable[[Outcome], None]


class ItemRunner:
    """Answers items by sending them to the app. `count_result` is called for each result that is recorded."""

    def __init__(
        self, batches: Batches, items: BatchItems, send: SendCall, count_result: CountResult
    ) -> None:
        self._batches = batches
        self._items = items
        self._send = send
        self._count_result = count_result
        self._keeper = LeaseKeeper(items.renew_leases, items.find_active)

    def run(self, batch: Batch, item: ClaimedItem, caller: Caller | InvalidKey) -> None:
        """Answer an item that this worker has claimed."""
        try:
            if isinstance(caller, InvalidKey):
                self._refuse(batch, item, caller)
            elif item.tries >= MAX_TRIES:
                problem = "The gateway stopped each time while it was answering this request."
                self._refuse(batch, item, UpstreamError(problem))
            else:
                self._answer(batch, item, caller)
        except StoreError:
            log.exception("an item of a batch could not be finished; its lease expires")
        finally:
            self._keeper.remove(item.lease_id)

    def _answer(self, batch: Batch, item: ClaimedItem, caller: Caller) -> None:
        body, dropped = _prepare_body(item.body, FORMATS[batch.kind].WITHOUT_EFFECT)
        call = ItemCall(batch.endpoint, body, caller, batch.headers)
        self._keeper.add(item.lease_id, lambda: call.stop(TurnStopped()))
        response = _add_note(self._send(call), dropped)
        usage = call.summary.record.usage if call.summary and call.summary.record else Usage()
        error = call.error if response.status >= 400 else None
        if error is None and response.status < 400:
            self._record(item, "succeeded", _line(batch, item, response, caller.request_id), usage)
        elif call.stop_reason is not None:
            self._end_stopped(batch, item, usage)
        elif isinstance(error, (RateLimited, Unavailable)):
            self._wait(item, error)
        elif _may_be_over(response.status, error) and item.tries + 1 < MAX_TRIES:
            log.warning("an item of the batch %s failed and is tried again: %s", batch.id, error)
            self._items.give_back([item.lease_id], RETRY_SECONDS[item.tries], is_failed=True)
        else:
            self._record(item, "errored", _line(batch, item, response, caller.request_id), usage)

    def _refuse(self, batch: Batch, item: ClaimedItem, error: GatewayError) -> None:
        """Record an error for an item that is not sent."""
        request_id = f"req_{item.lease_id}"
        response = FORMATS[batch.kind].make_error(error, request_id)
        self._record(item, "errored", _line(batch, item, response, request_id), Usage())

    def _end_stopped(self, batch: Batch, item: ClaimedItem, usage: Usage) -> None:
        """Record the end of an item whose batch was canceled or has expired. Otherwise the lease was lost."""
        current = self._batches.get(batch.owner, batch.kind, batch.id)
        if current.status == CANCELLING:
            self._record(item, "canceled", None, usage)
        elif current.is_overdue:
            self._record(item, "expired", None, usage)

    def _wait(self, item: ClaimedItem, error: GatewayError) -> None:
        """Give the item back, and let its batch pause until there is a chance for an answer."""
        self._items.give_back([item.lease_id])
        if isinstance(error, ShuttingDown):
            return
        longest = ACCOUNT_WAIT_SECONDS if isinstance(error, AccountLimitReached) else MAX_WAIT_SECONDS
        seconds = min(max(error.retry_after or WAIT_SECONDS, MIN_WAIT_SECONDS), longest)
        until = int(time.time() + (error.retry_after or seconds))
        log.info("the batch %s waits for %.0f s: %s", item.batch_id, seconds, error.message)
        reason = {"code": error.code, "message": error.message, "until": until}
        self._batches.wait(item.batch_id, seconds, reason)

    def _record(self, item: ClaimedItem, outcome: Outcome, line: str | None, usage: Usage) -> None:
        """Record a result. If the database is unavailable, try again for a while: the answer has cost money."""
        for pause in (*RECORD_PAUSES, None):
            try:
                if self._items.record(item, outcome, line, usage):
                    self._count_result(outcome)
                else:
                    log.warning("an item of the batch %s was answered by another worker", item.batch_id)
                return
            except StoreError:
                if pause is None:
                    raise
            gevent.sleep(pause)


def _may_be_over(status: int, error: GatewayError | None) -> bool:
    """Return True for a failure that another attempt may not meet, for example while another item has the session."""
    return status in RETRIED or isinstance(error, SessionBusy)


def _line(batch: Batch, item: ClaimedItem, response: ItemResponse, request_id: str) -> str:
    return FORMATS[batch.kind].make_line(item.custom_id, response, request_id)


def _prepare_body(text: str, without_effect: Sequence[str]) -> tuple[bytes, list[str]]:
    """Return a body without the parameters that have no effect in a batch, and their names."""
    body: dict[str, Any] = loads(text)
    dropped = [name for name in without_effect if body.pop(name, None)]
    return dumps(body) if dropped else text.encode(), dropped


def _add_note(response: ItemResponse, dropped: Sequence[str]) -> ItemResponse:
    """Name dropped parameters in the same way as all other ignored ones."""
    if not dropped:
        return response
    names = [name for name in response.notes.get("x-ignored-parameters", "").split(", ") if name]
    notes = {**response.notes, "x-ignored-parameters": ", ".join(sorted({*names, *dropped}))}
    return ItemResponse(response.status, response.body, notes)

"""Queues of waiting greenlets, and the slots of running turns."""

from __future__ import annotations

import gevent
import pytest

from gateway.claude.fleet.wait_queue import Slots, Ticket, WaitQueue
from gateway.errors import ClientGone, GatewayError, ShuttingDown, TooManyTurns

# Queues


def test_queue_serves_tickets_in_order() -> None:
    queue: WaitQueue[int] = WaitQueue()
    tickets: list[Ticket[int]] = [Ticket() for _ in range(3)]
    for ticket in tickets:
        queue.join(ticket)
    assert [queue.serve(number) for number in range(4)] == [True, True, True, False]
    assert [ticket.wait(0) for ticket in tickets] == [0, 1, 2]


def test_queue_skips_tickets_that_have_left_or_were_canceled() -> None:
    queue: WaitQueue[str] = WaitQueue()
    left, canceled, waiting = Ticket[str](), Ticket[str](), Ticket[str]()
    for ticket in (left, canceled, waiting):
        queue.join(ticket)
    queue.leave(left)
    canceled.cancel(ClientGone())
    assert len(queue) == 1
    assert queue.serve("value")
    assert waiting.wait(0) == "value"
    with pytest.raises(ClientGone):
        canceled.wait(0)


def test_failing_the_queue_ends_all_waits() -> None:
    queue: WaitQueue[str] = WaitQueue()
    tickets: list[Ticket[str]] = [Ticket(), Ticket()]
    for ticket in tickets:
        queue.join(ticket)
    queue.fail_all(ClientGone())
    for ticket in tickets:
        with pytest.raises(ClientGone):
            ticket.wait(0)
    assert len(queue) == 0


def test_wait_ends_at_its_timeout() -> None:
    with pytest.raises(TimeoutError):
        Ticket[int]().wait(0.01)


def test_served_ticket_cannot_be_canceled() -> None:
    """Otherwise the value would be lost: a process or a slot that no turn owns."""
    ticket = Ticket[str]()
    ticket.serve("value")
    ticket.cancel(ClientGone())
    assert ticket.wait(1) == "value"


class _LateResult:
    """A result that arrives at the moment at which the wait for it times out."""

    def ready(self) -> bool:
        return True

    def get(self, timeout: float | None = None) -> str:
        if timeout is not None:
            raise gevent.Timeout
        return "value"


def test_value_served_at_the_moment_of_the_timeout_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = Ticket[str]()
    monkeypatch.setattr(ticket, "_result", _LateResult())
    assert ticket.wait(0.01) == "value"


# Slots


def acquire(slots: Slots, log: list[object], name: object, ticket: Ticket[bool] | None = None) -> None:
    """Take a slot in a greenlet of its own. Append the name to the log, or the name and the error's code."""

    def take() -> None:
        try:
            slots.acquire(ticket or Ticket())
        except GatewayError as error:
            log.append((name, error.code))
        else:
            log.append(name)

    gevent.spawn(take)
    gevent.sleep(0)


def test_slots_are_given_in_order_and_the_queue_is_limited() -> None:
    slots, log = Slots(2, 3, 5.0), list[object]()
    for number in range(6):
        acquire(slots, log, number)
    gevent.sleep(0)
    assert log == [0, 1, (5, "too_many_turns")]
    assert (slots.used, slots.waiting) == (2, 3)
    for served in (2, 3, 4):
        slots.release()
        gevent.sleep(0)
        assert log[-1] == served
    assert (slots.used, slots.waiting) == (2, 0)
    slots.release()
    slots.release()
    assert slots.used == 0


def test_additional_slots_go_to_waiting_turns_and_fewer_slots_wait_for_running_ones() -> None:
    slots, log = Slots(1, 5, 5.0), list[object]()
    for number in range(4):
        acquire(slots, log, number)
    slots.resize(3, 5, 5.0)
    gevent.sleep(0)
    assert (log, slots.used, slots.waiting) == ([0, 1, 2], 3, 1)
    slots.resize(1, 0, 5.0)
    acquire(slots, log, "newcomer")
    assert log[3:] == [("newcomer", "too_many_turns")]
    for used in (2, 1, 1):  # the waiting turn gets the only slot when it is free
        slots.release()
        gevent.sleep(0)
        assert slots.used == used
    assert (log[4:], slots.waiting) == ([3], 0)


def test_newcomer_cannot_take_a_slot_that_was_given_to_a_waiting_turn() -> None:
    slots, log = Slots(1, 2, 5.0), list[object]()
    acquire(slots, log, "first")
    acquire(slots, log, "waiting")
    slots.release()
    acquire(slots, log, "newcomer")
    assert log == ["first", "waiting"]
    assert (slots.used, slots.waiting) == (1, 1)


def test_wait_for_a_slot_is_limited() -> None:
    slots = Slots(1, 1, 0.02)
    slots.acquire(Ticket())
    with pytest.raises(TooManyTurns) as caught:
        slots.acquire(Ticket())
    assert caught.value.retry_after
    assert (slots.used, slots.waiting) == (1, 0)


def test_slot_goes_to_the_next_turn_if_the_first_in_the_queue_has_left() -> None:
    slots, log = Slots(1, 2, 5.0), list[object]()
    acquire(slots, log, "first")
    ticket = Ticket[bool]()
    acquire(slots, log, "leaver", ticket)
    ticket.cancel(ClientGone())
    acquire(slots, log, "second")
    slots.release()
    gevent.sleep(0)
    assert log == ["first", ("leaver", "client_closed_request"), "second"]
    assert (slots.used, slots.waiting) == (1, 0)


def start_batch_turn(slots: Slots) -> Ticket[bool]:
    """Begin to wait for a slot for a turn of a batch."""
    ticket = Ticket[bool]()
    gevent.spawn(slots.acquire_spare, ticket)
    gevent.sleep(0)
    return ticket


def test_batches_leave_one_slot_free_and_wait_while_others_wait() -> None:
    slots = Slots(3, 10, 5.0)
    tickets = [start_batch_turn(slots) for _ in range(3)]
    assert [ticket.is_settled for ticket in tickets] == [True, True, False]
    slots.acquire(Ticket())  # at once, because a slot is free
    other = Ticket[bool]()
    gevent.spawn(slots.acquire, other)
    gevent.sleep(0)
    assert (slots.used, slots.waiting) == (3, 1)
    for used in (
        3,
        2,
        2,
    ):  # for the request that waits; two of three are taken; for the last turn of the batch
        assert not tickets[2].is_settled
        slots.release()
        assert slots.used == used
    assert all(ticket.is_settled for ticket in (other, *tickets))


def test_waiting_batches_end_when_the_gateway_stops() -> None:
    slots = Slots(1, 10, 5.0)
    slots.acquire(Ticket())
    ticket = start_batch_turn(slots)
    slots.refuse_batches(ShuttingDown())
    with pytest.raises(ShuttingDown):
        ticket.wait(0)
    slots.release()
    assert slots.used == 0


def test_single_slot_serves_batches_when_it_is_free() -> None:
    slots = Slots(1, 10, 5.0)
    first, second = start_batch_turn(slots), start_batch_turn(slots)
    assert (first.is_settled, second.is_settled) == (True, False)
    second.cancel(ClientGone())
    gevent.sleep(0)
    slots.release()
    assert slots.used == 0


def test_turns_that_wait_have_a_budget_of_bytes() -> None:
    slots = Slots(1, max_waiting=10, max_wait_seconds=5.0, max_waiting_bytes=100)

    def wait(size: int) -> gevent.Greenlet[..., None]:
        waiting = gevent.spawn(slots.acquire, Ticket[bool](), lambda: size)
        gevent.sleep(0)
        return waiting

    slots.acquire(Ticket(), lambda: 500)  # it does not wait
    large = wait(500)  # alone, any size may wait
    with pytest.raises(TooManyTurns) as caught:
        slots.acquire(Ticket(), lambda: 1)
    assert caught.value.retry_after
    slots.release()
    large.join(5)
    fitting = [wait(60), wait(40)]
    assert slots.waiting == 2
    for _ in range(3):
        slots.release()
    gevent.joinall(fitting, timeout=5, raise_error=True)
    assert slots.used == 0

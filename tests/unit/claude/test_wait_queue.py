"""Lines of waiting greenlets, and slots."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from gateway.claude.fleet.slots import Slots
from gateway.claude.fleet.wait_queue import Line, Ticket
from gateway.errors import ClientGone, GatewayError, TooManyTurns

# Lines


def test_a_line_serves_in_order() -> None:
    line: Line[int] = Line()
    tickets: list[Ticket[int]] = [Ticket() for _ in range(3)]
    for ticket in tickets:
        line.join(ticket)
    assert [line.serve(number) for number in range(4)] == [True, True, True, False]
    assert [ticket.wait(0) for ticket in tickets] == [0, 1, 2]


def test_a_line_passes_over_who_has_left() -> None:
    line: Line[str] = Line()
    leaver, gone_ticket, stayer = Ticket[str](), Ticket[str](), Ticket[str]()
    for ticket in (leaver, gone_ticket, stayer):
        line.join(ticket)
    line.leave(leaver)
    gone_ticket.cancel(ClientGone())
    assert len(line) == 1
    assert line.serve("it")
    assert stayer.wait(0) == "it"
    with pytest.raises(ClientGone):
        gone_ticket.wait(0)


def test_a_wait_ends_with_its_timeout() -> None:
    with pytest.raises(TimeoutError):
        Ticket[int]().wait(0.01)


def test_what_was_served_cannot_be_cancelled() -> None:
    """Else what was handed over would belong to nobody."""
    ticket = Ticket[str]()
    ticket.serve("it")
    ticket.cancel(ClientGone())
    assert ticket.wait(1) == "it"


class _Late:
    """A result that is there in the very moment in which the wait for it is over."""

    def ready(self) -> bool:
        return True

    def get(self, timeout: float | None = None) -> str:
        if timeout is not None:
            raise gevent.Timeout
        return "it"


def test_what_is_served_in_the_moment_of_the_timeout_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = Ticket[str]()
    monkeypatch.setattr(ticket, "_result", _Late())
    assert ticket.wait(0.01) == "it"


# Slots


def acquire(slots: Slots, log: list[object], name: object, ticket: Ticket[bool] | None = None) -> Any:
    """A greenlet that takes a slot and notes its name, or the error it gets."""

    def take() -> None:
        try:
            slots.acquire(ticket or Ticket())
        except GatewayError as error:
            log.append((name, error.code))
        else:
            log.append(name)

    greenlet = gevent.spawn(take)
    gevent.sleep(0)
    return greenlet


def test_slots_are_given_in_order() -> None:
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


def test_nobody_overtakes_the_queue() -> None:
    """A slot that was promised to who waits is not free for who comes in that moment."""
    slots, log = Slots(1, 2, 5.0), list[object]()
    acquire(slots, log, "first")
    acquire(slots, log, "waiting")
    slots.release()
    acquire(slots, log, "newcomer")
    assert log == ["first", "waiting"]
    assert (slots.used, slots.waiting) == (1, 1)


def test_patience_ends() -> None:
    slots = Slots(1, 1, 0.02)
    slots.acquire(Ticket())
    with pytest.raises(TooManyTurns) as caught:
        slots.acquire(Ticket())
    assert caught.value.retry_after
    assert (slots.used, slots.waiting) == (1, 0)


def test_a_slot_is_not_lost_to_who_leaves() -> None:
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

"""Habits of clients, by which processes are kept."""

import itertools

import pytest

from gateway.claude.fleet.habits import ENOUGH, MAX_ENDED, MIN_KEEP_SECONDS, Habits, shapes_of
from gateway.turn import Turn
from tests.unit.claude.fleets import turn

LIMIT = 300.0


class Clients:
    """Clients of `habits`, with a clock that only moves as they wait."""

    def __init__(self) -> None:
        self.now = 0.0
        self.habits = Habits(120.0, lambda: self.now)
        self._digests = itertools.count()

    def converse(self, asked: Turn, pause: float | None = None, setup: bytes = b"setup") -> None:
        """Have a first turn, and a second one after `pause` seconds. Without it, wait until it counts as over."""
        digest = str(next(self._digests)).encode()
        self.habits.note_end(shapes_of(asked, setup), digest)
        self.now += 121.0 if pause is None else pause
        if pause is not None:
            self.habits.note_turn(digest)

    def keeps(self, asked: Turn, setup: bytes = b"setup") -> float:
        """Return how long a process would be kept."""
        return self.habits.keep_seconds(shapes_of(asked, setup), LIMIT)


@pytest.fixture
def clients() -> Clients:
    """Return clients that have sent nothing yet."""
    return Clients()


def titles(number: int) -> Turn:
    return turn(f"### Task: Generate a title for chat {number}", owner="a")


def test_unknown_conversations_are_kept_as_long_as_allowed(clients: Clients) -> None:
    for number in range(ENOUGH - 1):
        clients.converse(titles(number))
    assert clients.keeps(titles(9)) == LIMIT


def test_conversations_that_never_go_on_are_not_kept(clients: Clients) -> None:
    for number in range(12):
        clients.converse(titles(number))
    assert clients.keeps(titles(12)) == 0
    assert clients.keeps(turn("### Task: Generate a title for chat 1", owner="b")) == LIMIT
    clients.converse(titles(13), pause=2.0)
    assert clients.keeps(titles(14)) > 0


def test_many_that_began_alike_and_have_not_gone_on_yet_are_not_kept(clients: Clients) -> None:
    for number in range(ENOUGH):
        assert clients.keeps(titles(number)) == LIMIT
        clients.habits.note_end(shapes_of(titles(number), b"setup"), str(number).encode())
    assert clients.keeps(titles(9)) == 0
    assert clients.keeps(turn("Hello", owner="a")) == LIMIT
    clients.habits.note_turn(b"3")
    assert clients.keeps(titles(9)) > 0


def test_one_off_requests_and_chats_of_one_key_are_told_apart(clients: Clients) -> None:
    for number in range(12):
        clients.converse(titles(number))
        clients.converse(turn(f"Tell me about {number}", owner="a"), pause=20.0)
    assert clients.keeps(titles(12)) == 0
    assert clients.keeps(turn("And what is this?", owner="a")) > MIN_KEEP_SECONDS


def test_set_ups_that_change_each_time_are_known_by_their_key(clients: Clients) -> None:
    for number in range(12):
        clients.converse(turn(f"{number} is the number", owner="a"), setup=str(number).encode())
    assert clients.keeps(turn("hello", owner="a"), setup=b"new") == 0


def test_later_turns_have_habits_of_their_own(clients: Clients) -> None:
    for number in range(12):
        clients.converse(titles(number))
    assert (
        clients.keeps(turn("### Task: Generate a title for chat 1", "Title", "Shorter", owner="a")) == LIMIT
    )


@pytest.mark.parametrize(("pause", "kept"), [(1.0, MIN_KEEP_SECONDS), (30.0, 120.0), (100.0, LIMIT)])
def test_processes_are_kept_for_several_times_the_usual_pause(
    clients: Clients, pause: float, kept: float
) -> None:
    for number in range(ENOUGH):
        clients.converse(turn(f"{number}", owner="a"), pause=pause)
    assert clients.keeps(turn("another", owner="a")) == kept


def test_conversation_that_begins_again_did_not_go_on(clients: Clients) -> None:
    for _ in range(12):
        clients.habits.note_end(shapes_of(titles(0), b"setup"), b"the same")
    assert clients.keeps(titles(0)) == 0


def test_memory_of_habits_is_bounded(clients: Clients) -> None:
    for number in range(MAX_ENDED + 100):
        clients.habits.note_end(shapes_of(turn("hi", owner=f"{number}"), b"setup"), str(number).encode())
    assert len(clients.habits._open) == MAX_ENDED

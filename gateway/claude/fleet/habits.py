"""Learn whether conversations go on, and how soon, so that no process is kept in vain.

A client that generates titles or tags never continues a conversation, while people and agents do. Both may use one key,
so a habit belongs to a key and to a shape of request. There are three levels of shapes, from the start of the first
message to the key as a whole, and the most exact one that has been seen often enough decides. For example:

    habits = Habits(window_seconds=120)
    shapes = shapes_of(turn, digests[0])
    habits.note_end(shapes, digest)       # an answer is complete
    habits.note_turn(digest)              # the next turn continues this conversation
    habits.keep_seconds(shapes, 300.0)    # 300.0: too little is known yet
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic

from gateway.turn import Turn

WEIGHT = 0.25  # of the newest conversation
ENOUGH = 6  # conversations that a habit needs
ONE_OFF_SHARE = 0.1  # habits with fewer conversations that go on keep no process
MIN_KEEP_SECONDS = 60.0
MARGIN = 4.0  # keep a process for this many times the usual pause
MAX_HABITS = 3000
MAX_ENDED = 3000
PREFIX_CHARACTERS = 24

Shapes = Sequence[object]


class _Habit:
    """The conversations of one shape so far. `share` of its conversations go on, after pauses of `pause` seconds."""

    __slots__ = ("pause", "seen", "share")

    def __init__(self) -> None:
        self.seen = 0
        self.share = 1.0
        self.pause = 0.0

    def note(self, pause: float | None) -> None:
        """Note that a conversation went on after `pause` seconds, or that it ended."""
        self.seen += 1
        self.share += WEIGHT * ((pause is not None) - self.share)
        if pause is not None:  # a long pause counts at once and is forgotten slowly
            self.pause = max(pause, self.pause + WEIGHT * (pause - self.pause))


class Habits:
    """The habits of the clients of one worker. A conversation that does not go on within `window_seconds` has ended."""

    def __init__(self, window_seconds: float, now: Callable[[], float] = monotonic) -> None:
        self.window_seconds = window_seconds
        self._now = now
        self._habits: OrderedDict[object, _Habit] = OrderedDict()
        self._open: OrderedDict[bytes, tuple[float, Shapes]] = OrderedDict()  # by digest, oldest first
        self._open_counts: Counter[object] = Counter()  # by their most exact shape

    def note_turn(self, digest: bytes) -> None:
        """Note that a turn continues the conversation with this digest, if it is known."""
        found = self._close(digest)
        if found is not None:
            ended_at, shapes = found
            self._note(shapes, self._now() - ended_at)

    def note_end(self, shapes: Shapes, digest: bytes) -> None:
        """Note that an answer is complete. The conversation has this digest now."""
        now = self._now()
        repeated = self._close(digest)  # the same conversation began again instead of going on
        if repeated is not None:
            self._note(repeated[1], None)
        self._open[digest] = (now, shapes)
        self._open_counts[shapes[0]] += 1
        while len(self._open) > MAX_ENDED or next(iter(self._open.values()))[0] < now - self.window_seconds:
            ended = self._close(next(iter(self._open)))
            if ended is not None:
                self._note(ended[1], None)

    def keep_seconds(self, shapes: Shapes, limit: float) -> float:
        """Return how long a process is worth keeping, up to `limit` seconds; 0 if the conversation will not go on."""
        if shapes[0] not in self._habits and self._open_counts[shapes[0]] >= ENOUGH:
            return 0.0  # so many of exactly this shape, and not one has gone on yet
        for shape in shapes:
            habit = self._habits.get(shape)
            if habit is not None and habit.seen >= ENOUGH:
                if habit.share < ONE_OFF_SHARE:
                    return 0.0
                return min(limit, max(MIN_KEEP_SECONDS, MARGIN * habit.pause))
        return limit

    def _close(self, digest: bytes) -> tuple[float, Shapes] | None:
        """Return when the conversation with this digest came to rest, and its shapes. It is not open any more."""
        found = self._open.pop(digest, None)
        if found is not None:
            exact = found[1][0]
            self._open_counts[exact] -= 1
            if not self._open_counts[exact]:
                del self._open_counts[exact]
        return found

    def _note(self, shapes: Shapes, pause: float | None) -> None:
        for shape in shapes:
            habit = self._habits.get(shape)
            if habit is None:
                habit = self._habits[shape] = _Habit()
                if len(self._habits) > MAX_HABITS:
                    self._habits.popitem(last=False)
            else:
                self._habits.move_to_end(shape)
            habit.note(pause)


def shapes_of(turn: Turn, setup: bytes) -> Shapes:
    """Return the shapes of a turn, the most exact one first. `setup` is the digest of its set-up."""
    is_first = len(turn.messages) == 1
    first = turn.messages[0].content if turn.messages else ()
    prefix = next((block["text"][:PREFIX_CHARACTERS] for block in first if block["type"] == "text"), "")
    return (turn.owner, is_first, setup, prefix), (turn.owner, is_first, setup), (turn.owner, is_first)

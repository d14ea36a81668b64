"""The rules of docs/limits.md as a model of a few lines, compared with the limits over random sequences of requests."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.answering.limits import Admission, RequestLimits
from gateway.errors import GatewayError, LimitReached, QuotaExceeded
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.limits.counters import DatabaseCounters
from gateway.store.limits.leases import DatabaseLeases, HeldSlots
from gateway.store.limits.reservations import DatabaseReservations, HeldReservations
from gateway.turn import Usage
from tests.unit.answering.fakes import caller

MINUTE, DAY = 60, 86_400
BEGIN = 20_000 * DAY + 7.0
REQUESTS, BURST, AT_ONCE, DOLLARS = 4, 1, 2, 10

#: A request by its outcome, the end of a running answer by its cost, or time that passes.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.integers(0, 6)),  # with an estimate in dollars
        st.tuples(st.just("invalid"), st.just(0)),
        st.tuples(st.just("cancel"), st.just(0)),
        st.tuples(st.just("end"), st.integers(0, 6)),
        st.tuples(st.just("pass"), st.sampled_from([1, 20, 45, 90, DAY])),
    ),
    max_size=40,
)


@dataclass
class Model:
    """The promises of the page, without any storage."""

    now: float = BEGIN
    counted: list[float] = field(default_factory=list)
    spent: list[tuple[float, int]] = field(default_factory=list)
    running: list[int] = field(default_factory=list)  # the estimates of running answers

    def used_requests(self) -> int:
        minute = self.now // MINUTE
        current = sum(at // MINUTE == minute for at in self.counted)
        previous = sum(at // MINUTE == minute - 1 for at in self.counted)
        return current + math.floor(previous * (MINUTE - self.now % MINUTE) / MINUTE)

    def used_dollars(self) -> int:
        return sum(cost for at, cost in self.spent if at // DAY == self.now // DAY)

    def ask(self, kind: str, estimate: int) -> str:
        """Return the outcome of a request, and note what remains of it."""
        if kind != "cancel":
            if self.used_dollars() >= DOLLARS:
                return "quota"
            if len(self.running) >= AT_ONCE:
                return "slots"
        if self.used_requests() >= REQUESTS + BURST:
            return "requests"
        if kind == "answer":
            if self.used_dollars() + sum(self.running) >= DOLLARS:
                return "reserved"
            self.running.append(estimate)
        self.counted.append(self.now)  # refused requests don't count
        return "admitted"

    def end(self, cost: int) -> None:
        if self.running:
            self.running.pop(0)
            self.spent.append((self.now, cost))


class Limits:
    """The limits themselves, on a database, for a client of its own."""

    numbers = count()

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._client = f"key_{next(self.numbers)}"
        values = {
            "rate_limit_requests_per_minute": REQUESTS,
            "rate_limit_burst": BURST,
            "rate_limit_answers_at_once": AT_ONCE,
            "rate_limit_usd_per_day": float(DOLLARS),
        }
        slots = HeldSlots(DatabaseLeases(store, now), lease_seconds=1e9)
        reservations = HeldReservations(DatabaseReservations(store, now), lease_seconds=1e9)
        storage = DatabaseCounters(store=store, now=now)
        self._limits = RequestLimits(replace(Settings(), **values), storage, slots, reservations)  # type: ignore[arg-type]
        self._limits._budgets._now = self._limits._budgets._charges._now = now
        self._running: list[Admission] = []

    def ask(self, kind: str, estimate: int) -> str:
        client = self._limits.find_client(caller(self._client, limits={}))
        try:
            if kind == "cancel":
                self._limits.count_request(client)
                return "admitted"
            self._limits.check_budgets(client)
            admission = self._limits.admit_answer(client)
            if kind == "invalid":
                admission.release()
                return "admitted"
            try:
                admission.reserve(Usage(cost_usd=float(estimate)))
            except GatewayError:
                admission.release()
                raise
        except QuotaExceeded:
            return "quota"
        except LimitReached as error:
            words = {"answers at once": "slots", "per minute": "requests", "reserved": "reserved"}
            return next(outcome for word, outcome in words.items() if word in error.message)
        self._running.append(admission)
        return "admitted"

    def end(self, cost: int) -> None:
        if self._running:
            self._running.pop(0).settle(Usage(cost_usd=float(cost)))

    def left(self) -> int:
        client = self._limits.find_client(caller(self._client, limits={}))
        return int(self._limits.make_headers(client)["x-ratelimit-remaining-requests"])


@given(STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_limits_follow_their_rules_in_every_order(store: Store, steps: list[tuple[str, int]]) -> None:
    model = Model()
    limits = Limits(store, lambda: model.now)
    for kind, value in steps:
        if kind == "pass":
            model.now += value
        elif kind == "end":
            model.end(value)
            limits.end(value)
        else:
            assert limits.ask(kind, value) == model.ask(kind, value)
        assert limits.left() == max(0, REQUESTS - model.used_requests())

"""The seats of a fleet: what it has of each account. One login without a list of accounts is one seat.

For example:

    seat = seats["team-a"]
    process = seat.pool.take(Ticket(), timeout=30)    # a process with the login of team-a
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event

from gateway.accounts.states import AccountStates
from gateway.claude.cli.process import Process
from gateway.claude.cli.protocol import ControlResult
from gateway.claude.fleet.login import Login
from gateway.claude.fleet.preparation import Preparation
from gateway.claude.fleet.sizes import PoolNumbers
from gateway.claude.fleet.warm_pool import WarmPool
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Seat:
    """The login of one account, its warm pool, and the processes that are prepared with it."""

    account: str
    login: Login
    pool: WarmPool
    preparation: Preparation
    made_at: float = field(default_factory=time.monotonic)

    @property
    def problem(self) -> str | None:
        """The reason why the account cannot answer. None if nothing is known against it."""
        return self.pool.problem.message if self.pool.problem is not None else self.login.problem

    def check_login(self, probe: Process, environ: Mapping[str, str], seconds: float) -> ControlResult:
        """Learn the login from a separate process, as `Login.ask` does. New warm processes use a new login."""
        was_missing = self.login.is_good is False
        result = self.login.ask(probe, environ, seconds)
        if was_missing and self.login.is_good:
            self.pool.renew()
        return result

    def adopt_login(self) -> None:
        """Use a login that another worker has found, if this worker knows it as missing."""
        if self.login.is_good is False:
            self.login.is_good = True
            self.pool.renew()


class Seats:
    """All seats, in the order of the accounts. They share one budget of processes and of starts.

    `settled` is set once it is known of one account whether processes start.
    """

    def __init__(self, make_seat: Callable[[str], Seat], accounts: AccountStates, settled: Event) -> None:
        self.settled = settled
        self._accounts = accounts
        self._make_seat = make_seat
        self._seats = {name: make_seat(name) for name in accounts.accounts}
        self._former: dict[str, Seat] = {}
        accounts.on_login = lambda account: self[account].adopt_login()

    def __getitem__(self, account: str) -> Seat:
        """Return the seat of an account, or its last one: turns may run with an account that is no longer listed."""
        return self._seats.get(account) or self._former[account]

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats.values())

    def replace(self, accounts: Iterable[str], changed: Collection[str]) -> list[Seat]:
        """Have a seat for each of these accounts. Return the new seats: accounts whose login has changed get one.

        Turns that run with the old seats go on. Their idle processes end.
        """
        before, self._seats = self._seats, {}
        made = []
        for name in accounts:
            seat = before.get(name)
            if seat is None or name in changed:
                seat = self._make_seat(name)
                made.append(seat)
            self._seats[name] = seat
        for name, seat in before.items():
            if self._seats.get(name) is not seat:
                self._former[name] = seat
                seat.pool.retire()
        return made

    def is_current(self, process: Process) -> bool:
        """Return True if the account of a process is listed, and has the login with which the process was started."""
        seat = self._seats.get(process.account)
        return seat is not None and process.started_at >= seat.made_at

    def close(self) -> None:
        """Close all pools."""
        pools = [seat.pool for seat in (*self._seats.values(), *self._former.values())]
        gevent.joinall([gevent.spawn(pool.close) for pool in pools])

    @property
    def process_count(self) -> int:
        """The number of processes that the pools use of the budget."""
        return sum(seat.pool.process_count for seat in self)

    @property
    def starting_count(self) -> int:
        """The number of processes that are starting."""
        return sum(seat.pool.starting_count for seat in self)

    @property
    def waiting_count(self) -> int:
        """The number of turns that wait for a process."""
        return sum(seat.pool.waiting_count for seat in self)

    def take_ready(self) -> Process | None:
        """Take a process that is ready out of the fullest pool."""
        return max(self, key=lambda seat: seat.pool.ready_count).pool.take_ready()

    def resize(self, numbers: PoolNumbers) -> None:
        """Change the numbers of each pool."""
        for seat in self:
            seat.pool.resize(**numbers)

    def give_up(self) -> bool:
        """End an idle process because memory is short. Return False if each pool has only one left."""
        return max(self, key=lambda seat: seat.pool.ready_count).pool.give_up()

    @property
    def is_logged_in(self) -> bool | None:
        """True if one of the accounts is logged in, and None if that is not known of any of them."""
        states = {seat.login.is_good for seat in self}
        return next((state for state in (True, None, False) if state in states), None)

    @property
    def start_problem(self) -> GatewayError | None:
        """The reason why no processes start. None if the processes of one account do."""
        problems = [seat.pool.problem for seat in self]
        return problems[0] if all(problems) else None

    @property
    def problem(self) -> str | None:
        """The reason why no account can answer. None if one of them can."""
        problems = [seat.problem for seat in self]
        return problems[0] if all(problems) else None

    def status(self) -> dict[str, int]:
        """Return the figures that `/health` shows, of all pools together."""
        total: Counter[str] = Counter()
        for seat in self:
            total.update(seat.pool.status())
        return dict(total)

    def describe(self, kept: Mapping[str, int]) -> list[dict[str, Any]]:
        """Return the figures that `/health` shows of each account. `kept` counts their parked conversations."""
        pools = {seat.account: seat.pool for seat in self}
        return [
            one.as_json()
            | {
                "warm": pools[one.name].ready_count,
                "starting": pools[one.name].starting_count,
                "kept": kept.get(one.name, 0),
            }
            for one in self._accounts.all()
        ]

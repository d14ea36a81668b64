"""Services that run with a scripted CLI, on which tests observe the effects of settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from gateway.answering.limits import ClientLimits
from gateway.answering.services import Services
from gateway.claude.fleet.fleet import Fleet
from gateway.errors import GatewayError
from gateway.store.database import utc_now
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.answering.fakes import caller

MOST = 50  # an observation stops there, if there is no limit
NUMBERS = count()


@dataclass
class Rig:
    """Services with a scripted CLI, which is started by the observations that need it."""

    services: Services
    cli: ScriptedCli
    is_open: bool = False

    @property
    def fleet(self) -> Fleet:
        """Return the fleet, with its warm processes."""
        fleet = self.services.claude._fleet
        if not self.is_open:
            self.is_open = True
            fleet.open()
            fleet.await_ready()
            run_until(lambda: fleet.status()["warm"] == fleet.status()["processes"])
        return fleet

    def client(self, **limits: Any) -> ClientLimits:
        """Return a new client with a key."""
        return self.services.limits.find_client(caller(f"key_{next(NUMBERS)}", limits=limits))

    def age(self, model: Any, days: float, column: str = "created_at") -> None:
        """Let all rows be so old."""
        old = {column: utc_now() - timedelta(days=days)}
        self.services.store.write(lambda db: model.update(**old).execute(db))

    def sweep(self, name: str, model: Any) -> int:
        """Delete expired rows, and return the number of rows that are left."""
        self.services.list_sweeps()[name]()
        return int(self.services.store.read(model.select().count))


Observe = Callable[[Rig], object]


@dataclass(frozen=True)
class Effect:
    """A new value of a setting, and the observation before and after. `base` are settings that the rig needs."""

    value: object
    observe: Observe
    before: object
    after: object
    base: Mapping[str, Any] = field(default_factory=dict)


def count_until(attempt: Callable[[], object], *errors: type[GatewayError]) -> int:
    """Return the number of attempts until one is refused."""
    for number in range(MOST):
        try:
            attempt()
        except errors:
            return number
    return MOST

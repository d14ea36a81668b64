"""The accounts that are asked for one turn, one after the other, and the fallback for when all are out of quota."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.claude.catalog import ModelCatalog
from gateway.claude.fleet.fleet import Fleet
from gateway.errors import AccountLimitReached, GatewayError, ModelNotSupported, NoAccountLeft
from gateway.turn import Turn

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fallback:
    """The alternative for a turn whose accounts are all out of quota, before the client has got anything.

    `model` is the name of another model, and `account` of another account; None leaves them as they are. `reserve` is
    called with the turn that is asked then, and with the error that the client would get. It reserves a part of the
    fallback's budget, or raises the error with a message about the budget.
    """

    model: str | None
    account: str | None
    reserve: Callable[[Turn, NoAccountLeft], None]

    def apply(self, turn: Turn, catalog: ModelCatalog) -> Turn:
        """Return the turn with the model and the account of the fallback. Raises ModelNotSupported."""
        model = catalog.resolve(self.model) if self.model else turn.resolved_model
        if turn.serving.wide_context:
            model = catalog.widen(model)
        accounts = (self.account,) if self.account else turn.accounts
        return replace(turn, model=model, accounts=accounts)


class TurnAccounts:
    """The accounts that can answer a turn. The first one is asked.

    For example:

        accounts.choose(turn)               # a turn that "a" and "b" may answer, as `turn.accounts` says
        accounts.current                    # "b", which has the most headroom
        accounts.drop_current(error, turn)  # after a failure of "b"
        accounts.current                    # "a"
    """

    def __init__(self, fleet: Fleet, fallback: Fallback | None = None) -> None:
        self._fleet = fleet
        self._fallback = fallback
        self._names: list[str] = []

    def choose(self, turn: Turn, earlier_states: Sequence[bytes] = ()) -> None:
        """Order the accounts of the turn, unless that was done before. Raises NoAccountLeft.

        `earlier_states` are the digests of the conversation, which stays with its account.
        """
        if not self._names:
            self._names = self._fleet.chooser.order(turn.accounts, turn.resolved_model.id, earlier_states)

    @property
    def current(self) -> str:
        """The account that is asked."""
        return self._names[0]

    def prefer(self, account: str) -> None:
        """Ask this account first, because it has a parked conversation."""
        self._names = [account, *(name for name in self._names if name != account)]

    def can_continue(self, account: str, known: int) -> bool:
        """Return True if a parked conversation of the account, which knows `known` messages, can be continued.

        A process that is only set up must have the best account.
        """
        return account in (self._names if known else self._names[:1])

    def has_more(self, error: GatewayError) -> bool:
        """Return True if something else can answer a turn that has failed with `error`."""
        return len(self._names) > 1 or (self._fallback is not None and isinstance(error, AccountLimitReached))

    def drop_current(self, error: GatewayError, turn: Turn) -> None:
        """Record the failure of the current account, and go on to the next one. Raises the error for the client.

        After the last account, `choose` raises NoAccountLeft, so that the fallback is asked.
        """
        explained, failed = self.record_failure(error, turn), self.current
        if len(self._names) == 1 and not isinstance(explained, NoAccountLeft):
            raise explained
        del self._names[0]
        following = f"account {self.current}" if self._names else "the fallback"
        log.warning("account %s cannot answer, so %s is asked: %s", failed, following, error)

    def fall_back(self, turn: Turn, error: NoAccountLeft) -> Turn:
        """Return the turn for the fallback, and choose its account. Raises NoAccountLeft if that cannot answer."""
        fallback, self._fallback = self._fallback, None
        if fallback is None:
            raise error
        try:
            changed = fallback.apply(turn, self._fleet.catalog)
        except ModelNotSupported as problem:
            log.error("the fallback of a key cannot be used: %s", problem)
            raise error from problem
        self.choose(changed)
        fallback.reserve(changed, error)
        model = changed.resolved_model.id
        log.warning("all accounts are out of quota, so account %s is asked for %s", self.current, model)
        return changed

    def record_failure(self, error: GatewayError, turn: Turn) -> GatewayError:
        """Record the failure of the current account, and return the error for the client."""
        if not self._names or turn.model is None:
            return error
        return self._fleet.record_failure(error, self.current, turn.model.id, turn.accounts)

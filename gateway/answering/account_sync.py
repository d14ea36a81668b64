"""Share what this worker learns about the accounts with all other workers, through the database."""

import logging
from collections.abc import Callable

import gevent
from gevent.event import Event

from gateway.accounts.states import AccountStates
from gateway.answering.outages import Outage
from gateway.errors import StoreError
from gateway.store.account_facts import AccountFacts

log = logging.getLogger(__name__)

SYNC_SECONDS = 5.0
MIN_PAUSE_SECONDS = 0.1  # news that others should know soon comes in groups


class AccountSync:
    """Stores new facts, and takes over the facts of other workers, every SYNC_SECONDS. Urgent news is stored at once.

    `reload` is called before, to apply changes of the list of accounts.
    If the database fails, the next round tries again: a worker can answer without the others' facts.
    """

    def __init__(
        self, states: AccountStates, facts: AccountFacts, reload: Callable[[], None] = lambda: None
    ) -> None:
        self._states = states
        self._facts = facts
        self._reload = reload
        self._has_news = Event()
        self._outage = Outage(log, "the states of the accounts cannot be shared")
        states.on_change = self._has_news.set

    def open(self) -> None:
        """Start to share, in the background."""
        gevent.spawn(self._share_forever)

    def share(self) -> None:
        """Store the new facts, and take over all later ones. Raises StoreError."""
        changes = self._states.take_changes()
        try:
            if changes:
                self._facts.save(changes)
        except StoreError:
            self._states.keep_changes(changes)
            raise
        self._states.merge(self._facts.load())

    def _share_forever(self) -> None:
        while True:
            with self._outage:
                self._reload()
                self.share()
            gevent.sleep(MIN_PAUSE_SECONDS)
            self._has_news.wait(SYNC_SECONDS)
            self._has_news.clear()

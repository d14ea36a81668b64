"""The facts about accounts that workers share, and that outlive a restart.

For example:

    facts.save([Fact("team-a", "login", True, 1.9e9)])
    facts.load()    # the same fact, or a later one
"""

import json
from collections.abc import Sequence
from typing import Any

from gateway.accounts.states import Fact
from gateway.store.account_models import AccountFact
from gateway.store.database import Store
from gateway.store.statements import SAVE_ACCOUNT_FACT, execute


class AccountFacts:
    """The table of facts about accounts. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, facts: Sequence[Fact]) -> None:
        """Store facts, unless later ones are stored."""

        def work(db: Any) -> None:
            for fact in facts:
                values = (fact.account, fact.name, json.dumps(fact.value), fact.heard_at)
                execute(db, SAVE_ACCOUNT_FACT, *values)

        self._store.write(work)

    def load(self) -> list[Fact]:
        """Return all facts."""
        rows = self._store.read(lambda db: list(AccountFact.select().execute(db)))
        return [Fact(row.account, row.name, row.value, row.heard_at) for row in rows]

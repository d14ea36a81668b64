"""Settings that were changed at run time. Each change is noted in the audit log, in the same transaction.

For example:

    table.change("KEEP_SECONDS", "60", COMMAND_LINE)
    table.load()["KEEP_SECONDS"].value    # "60"
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.admin_models import RuntimeSettingRow
from gateway.store.audit import Actor, note_change
from gateway.store.database import Store, utc_now


@dataclass(frozen=True, slots=True)
class RuntimeChange:
    """A change of a setting. `value` is text, as in a settings file, and `changed_by` the name of a key."""

    name: str
    value: str
    changed_at: datetime
    changed_by: str


class RuntimeSettings:
    """The table of settings that were changed. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> Mapping[str, RuntimeChange]:
        """Return all changes, by the names of the settings."""
        rows = self._store.read(lambda db: list(RuntimeSettingRow.select().execute(db)))
        changes = (RuntimeChange(row.name, row.value, row.changed_at, row.changed_by) for row in rows)
        return {change.name: change for change in changes}

    def change(self, name: str, value: str, by: Actor) -> None:
        """Store the new value of a setting."""

        def work(db: Any) -> None:
            before = _delete(db, name)
            RuntimeSettingRow.insert(
                name=name, value=value, changed_at=utc_now(), changed_by=by.name
            ).execute(db)
            note_change(db, by, "setting.change", name, before, {"value": value})

        self._store.write(work)

    def reset(self, name: str, by: Actor) -> bool:
        """Forget the change of a setting. Return False if the setting was not changed."""

        def work(db: Any) -> bool:
            before = _delete(db, name)
            if before is not None:
                note_change(db, by, "setting.reset", name, before, None)
            return before is not None

        return self._store.write(work)


def _delete(db: Any, name: str) -> dict[str, Any] | None:
    """Delete the row of a setting, and return its value for the audit log; None if there is no row."""
    row = RuntimeSettingRow.select().where(RuntimeSettingRow.name == name).first(db)
    RuntimeSettingRow.delete().where(RuntimeSettingRow.name == name).execute(db)
    return None if row is None else {"value": row.value}

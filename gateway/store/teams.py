"""Teams, whose keys share budgets per day and month. Each change is noted in the audit log, in the same transaction.

For example:

    team = teams.create("web", limits={"usd_per_month": 200})
    keys.create("alice", team_id=team.id)
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from gateway.errors import TeamHasKeys, TeamNotFound
from gateway.store.admin_models import TeamRow
from gateway.store.audit import COMMAND_LINE, Actor, changed_fields, note_change
from gateway.store.database import Store, utc_now
from gateway.store.models import ApiKey

CHANGEABLE = ("name", "limits", "notes")


@dataclass(frozen=True, slots=True)
class Team:
    """A team. `limits` has some of LONG_BUDGET_NAMES, and `keys` is the number of keys that are not revoked."""

    id: str
    name: str
    limits: Mapping[str, Any]
    notes: str
    created_at: datetime
    keys: int = 0


class Teams:
    """The table of teams. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(
        self,
        name: str,
        *,
        limits: Mapping[str, float] | None = None,
        notes: str = "",
        by: Actor = COMMAND_LINE,
    ) -> Team:
        """Create a team."""
        team = Team(f"team_{secrets.token_hex(8)}", name, dict(limits or {}), notes, utc_now())

        def work(db: Any) -> None:
            values = {field: getattr(team, field) for field in ("id", *CHANGEABLE, "created_at")}
            TeamRow.insert(**values).execute(db)
            note_change(db, by, "team.create", team.id, None, _audited(team))

        self._store.write(work)
        return team

    def list(self) -> list[Team]:
        """Return all teams, the oldest first."""
        query = TeamRow.select().order_by(TeamRow.created_at, TeamRow.id)

        def work(db: Any) -> list[Team]:
            counted = ApiKey.select(ApiKey.team_id, fn.COUNT(ApiKey.id)).where(ApiKey.is_active)
            counts = dict(counted.group_by(ApiKey.team_id).tuples().execute(db))
            return [_team(row, counts.get(row.id, 0)) for row in query.execute(db)]

        return self._store.read(work)

    def get(self, team_id: str) -> Team:
        """Return one team. Raise TeamNotFound."""
        return self._store.read(lambda db: _get(db, team_id))

    def find_name(self, team_id: str) -> str:
        """Return the name of a team; its id if it was deleted."""
        row = self._store.read(TeamRow.select().where(TeamRow.id == team_id).first)
        return row.name if row else team_id

    def change(self, team_id: str, changes: Mapping[str, Any], by: Actor = COMMAND_LINE) -> Team:
        """Change some of the fields CHANGEABLE. `limits` are merged; None removes a limit. Raise TeamNotFound."""

        def work(db: Any) -> Team:
            old = _get(db, team_id)
            merged = {**old.limits, **(changes.get("limits") or {})}
            limits = {name: value for name, value in merged.items() if value is not None}
            TeamRow.update({**changes, "limits": limits}).where(TeamRow.id == team_id).execute(db)
            new = _get(db, team_id)
            note_change(db, by, "team.change", team_id, *changed_fields(_audited(old), _audited(new)))
            return new

        return self._store.write(work)

    def delete(self, team_id: str, by: Actor = COMMAND_LINE) -> Team:
        """Delete a team that has only revoked keys. Raise TeamNotFound or TeamHasKeys."""

        def work(db: Any) -> Team:
            team = _get(db, team_id)
            if team.keys:
                shared = "1 key shares" if team.keys == 1 else f"{team.keys} keys share"
                raise TeamHasKeys(
                    f"{shared} the budgets of the team {team.name!r}. They must leave it or be revoked first."
                )
            TeamRow.delete().where(TeamRow.id == team_id).execute(db)
            note_change(db, by, "team.delete", team_id, _audited(team), None)
            return team

        return self._store.write(work)


def _get(db: Any, team_id: str) -> Team:
    row = TeamRow.select().where(TeamRow.id == team_id).first(db)
    if row is None:
        raise TeamNotFound(f"There is no team {team_id}.")
    return _team(row, ApiKey.select().where((ApiKey.team_id == team_id) & ApiKey.is_active).count(db))


def _team(row: TeamRow, keys: int) -> Team:
    return Team(row.id, row.name, row.limits, row.notes, row.created_at, keys)


def _audited(team: Team) -> dict[str, Any]:
    return {name: getattr(team, name) for name in CHANGEABLE}

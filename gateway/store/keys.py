"""Clients' API keys in the database. Each change is noted in the audit log, in the same transaction."""

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.accounts.states import AccountStates
from gateway.errors import AccountTaken, InvalidRequest, KeyNotFound, KeyRevoked, UnknownTeam
from gateway.record import Record
from gateway.store import key_secrets
from gateway.store.admin_models import TeamRow
from gateway.store.audit import COMMAND_LINE, Actor, changed_fields, note_change
from gateway.store.database import Store, utc_now
from gateway.store.models import ApiKey


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are in UTC.

    `allowed_models` and `allowed_projects` are None if all are allowed. `limits` has the names of Allowance.
    `hosted_tools` is None if the gateway's own setting applies. `accounts` is None if all shared accounts may answer.
    `fallback` says what answers when all of them are out of quota: a `model`, an `account` or both, and its own budget
    as `usd_per_day` or `usd_per_month`. `team_limits` are the budgets of the key's team. With `keeps_bodies`, the list
    of requests has the bodies of the key's requests and answers.
    """

    id: str
    prefix: str
    name: str
    is_admin: bool
    is_active: bool
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_projects: tuple[str, ...] | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    hosted_tools: tuple[str, ...] | None = None
    notes: str | None = None
    team_id: str | None = None
    team_limits: Mapping[str, Any] = field(default_factory=dict)
    keeps_bodies: bool = False
    accounts: tuple[str, ...] | None = None
    fallback: Mapping[str, Any] | None = None
    total_requests: int = 0
    total_tokens: int = 0
    total_cost: float = 0.0

    @property
    def state(self) -> str:
        """Return "active", "expired" or "revoked"."""
        if not self.is_active:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= utc_now() else "active"


#: The fields of a key that can be changed, and that the audit log has.
CHANGEABLE = (
    "name",
    "is_admin",
    "expires_at",
    "allowed_models",
    "allowed_projects",
    "limits",
    "hosted_tools",
    "notes",
    "team_id",
    "keeps_bodies",
    "accounts",
    "fallback",
)
_LISTS = ("allowed_models", "allowed_projects", "hosted_tools", "accounts")


class Keys:
    """The table of keys. Every method raises StoreError when the database fails.

    For example:

        key, secret = keys.create("alice", limits={"requests_per_minute": 10})
        keys.find(secret)  # equals `key`

    `states` has the accounts of the gateway. Those that are not shared may serve one active key only.
    """

    def __init__(self, store: Store, states: AccountStates | None = None) -> None:
        self._store = store
        self._states = states or AccountStates(())

    def create(self, name: str, *, by: Actor = COMMAND_LINE, **fields: Any) -> tuple[Key, str]:
        """Create a key. Return its record and its secret, which cannot be read again.

        `fields` are some of CHANGEABLE. Raise UnknownTeam, AccountTaken, or InvalidRequest for an unknown account or a
        fallback that is not complete.
        """
        secret = key_secrets.generate_key()
        values = {
            "id": f"key_{secrets.token_hex(8)}",
            **_secret_values(secret),
            "created_at": utc_now(),
            **_column_values({"name": name, **fields, "limits": dict(fields.get("limits") or {})}),
        }

        def work(db: Any) -> Key:
            _check_team(db, values)
            ApiKey.insert(**values).execute(db)
            key = _get(db, values["id"])
            self._check_account(db, key, values)
            note_change(db, by, "key.create", key.id, None, _audited(key))
            return key

        return self._store.write(work), secret

    def list(self) -> list[Key]:
        """Return all keys, the oldest first."""
        query = ApiKey.select().order_by(ApiKey.created_at, ApiKey.id)

        def work(db: Any) -> list[Key]:
            teams = {team.id: team.limits for team in TeamRow.select().execute(db)}
            return [_key(row, teams.get(row.team_id)) for row in query.execute(db)]

        return self._store.read(work)

    def get(self, key_id: str) -> Key:
        """Return one key. Raise KeyNotFound."""
        return self._store.read(lambda db: _get(db, key_id))

    def change(self, key_id: str, changes: Mapping[str, Any], by: Actor = COMMAND_LINE) -> Key:
        """Change some of the fields CHANGEABLE. Raise KeyNotFound, and what `create` raises.

        `limits` are merged with the key's own ones; None restores the gateway's limit.
        """
        values = _column_values(changes)

        def work(db: Any) -> Key:
            _check_team(db, values)
            merged = {**_get(db, key_id).limits, **(values.get("limits") or {})}
            limits = {name: value for name, value in merged.items() if value is not None}
            key = _change(db, key_id, "key.change", {**values, "limits": limits}, by)
            self._check_account(db, key, values)
            return key

        return self._store.write(work)

    def revoke(self, key_id: str, by: Actor = COMMAND_LINE) -> Key:
        """Reject the key from now on. This cannot be undone. Raise KeyNotFound."""
        return self._store.write(lambda db: _change(db, key_id, "key.revoke", {"is_active": False}, by))

    def rotate(self, key_id: str, by: Actor = COMMAND_LINE) -> tuple[Key, str]:
        """Replace the key's secret; the old one is rejected from now on. Return both as `create` does.

        Raise KeyNotFound or KeyRevoked.
        """
        secret = key_secrets.generate_key()

        def work(db: Any) -> Key:
            if not _get(db, key_id).is_active:
                raise KeyRevoked(f"The key {key_id} is revoked. Create a new key.")
            return _change(db, key_id, "key.rotate", _secret_values(secret), by)

        return self._store.write(work), secret

    def set_limits(self, key_id: str, changes: Mapping[str, float | None], by: Actor = COMMAND_LINE) -> Key:
        """Change the key's own limits, by their names in Allowance, as `change` does. Raise KeyNotFound."""
        return self.change(key_id, {"limits": changes}, by)

    def set_hosted_tools(self, key_id: str, names: Iterable[str] | None, by: Actor = COMMAND_LINE) -> Key:
        """Let the key use these hosted tools; None restores the gateway's setting. Raise KeyNotFound."""
        return self.change(key_id, {"hosted_tools": names}, by)

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret; None if it is unknown, expired or revoked."""
        return self.find_by_digest(key_secrets.digest_key(secret))

    def find_by_digest(self, digest: str) -> Key | None:
        """Return the key whose secret has this digest; None if it is unknown, expired or revoked."""

        def work(db: Any) -> Key | None:
            row = ApiKey.select().where(ApiKey.key_hash == digest).first(db)
            is_found = row is not None and hmac.compare_digest(row.key_hash, digest)
            return _key(row, _find_team_limits(db, row)) if is_found else None

        key = self._store.read(work)
        return key if key is not None and key.state == "active" else None

    def check_accounts(self) -> None:
        """Raise AccountTaken if several active keys use an account that is not shared."""
        users: dict[str, Key] = {}
        for key in self.list():
            for account in self._find_exclusive(key):
                if account in users:
                    raise _account_taken(account, users[account])
                users[account] = key

    def _check_account(self, db: Any, key: Key, changed: Mapping[str, Any]) -> None:
        """Check the accounts of a key that has just been written, within the transaction."""
        self._check_known(changed.get("accounts") or (), "accounts")
        if key.fallback and changed.keys() & {"accounts", "fallback"}:
            self._check_fallback(key.fallback, key.accounts or ())
        exclusive = self._find_exclusive(key)
        if not exclusive or not changed.keys() & {"accounts", "fallback", "expires_at"}:
            return
        for row in ApiKey.select().where(ApiKey.id != key.id).execute(db):
            other = _key(row, None)
            if taken := exclusive & self._find_exclusive(other):
                raise _account_taken(min(taken), other)

    def _check_known(self, names: Iterable[str], field_name: str) -> None:
        """Raise InvalidRequest if one of the accounts does not exist."""
        known = self._states.accounts
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InvalidRequest(
                f"There is no account {unknown[0]!r}. The accounts are: {', '.join(known)}.", param=field_name
            )

    def _check_fallback(self, fallback: Mapping[str, Any], accounts: Sequence[str]) -> None:
        """Raise InvalidRequest for a fallback that could not answer, or that could spend without a limit."""
        account = fallback.get("account")
        if not account and not fallback.get("model"):
            raise InvalidRequest("A fallback needs a model, an account or both.", param="fallback")
        if not fallback.get("usd_per_day") and not fallback.get("usd_per_month"):
            raise InvalidRequest("A fallback needs a budget: usd_per_day or usd_per_month.", param="fallback")
        if not self._states.is_listed:
            raise InvalidRequest(
                "A fallback needs a list of accounts, in which the gateway's own login can be the only one. See "
                "docs/accounts.md.",
                param="fallback",
            )
        self._check_known([account] if account else [], "fallback.account")
        if account in accounts:
            raise InvalidRequest(
                f"The account {account!r} cannot be the fallback of a key that uses it anyway.",
                param="fallback.account",
            )

    def _find_exclusive(self, key: Key) -> set[str]:
        """Return the accounts of an active key that no other key may use."""
        names = {*(key.accounts or ()), (key.fallback or {}).get("account")}
        known = self._states.accounts.values() if key.state == "active" else ()
        return {account.name for account in known if account.name in names and not account.is_shared}

    def has_active(self) -> bool:
        """Return True if at least one key is active."""
        return any(key.state == "active" for key in self.list())


def _account_taken(account: str, key: Key) -> AccountTaken:
    return AccountTaken(
        f"The account {account!r} is not shared, and the key {key.id} ({key.name}) uses it.", param="accounts"
    )


def add_key_usage(db: Any, key_id: str, records: Sequence[Record]) -> None:
    """Add answers to a key's sums, within a transaction."""
    change = {
        "total_requests": ApiKey.total_requests + len(records),
        "total_tokens": ApiKey.total_tokens + sum(record.usage.total_tokens for record in records),
        "total_cost": ApiKey.total_cost + sum(record.usage.cost_usd or 0.0 for record in records),
        "last_used_at": max(record.started_at for record in records),
    }
    ApiKey.update(**change).where(ApiKey.id == key_id).execute(db)


def _column_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of columns. Raise ValueError for a field that cannot be changed."""
    if unknown := fields.keys() - set(CHANGEABLE):
        raise ValueError(f"Keys have no fields {sorted(unknown)} to set.")
    return {name: _column_value(name, value) for name, value in fields.items()}


def _column_value(name: str, value: Any) -> Any:
    if name in _LISTS and value is not None:
        return [*value]
    if name == "fallback" and value is not None:
        return {part: one for part, one in value.items() if one is not None} or None
    return value


def _audited(key: Key) -> dict[str, Any]:
    """Return what the audit log has of a key. It can be recognized by `prefix`; the log never has its digest."""
    return {name: getattr(key, name) for name in ("prefix", "is_active", *CHANGEABLE)}


def _secret_values(secret: str) -> dict[str, Any]:
    return {"key_hash": key_secrets.digest_key(secret), "prefix": key_secrets.shorten_key(secret)}


def _get(db: Any, key_id: str) -> Key:
    row = ApiKey.select().where(ApiKey.id == key_id).first(db)
    if row is None:
        raise KeyNotFound(f"There is no key {key_id}.")
    return _key(row, _find_team_limits(db, row))


def _find_team_limits(db: Any, row: ApiKey) -> Mapping[str, Any] | None:
    """Return the budgets of a key's team. Keys without a team need no second query."""
    if row.team_id is None:
        return None
    team = TeamRow.select(TeamRow.limits).where(TeamRow.id == row.team_id).first(db)
    return team.limits if team else None


def _check_team(db: Any, values: Mapping[str, Any]) -> None:
    """Raise UnknownTeam if a key is to join a team that does not exist."""
    team_id = values.get("team_id")
    if team_id is not None and TeamRow.select().where(TeamRow.id == team_id).first(db) is None:
        raise UnknownTeam(f"There is no team {team_id!r}. GET /v1/admin/teams lists them.", param="team_id")


def _change(db: Any, key_id: str, action: str, values: Mapping[str, Any], by: Actor) -> Key:
    old = _get(db, key_id)
    ApiKey.update(**values).where(ApiKey.id == key_id).execute(db)
    new = _get(db, key_id)
    note_change(db, by, action, key_id, *changed_fields(_audited(old), _audited(new)))
    return new


def _key(row: Any, team_limits: Mapping[str, Any] | None) -> Key:
    values = {name: getattr(row, name) for name in Key.__dataclass_fields__ if name != "team_limits"}
    values["team_limits"] = team_limits or {}
    for name in _LISTS:
        values[name] = None if values[name] is None else tuple(values[name])
    return Key(**values)

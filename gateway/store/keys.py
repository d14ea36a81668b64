"""Clients' API keys in the database."""

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.errors import KeyNotFound, KeyRevoked
from gateway.record import Record
from gateway.store import key_secrets
from gateway.store.database import Store, utc_now
from gateway.store.models import ApiKey


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are in UTC.

    `allowed_models` and `allowed_projects` are None if all are allowed. `limits` has the names of Allowance.
    `hosted_tools` is None if the gateway's own setting applies.
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
    total_requests: int = 0
    total_tokens: int = 0
    total_cost: float = 0.0

    @property
    def state(self) -> str:
        """Return "active", "expired" or "revoked"."""
        if not self.is_active:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= utc_now() else "active"


class Keys:
    """The table of keys. Every method raises StoreError when the database fails.

    For example:

        key, secret = keys.create("alice", limits={"requests_per_minute": 10})
        keys.find(secret)  # equals `key`
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(
        self,
        name: str,
        *,
        is_admin: bool = False,
        expires_at: datetime | None = None,
        allowed_models: Iterable[str] | None = None,
        allowed_projects: Iterable[str] | None = None,
        limits: Mapping[str, Any] | None = None,
        hosted_tools: Iterable[str] | None = None,
    ) -> tuple[Key, str]:
        """Create a key. Return its record and its secret, which cannot be read again."""
        secret = key_secrets.generate_key()
        values = {
            "id": f"key_{secrets.token_hex(8)}",
            **_secret_values(secret),
            "name": name,
            "is_admin": is_admin,
            "created_at": utc_now(),
            "expires_at": expires_at,
            "allowed_models": _as_list(allowed_models),
            "allowed_projects": _as_list(allowed_projects),
            "limits": dict(limits or {}),
            "hosted_tools": _as_list(hosted_tools),
        }

        def work(db: Any) -> Key:
            ApiKey.insert(**values).execute(db)
            return _get(db, values["id"])

        return self._store.write(work), secret

    def list(self) -> list[Key]:
        """Return all keys, the oldest first."""
        query = ApiKey.select().order_by(ApiKey.created_at, ApiKey.id)
        return self._store.read(lambda db: [_key(row) for row in query.execute(db)])

    def get(self, key_id: str) -> Key:
        """Return one key. Raise KeyNotFound."""
        return self._store.read(lambda db: _get(db, key_id))

    def revoke(self, key_id: str) -> Key:
        """Reject the key from now on. This cannot be undone. Raise KeyNotFound."""
        return self._store.write(lambda db: _update(db, key_id, {"is_active": False}))

    def rotate(self, key_id: str) -> tuple[Key, str]:
        """Replace the key's secret; the old one is rejected from now on. Return both as `create` does.

        Raise KeyNotFound or KeyRevoked.
        """
        secret = key_secrets.generate_key()

        def work(db: Any) -> Key:
            if not _get(db, key_id).is_active:
                raise KeyRevoked(f"The key {key_id} is revoked. Create a new key.")
            return _update(db, key_id, _secret_values(secret))

        return self._store.write(work), secret

    def set_limits(self, key_id: str, changes: Mapping[str, float | None]) -> Key:
        """Change the key's own limits, by their names in Allowance. Raise KeyNotFound.

        None restores the gateway's limit.
        """

        def work(db: Any) -> Key:
            limits = {**_get(db, key_id).limits, **changes}
            known = {name: value for name, value in limits.items() if value is not None}
            return _update(db, key_id, {"limits": known})

        return self._store.write(work)

    def set_hosted_tools(self, key_id: str, names: Iterable[str] | None) -> Key:
        """Let the key use these hosted tools; None restores the gateway's setting. Raise KeyNotFound."""
        return self._store.write(lambda db: _update(db, key_id, {"hosted_tools": _as_list(names)}))

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret; None if it is unknown, expired or revoked."""
        return self.find_by_digest(key_secrets.digest_key(secret))

    def find_by_digest(self, digest: str) -> Key | None:
        """Return the key whose secret has this digest; None if it is unknown, expired or revoked."""
        row = self._store.read(lambda db: ApiKey.select().where(ApiKey.key_hash == digest).first(db))
        if row is None or not hmac.compare_digest(row.key_hash, digest):
            return None
        key = _key(row)
        return key if key.state == "active" else None

    def has_active(self) -> bool:
        """Return True if at least one key is active."""
        return any(key.state == "active" for key in self.list())


def add_key_usage(db: Any, key_id: str, records: Sequence[Record]) -> None:
    """Add answers to a key's sums, within a transaction."""
    change = {
        "total_requests": ApiKey.total_requests + len(records),
        "total_tokens": ApiKey.total_tokens + sum(record.usage.total_tokens for record in records),
        "total_cost": ApiKey.total_cost + sum(record.usage.cost_usd or 0.0 for record in records),
        "last_used_at": max(record.started_at for record in records),
    }
    ApiKey.update(**change).where(ApiKey.id == key_id).execute(db)


def _as_list(values: Iterable[str] | None) -> Any:
    return None if values is None else [*values]


def _secret_values(secret: str) -> dict[str, Any]:
    return {"key_hash": key_secrets.digest_key(secret), "prefix": key_secrets.shorten_key(secret)}


def _get(db: Any, key_id: str) -> Key:
    row = ApiKey.select().where(ApiKey.id == key_id).first(db)
    if row is None:
        raise KeyNotFound(f"There is no key {key_id}.")
    return _key(row)


def _update(db: Any, key_id: str, values: Mapping[str, Any]) -> Key:
    ApiKey.update(**values).where(ApiKey.id == key_id).execute(db)
    return _get(db, key_id)


def _key(row: Any) -> Key:
    values = {name: getattr(row, name) for name in Key.__dataclass_fields__}
    for name in ("allowed_models", "allowed_projects", "hosted_tools"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Key(**values)

"""Sessions of the dashboard. All workers know them, and they end when their key does."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gateway.store import key_secrets
from gateway.store.database import Store, utc_now
from gateway.store.models import AdminSession

LIFETIME = timedelta(hours=12)
TOKEN_BYTES = 32


class AdminSessions:
    """Sessions, each identified by a random token. Only the tokens' SHA-256 digests are stored.

    A session belongs to the secret of a key, so it ends when the key is revoked, expires or gets a new secret. Every
    method raises StoreError when the database fails.

    For example:

        token = sessions.open(secret)
        keys.find_by_digest(sessions.find_digest(token))  # the key with this secret
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def open(self, key: str) -> str:
        """Open a session for the owner of this key, and return its token. Also delete expired sessions."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._now()
        row = {
            "token_hash": key_secrets.digest_key(token),
            "key_hash": key_secrets.digest_key(key),
            "expires_at": now + LIFETIME,
        }

        def work(db: Any) -> None:
            AdminSession.delete().where(AdminSession.expires_at <= now).execute(db)
            AdminSession.insert(**row).execute(db)

        self._store.write(work)
        return token

    def find_digest(self, token: str) -> str | None:
        """Return the digest of the key that opened the session; None if the session is over.

        The caller has to check that the key is still valid.
        """
        query = AdminSession.select().where(
            AdminSession.token_hash == key_secrets.digest_key(token), AdminSession.expires_at > self._now()
        )
        row = self._store.read(query.first)
        return str(row.key_hash) if row else None

    def close(self, token: str) -> None:
        """End a session, so that its token is not valid any more."""
        query = AdminSession.delete().where(AdminSession.token_hash == key_secrets.digest_key(token))
        self._store.write(query.execute)

"""The caller in whose name the items of a batch run: the key that created the batch, as it is now."""

import secrets

from gateway.answering.caller import Caller, Identity, configured_identity, identity_of
from gateway.errors import InvalidKey, KeyNotFound
from gateway.settings import Settings
from gateway.store.batches import Batch
from gateway.store.keys import Keys


class BatchCallers:
    """Finds the callers of batches. Limits and permissions of a key count as they are now."""

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self._keys = keys
        self._settings = settings
        self._configured = {one.id: one for one in map(configured_identity, settings.api_keys)}

    def find(self, batch: Batch) -> Caller:
        """Return the caller of the next item. Raises InvalidKey if the key is no longer valid, and StoreError."""
        return Caller(
            identity=self._find_identity(batch.key_id),
            owner_id=batch.owner,
            address=batch.address,
            user_agent=batch.client,
            request_id=f"req_{secrets.token_hex(16)}",
            is_batch=True,
        )

    def _find_identity(self, key_id: str | None) -> Identity | None:
        if key_id is None:
            if self._settings.require_auth:
                raise InvalidKey(
                    "The batch was created without an API key, and the gateway requires one now."
                )
            return None
        if key_id in self._configured:
            return self._configured[key_id]
        try:
            key = self._keys.get(key_id)
        except KeyNotFound:
            raise InvalidKey from None
        if key.state != "active":
            raise InvalidKey(f"The API key that created the batch is {key.state}.")
        return identity_of(key)

"""Administration of keys, for the API and the pages. `caller` is the author of each change in the audit log.

For example:

    key, secret = create_key({"name": "alice", "limits": {"usd_per_day": 5}}, caller, services)
    change_key(key.id, {"notes": "on leave", "expires_in_days": 7}, caller, services)
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from gateway.answering.caller import Caller
from gateway.answering.services import Services
from gateway.store.database import utc_now
from gateway.store.keys import Key


def create_key(fields: Mapping[str, Any], caller: Caller, services: Services) -> tuple[Key, str]:
    """Create a key with the fields of NewKeySchema. Return it, and its secret."""
    _check_fallback(fields, services)
    values = _stored_values(fields)
    given = values.pop("limits", None) or {}
    limits = {name: value for name, value in given.items() if value is not None}
    return services.keys.create(values.pop("name"), by=caller.actor, limits=limits, **values)


def change_key(key_id: str, fields: Mapping[str, Any], caller: Caller, services: Services) -> Key:
    """Change a key by the fields of KeyChangeSchema. Raises KeyNotFound."""
    _check_fallback(fields, services)
    return services.keys.change(key_id, _stored_values(fields), caller.actor)


def search_keys(
    services: Services, *, words: str = "", state: str | None = None, team_id: str | None = None
) -> Sequence[Key]:
    """Return the keys that match, the newest first. `words` are a part of the name, the notes, the id or the prefix."""
    sought = words.strip().lower()
    return [
        key
        for key in reversed(services.keys.list())
        if (state is None or key.state == state)
        and (team_id is None or key.team_id == team_id)
        and any(sought in (text or "").lower() for text in (key.name, key.notes, key.id, key.prefix))
    ]


def _check_fallback(fields: Mapping[str, Any], services: Services) -> None:
    """Raise ModelNotSupported for a fallback whose model does not exist."""
    model = (fields.get("fallback") or {}).get("model")
    if model:
        services.claude.catalog.resolve(model)


def _stored_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as the table has them."""
    values = dict(fields)
    days = values.pop("expires_in_days", None)
    return values if days is None else {**values, "expires_at": utc_now() + timedelta(days=days)}

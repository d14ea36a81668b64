"""Who asks: processes and conversations are never shared between owners."""

from __future__ import annotations

import hashlib

from flask import request

from gateway.api.hooks import auth


def current() -> str:
    """The id of the request's key, or where none is asked for, a digest of the credential; "" for one without."""
    identity = auth.identity()
    if identity is not None:
        return identity.id
    key = (
        request.headers.get("x-api-key") or request.headers.get("authorization", "").partition(" ")[2].strip()
    )
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() if key else ""


def scope() -> str | None:
    """Whose things the request may see: its own; None for everybody's, with an admin key."""
    identity = auth.identity()
    return None if identity is not None and identity.is_admin else current()

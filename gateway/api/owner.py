"""Who asks: processes and conversations are never shared between owners."""

from __future__ import annotations

import hashlib

from flask import request


def current() -> str:
    """A digest of the credential of the request; "" for one without."""
    key = (
        request.headers.get("x-api-key") or request.headers.get("authorization", "").partition(" ")[2].strip()
    )
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() if key else ""

"""The current time, as all tables have it."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """Return the current time, aware and in UTC."""
    return datetime.now(timezone.utc)

"""The app with a view that fails."""

from __future__ import annotations

from wsgi import app

__all__ = ["app"]


@app.get("/_fail")
def fail() -> str:
    """Fails as nobody foresaw."""
    raise RuntimeError("a secret detail")

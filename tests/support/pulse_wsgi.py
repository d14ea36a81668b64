"""The app with a keep-alive five times per second on silent streams."""

from gateway.claude.cli import hangs
from wsgi import app

__all__ = ["app"]

hangs.IDLE_SECONDS = 0.2

"""The app with a keep-alive every half second on silent streams."""

from gateway.claude.cli import hangs
from wsgi import app

__all__ = ["app"]

hangs.IDLE_SECONDS = 0.5

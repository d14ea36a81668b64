"""The app with a keep-alive every half second on silent streams."""

from gateway.claude.cli import conversation
from wsgi import app

__all__ = ["app"]

conversation.IDLE_SECONDS = 0.5

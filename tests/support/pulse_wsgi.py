"""The app with a quick pulse: a silent stream is told every half second that the turn goes on."""

from __future__ import annotations

from gateway.claude.cli import conversation
from wsgi import app

__all__ = ["app"]

conversation.IDLE_SECONDS = 0.5

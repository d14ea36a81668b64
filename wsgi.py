"""The former place of `gateway/wsgi.py`, which a running gateway of release 1.0 loads when it is reloaded."""

from gateway.wsgi import app

__all__ = ["app"]

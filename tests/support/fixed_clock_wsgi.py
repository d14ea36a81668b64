"""The app with a rate-limit clock that stands still 30 s into a minute, so that no minute ends during a test."""

import functools

from gateway import app as factory

NOW = 1_800_000_030.0  # seconds since 1970

factory.create_app = functools.partial(factory.create_app, now=lambda: NOW)

from wsgi import app  # noqa: E402  wsgi.py calls the function that was replaced above

__all__ = ["app"]

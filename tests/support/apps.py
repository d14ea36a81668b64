"""The gateway as a Flask app in the tests' own process, without a CLI."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask

from gateway.api.http.context import services_of
from gateway.app import create_app
from gateway.settings import Settings
from tests.support.api_client import Api

MakeApp = Callable[..., Flask]
MakeApi = Callable[..., Api]


@dataclass
class Clock:
    """A clock that tests move. Call it for the seconds since 1970; it starts at the beginning of a minute."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def open_app(*, now: Callable[[], float] = time.time, **settings: Any) -> Flask:
    """Return an app with these settings, whose rate limits read the clock `now`. Close it with `close_app`."""
    return create_app(Settings(**settings), now=now)


def close_app(app: Flask) -> None:
    """Close the app's database."""
    services_of(app).store.close()

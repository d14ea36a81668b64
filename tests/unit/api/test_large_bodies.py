"""Large requests leave no memory behind."""

import sys

from gateway.api.http import large_bodies
from gateway.errors import GatewayError, TooManyTurns


class _Large:
    """Something that a request holds."""


def _fail(held: _Large) -> None:
    try:
        raise TooManyTurns
    except GatewayError as error:
        raise error from error  # as `Run` raises it


def test_error_that_was_reported_no_longer_holds_the_frames_of_its_request() -> None:
    held, kept = _Large(), None
    before = sys.getrefcount(held)
    try:
        _fail(held)
    except TooManyTurns as error:
        kept = error
    assert sys.getrefcount(held) > before
    large_bodies.release_frames(kept)
    assert sys.getrefcount(held) == before
    large_bodies.release_frames(None)

"""Work in the background survives failures, and the first of several in a row is logged."""

import logging

import gevent
import pytest

from gateway.answering.outages import Outage
from gateway.errors import StoreError


def fail(outage: Outage, error: BaseException | None) -> None:
    with outage:
        if error is not None:
            raise error


def test_first_of_several_failures_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("test"), "notes cannot be written")
    for error in (StoreError("locked"), StoreError("full"), None, StoreError("gone")):
        fail(outage, error)
    texts = [record.message for record in caplog.records]
    assert texts == [f"notes cannot be written; trying again: {reason}" for reason in ("locked", "gone")]


def test_unexpected_failure_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    fail(Outage(logging.getLogger("test"), "notes cannot be written"), KeyError("name"))
    (record,) = caplog.records
    assert record.message == "notes cannot be written because of an unexpected error"
    assert "KeyError: 'name'" in caplog.text


def test_end_of_the_greenlet_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(gevent.GreenletExit):
        fail(Outage(logging.getLogger("test"), "notes cannot be written"), gevent.GreenletExit())
    assert caplog.records == []

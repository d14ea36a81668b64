"""Refused requests that are alike: the first ones of a minute get rows, the others are counted."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.answering.refusals import MAX_ALIKE, SECONDS, Refusals

KIND = ("192.0.2.1", "invalid_api_key")


@given(pauses=st.lists(st.floats(0.0, 2 * SECONDS), max_size=60))
def test_no_refused_request_is_forgotten(pauses: list[float]) -> None:
    """Rows are only taken while some are pending, as the list of requests does."""
    now = [0.0]
    refusals: Refusals[float] = Refusals(now=lambda: now[0])
    rows = 0
    for pause in [*pauses, SECONDS]:
        now[0] += pause
        rows += sum(count for _, count in refusals.take_repeated()) if refusals.is_pending else 0
        rows += refusals.admits(KIND, now[0])
    now[0] += SECONDS
    rows += sum(count for _, count in refusals.take_repeated())
    assert rows == len(pauses) + 1
    assert not refusals.is_pending


def test_quiet_minute_makes_room_for_new_rows() -> None:
    now = [0.0]
    refusals: Refusals[str] = Refusals(now=lambda: now[0])
    assert [refusals.admits(KIND, "request") for _ in range(MAX_ALIKE)] == [True] * MAX_ALIKE
    now[0] += SECONDS
    assert refusals.admits(KIND, "request")
    assert not refusals.is_pending

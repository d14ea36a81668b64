"""Stop sequences that the gateway watches for."""

import pytest

from gateway.claude.cli.stop_sequences import StopFilter
from gateway.turn import Event, Text, Thinking


@pytest.mark.parametrize(
    ("stops", "pieces", "passed", "found"),
    [
        (["\n\n"], ["One.\n", "\nTwo."], "One.", "\n\n"),
        (["END"], ["The E", "ND of it"], "The ", "END"),
        (["END"], ["The E", "ight"], "The Eight", None),
        (["b", "abc"], ["xabc"], "x", "abc"),
        (["aab"], ["aaa", "ab!"], "aa", "aab"),
    ],
)
def test_text_passes_up_to_the_first_stop_sequence(
    stops: list[str], pieces: list[str], passed: str, found: str | None
) -> None:
    stop_filter = StopFilter(stops)
    events: list[Event] = [Text(piece) for piece in pieces]
    result = stop_filter.filter_events(events)
    assert "".join(event.text for event in result if isinstance(event, Text)) == passed
    assert stop_filter.found == found


def test_possible_start_of_a_stop_sequence_is_withheld_until_it_is_decided() -> None:
    stop_filter = StopFilter(["END"])
    assert stop_filter.filter_events([Text("The E")]) == [Text("The ")]
    assert stop_filter.filter_events([Thinking("hm")]) == [Text("E"), Thinking("hm")]

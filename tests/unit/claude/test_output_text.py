"""The text of an output is translated to the client's form as it streams."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claude.cli.output_text import OutputText
from gateway.json_schema import ValueMapping

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def translate(mapping: ValueMapping | None, fragments: list[str]) -> list[str]:
    text = OutputText(mapping)
    return [*map(text.feed, fragments), text.finish()]


@given(JSON, st.lists(st.integers(0, 60)), st.sampled_from([None, 2]))
def test_wrapper_is_removed_wherever_the_text_is_cut(value: Any, cuts: list[int], indent: int | None) -> None:
    text = json.dumps({"value": value}, indent=indent) + "\n"
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    fragments = [text[start:end] for start, end in pairwise(bounds)]
    assert json.loads("".join(translate(ValueMapping({}, is_wrapped=True), fragments))) == value


def test_text_of_the_same_form_passes_at_once() -> None:
    assert translate(None, ['{"a', '":1}']) == ['{"a', '":1}', ""]


def test_renamed_properties_wait_for_the_end() -> None:
    mapping = ValueMapping({"ä b": "a_b_1"}, is_wrapped=True)
    assert translate(mapping, ['{"value": [{"a_b_1"', ": 1}]}"]) == ["", "", '[{"ä b": 1}]']


@pytest.mark.parametrize(
    ("mapping", "text", "expected"),
    [
        (ValueMapping({"ä": "a_1"}), '{"a_1": "cut o', '{"a_1": "cut o'),
        (ValueMapping({}, is_wrapped=True), '{"value": ["cut o', '["cut o'),
        (ValueMapping({}, is_wrapped=True), '{"other": 1}', '{"other": 1}'),
    ],
)
def test_incomplete_or_unexpected_output_stays(mapping: ValueMapping, text: str, expected: str) -> None:
    assert "".join(translate(mapping, [text])) == expected

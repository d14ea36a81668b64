"""JSON that was cut off is completed, at any place."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.partial_json import MAX_TOKENS, close_json, trim_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)


def is_beginning(part: Any, whole: Any) -> bool:
    """Return True if `part` is what can be read of the beginning of `whole`."""
    if isinstance(part, dict) and isinstance(whole, dict):
        keys = list(whole)[: len(part)]
        return list(part) == keys and all(is_beginning(part[key], whole[key]) for key in keys)
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_beginning, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    if isinstance(part, (int, float)) and isinstance(whole, (int, float)):
        return True  # a number may be cut between its digits
    return part is whole


@settings(deadline=None, max_examples=200)
@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]), st.data())
def test_every_prefix_of_an_object_becomes_a_beginning_of_it(
    value: dict[str, Any], ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    cut = text[: data.draw(st.integers(1, len(text)))]

    trimmed = trim_json(cut)
    assert trimmed is not None
    assert is_beginning(json.loads(trimmed), value)
    assert isinstance(json.loads(cut + close_json(cut)), dict)


@pytest.mark.parametrize(
    ("text", "trimmed", "closed"),
    [
        ("{", "{}", "{}"),
        ('{"pa', "{}", '{"pa":null}'),
        ('{"path"', "{}", '{"path":null}'),
        ('{"path":', "{}", '{"path":null}'),
        ('{"path":"a.p', '{"path":"a.p"}', '{"path":"a.p"}'),
        ('{"path":"a.py",', '{"path":"a.py"}', '{"path":"a.py","":null}'),
        ('{"a":[1,', '{"a":[1]}', '{"a":[1,null]}'),
        ('{"a":[1,-', '{"a":[1]}', '{"a":[1,-0]}'),
        ('{"a":tr', "{}", '{"a":true}'),
        ('{"a":1.', "{}", '{"a":1.0}'),
        ('{"a":1e+', "{}", '{"a":1e+0}'),
        ('{"a":"\\', '{"a":""}', '{"a":"\\\\"}'),
        ('{"a":"\\\\', '{"a":"\\\\"}', '{"a":"\\\\"}'),
        ('{"a":"x\\u00', '{"a":"x"}', '{"a":"x\\u0020"}'),
        ('{"a":"\\ud83d', '{"a":""}', '{"a":"\\ud83d\\udc00"}'),
        ('{"a":"\\ud83d\\u', '{"a":""}', '{"a":"\\ud83d\\udc00"}'),
        ('{"a":"\\\\\\ud83d\\ude0', '{"a":"\\\\"}', '{"a":"\\\\\\ud83d\\ude00"}'),
        ('{"a":1} \n', '{"a":1}', '{"a":1} \n'),
        ('{"a":1,}', '{"a":1}', '{"a":1,}'),
        ('{"a":1}}', '{"a":1}', '{"a":1}}'),
    ],
)
def test_text_is_completed(text: str, trimmed: str, closed: str) -> None:
    assert trim_json(text) == trimmed
    assert text + close_json(text) == closed


@pytest.mark.parametrize(
    "text", ["", " ", "hello", "{'a': 1}", '{"a": NaN}', '{"a": 1} x', "}", '{"a" 1}', "nul x"]
)
def test_other_text_is_left_alone(text: str) -> None:
    assert trim_json(text) is None or trim_json(text) == "{}"
    if text.strip():
        assert close_json(text) == ""


def test_deep_and_long_text_is_completed_quickly() -> None:
    assert trim_json("[" * 100_000) == "[" * 100_000 + "]" * 100_000
    text = '{"content": "' + "import os\\n" * 100_000
    assert trim_json(text) == text + '"}'


@pytest.mark.parametrize("end", ["", "\\", "\\u12", "\\ud83d", "\\ud83d\\ude0"])
@pytest.mark.parametrize("backslashes", [2, 10, 12, 14, 1000])
def test_ends_behind_many_backslashes_are_found(backslashes: int, end: str) -> None:
    text = '{"a":"x' + "\\" * backslashes
    assert trim_json(text + end) == text + '"}'
    assert json.loads(text + end + close_json(text + end))["a"].startswith("x" + "\\" * (backslashes // 2))


def test_text_of_too_many_tokens_is_left_alone() -> None:
    assert trim_json("[" + "1," * (MAX_TOKENS // 2 - 1)) is not None
    assert trim_json("[" + "1," * MAX_TOKENS) is None

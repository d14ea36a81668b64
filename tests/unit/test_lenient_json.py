"""JSON with half of a surrogate pair is read and written; other invalid JSON is rejected."""

import json
from typing import Any

import pytest

from gateway.lenient_json import dumps, loads


@pytest.mark.parametrize("value", [{"b": 1, "a": ["ü", None, 1.5]}, "half: \ud83d", 2**70])
def test_values_survive_a_round_trip(value: Any) -> None:
    assert loads(dumps(value)) == value


def test_byte_order_mark_is_skipped() -> None:
    assert loads(b'\xef\xbb\xbf{"a": "\\ud83d"}') == {"a": "\ud83d"}


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b'{"a": Infinity}', b"[" * 100_000, "{"])
def test_invalid_json_is_rejected(text: bytes | str) -> None:
    with pytest.raises(json.JSONDecodeError):
        loads(text)


@pytest.mark.parametrize("value", ["x", "\ud83d"])
def test_keys_can_be_sorted(value: str) -> None:
    assert dumps({"b": 1, "a": value}, sort_keys=True).startswith(b'{"a":')

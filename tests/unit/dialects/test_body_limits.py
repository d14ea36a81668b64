"""The limits on the parts of a body, each with the name of its field."""

import json
from typing import Any

import pytest

from gateway.dialects.common.body_limits import read_limited
from gateway.errors import InvalidRequest

MESSAGE = {"role": "user", "content": "x"}
RESULT = {"type": "tool_result", "content": [{"type": "text", "text": "x"}] * 100}
CALLS = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}] * 20_001}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [MESSAGE] * 10_001}, "messages"),
        ({"input": [MESSAGE] * 10_001}, "input"),
        ({"messages": [MESSAGE, {"role": "user", "content": [RESULT] * 199}]}, "messages[1].content"),
        ({"messages": [CALLS]}, "messages[0].tool_calls"),
        ({"system": [{"type": "text", "text": "x"}] * 20_001}, "system"),
        ({"tools": [{"name": "a"}] * 1001}, "tools"),
        ({"functions": [{"name": "a"}] * 1001}, "functions"),
        ({"tools": [{"type": "namespace", "tools": [{"name": "a"}] * 1001}]}, "tools[0].tools"),
        ({"tools": [{"name": "a", "input_schema": {"anyOf": [{"type": "null"}] * 5000}}]}, "tools[0]"),
        ({"response_format": {"schema": [{"type": "null"}] * 5000}}, "response_format"),
    ],
)
def test_too_many_parts_are_refused_by_the_name_of_their_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        read_limited(json.dumps(body).encode())
    assert error.value.param == field


@pytest.mark.parametrize("value", [[1] * 1_000_002, [[]] * 300_000], ids=["values", "lists"])
def test_body_with_too_many_values_is_refused_before_it_is_read(value: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="too many values"):
        read_limited(json.dumps({"x": value}).encode())


def test_large_text_is_allowed() -> None:
    body = {"messages": [{"role": "user", "content": "word, {}\n" * 100_000}]}
    assert read_limited(json.dumps(body).encode()) == body

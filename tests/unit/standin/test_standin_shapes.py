"""The stand-in knows the fields and types of the Messages API, and reports wrong ones in the API's words."""

from typing import Any

import pytest

from tests.standin.shapes import shape_problem
from tests.support.recorded import Body
from tests.support.standin_client import request, text_part

# Requests that users sent to the API, and its answers.
OBSERVED: list[tuple[Body, str]] = [
    ({"model": None}, "model: Input should be a valid string"),
    ({"model": 7}, "model: Input should be a valid string"),
    ({"messages": None}, "messages: Input should be a valid array"),
    ({"messages": "x"}, "messages: Input should be a valid array"),
    ({"messages": [{"content": "ping"}]}, "messages.0.role: Field required"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content: Input should be a valid array"),
    ({"messages": [{"role": "user", "content": {}}]}, "messages.0.content: Input should be a valid array"),
    ({"messages": [{"role": "user", "content": [7]}]}, "messages.0.content.0: Input should be an object"),
    ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type: Field required"),
    (
        {"messages": [{"role": "user", "content": "ping", "bogus": 1}]},
        "messages.0.bogus: Extra inputs are not permitted",
    ),
    ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 9.0}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    ({"tool_choice": 7}, "tool_choice: Input should be an object"),
    ({"tool_choice": None}, "tool_choice: Input should be an object"),
    ({"tools": None}, "tools: Input should be a valid array"),
    ({"tools": [7]}, "tools.0: Input should be an object"),
    ({"tools": [{"input_schema": {}}]}, "tools.0.custom.name: Field required"),
    ({"system": None}, "system: Input should be a valid array"),
    ({"thinking": "x"}, "thinking: Input should be an object"),
    ({"thinking": None}, "thinking: Input should be an object"),
    ({"cache_control": "x"}, "cache_control: Input should be an object"),
    ({"metadata": {"bogus": "x"}}, "metadata.bogus: Extra inputs are not permitted"),
    ({"metadata": {"user_id": 7}}, "metadata.user_id: Input should be a valid string"),
    ({"stop_sequences": [1]}, "stop_sequences.0: Input should be a valid string"),
    ({"temperature": "x"}, "temperature: Input should be a valid number"),
    ({"temperature": None}, "temperature: Input should be a valid number"),
    ({"service_tier": "bogus"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ({"top_k": 1.5}, "top_k: Input should be a valid integer"),
    ({"stream": None}, "stream: Input should be a valid boolean"),
    ({"inference_geo": 7}, "inference_geo: Input should be a valid string"),
    ({"zzz_unknown": 1}, "zzz_unknown: Extra inputs are not permitted"),
    # A known field is reported before an unknown one.
    ({"zzz_unknown": 1, "inference_geo": 7}, "inference_geo: Input should be a valid string"),
]


def test_file_of_shapes_matches_the_installed_sdk() -> None:
    from tests.support import sdk_shapes  # here, because importing all types of the SDK takes seconds

    assert sdk_shapes.FILE.read_text() == sdk_shapes.text()


@pytest.mark.parametrize(("fields", "expected"), OBSERVED)
def test_wrong_shape_is_reported_in_the_words_of_the_api(fields: Body, expected: str) -> None:
    assert shape_problem({**request(), **fields}) == expected


@pytest.mark.parametrize("name", ["model", "messages", "max_tokens"])
def test_missing_field_is_reported_before_anything_else(name: str) -> None:
    body = {**request(), "stop_sequences": "x"}
    del body[name]
    assert shape_problem(body) == f"{name}: Field required"


@pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": None},
        {"speed": None},
        {"metadata": {"user_id": None}},
        {"tools": [{"name": "a", "input_schema": {}, "type": None}]},
        {"system": [{**text_part("a"), "citations": None}]},
    ],
)
def test_null_is_accepted_where_the_api_takes_it(fields: dict[str, Any]) -> None:
    assert shape_problem({**request(), **fields}) is None

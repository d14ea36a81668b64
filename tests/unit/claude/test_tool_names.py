"""Names of the client's tools, as the model sees them."""

from __future__ import annotations

import pytest

from gateway.claude.cli.tools import client_names, model_name
from gateway.turn import Tool
from tests.standin.rules_tools import TOOL_NAME


@pytest.mark.parametrize(
    "name", ["now", "get weather!", "a.b/c", "ünïcode", "x" * 200, "mcp__client__now", ""]
)
def test_tool_name_is_mapped_to_one_the_api_accepts_and_back(name: str) -> None:
    mapped = model_name(name)
    assert TOOL_NAME.fullmatch(mapped)
    assert mapped == model_name(name)
    assert client_names([Tool(name, "", {})]) == {mapped: name}


def test_similar_tool_names_stay_distinct() -> None:
    names = ["a b", "a.b", "a_b", "x" * 200, "x" * 201]
    assert len({model_name(name) for name in names}) == len(names)

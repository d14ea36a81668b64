"""Strategies for lists of tools as clients send them, and the definitions that must reach the model."""

import json
from typing import Any

from hypothesis import strategies as st

from gateway.json_schema import adapt_tool_schema
from tests.standin.rules_tools import TOOL_NAME
from tests.unit.json_schema.schemas import ANY_SCHEMAS, VALID_SCHEMAS

Body = dict[str, Any]

#: Names of the CLI's own tools, of its neutral tools, and others that a program could trip over.
TRICKY_NAMES = (
    "Bash",
    "Read",
    "WebSearch",
    "Task",
    "StructuredOutput",
    "mcp__client__t1",
    "t1",
    "__proto__",
    "x" * 128,
)
_NAMES = (
    st.sampled_from(TRICKY_NAMES)
    | st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
    | st.text(min_size=1, max_size=140).filter(lambda name: not name.isspace())
)
# Text that the CLI's MCP client would normalize or strip.
_DESCRIPTIONS = st.just("") | st.sampled_from(("µg/m³ 10⁻³ ﬁ", "a\u200cb\u200d", "e\u0301\r\n\t", "d" * 3000))

#: Schemas that the API accepts as they are.
ACCEPTED_SCHEMAS = VALID_SCHEMAS.map(adapt_tool_schema).map(lambda adapted: adapted.schema)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _definitions(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries(
        {"name": _NAMES, "description": _DESCRIPTIONS, "input_schema": schemas.filter(_is_json)}
    )


def tool_lists(
    schemas: st.SearchStrategy[Any] = ANY_SCHEMAS, max_size: int = 6
) -> st.SearchStrategy[list[Body]]:
    """Return a strategy for lists of tools in the form of the Messages API, each with a name of its own."""
    return st.lists(_definitions(schemas), min_size=1, max_size=max_size, unique_by=lambda tool: tool["name"])


def assert_same_tools(given: list[Body], sent: list[Body]) -> None:
    """Assert that the model was offered the client's tools: all of them, in order, with the same text.

    A schema may differ where the API would reject the client's.
    """
    assert len(sent) == len(given)
    for tool, definition in zip(given, sent, strict=True):
        if TOOL_NAME.fullmatch(tool["name"]):
            assert definition["name"] == tool["name"]
        assert definition.get("description", "") == tool["description"]
        if isinstance(tool["input_schema"], dict) and not adapt_tool_schema(tool["input_schema"]).is_repaired:
            assert definition["input_schema"] == tool["input_schema"]

"""Names of the client's tools, as the model sees them."""

import pytest

from gateway.claude.cli.tools import OUTPUT_TOOL, ToolSet
from gateway.turn import Tool
from tests.standin.rules_tools import TOOL_NAME


def tools_named(*names: str, with_output_tool: bool = False) -> ToolSet:
    return ToolSet([Tool(name, "", {}) for name in names], [OUTPUT_TOOL] if with_output_tool else [])


def model_names(tools: ToolSet) -> list[str]:
    return [definition["name"] for definition in tools.definitions(is_strict=True)]


@pytest.mark.parametrize(
    "name", ["now", "x" * 128, "Bash", "mcp__client__t1", "mcp__x__y", OUTPUT_TOOL, "-", "0", "__proto__"]
)
def test_valid_names_are_not_changed(name: str) -> None:
    assert model_names(tools_named(name)) == [name]


@pytest.mark.parametrize("name", ["get weather!", "a.b/c", "ünïcode", "x" * 129, "", "a\n", "now\u200b"])
def test_invalid_name_gets_a_valid_form_that_is_always_the_same(name: str) -> None:
    tools = tools_named("first", name)
    _, valid = model_names(tools)
    assert TOOL_NAME.fullmatch(valid)
    assert valid == tools.model_name(name) == tools_named("other").model_name(name)
    found = tools.find(valid)
    assert found is not None
    assert found.name == name


def test_similar_names_stay_distinct() -> None:
    names = ["a b", "a.b", "a_b", "x" * 200, "x" * 201]
    names.append(tools_named().model_name("a b"))  # a client may use the form that another name gets
    tools = tools_named(*names)
    assert len(set(model_names(tools))) == len(names)
    assert tools.model_name(names[-1]) == names[-1]


def test_tool_named_as_the_clis_own_output_tool_is_renamed_for_structured_output() -> None:
    tools = tools_named(OUTPUT_TOOL, with_output_tool=True)
    assert model_names(tools) != [OUTPUT_TOOL]
    assert tools.find(OUTPUT_TOOL) is None
    assert tools.model_name(OUTPUT_TOOL) == model_names(tools)[0]


def test_each_tool_has_an_alias_and_a_neutral_tool() -> None:
    tools = tools_named("b", "a c", "a")
    listed = tools.listed()["tools"]
    assert list(tools.aliases().values()) == [f"mcp__client__{tool['name']}" for tool in listed]
    assert list(tools.aliases()) == model_names(tools)
    assert {str(tool["inputSchema"]) for tool in listed} == {"{'type': 'object'}"}

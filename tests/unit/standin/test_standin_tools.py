"""The stand-in rejects the tools and the rounds of tools that the real Messages API rejects, and no others."""

from typing import Any

import pytest

from tests.standin import Page
from tests.support.recorded import Body, assistant, system, user
from tests.support.rule_tables import Row, assert_ruled, rule_cases
from tests.support.standin_client import (
    AUTO,
    FABLE_5,
    HAIKU_4_5,
    OFF,
    ON,
    OPUS_4_0,
    OPUS_4_6,
    OPUS_4_8,
    image,
    request,
    text_part,
    thinking_part,
    tool,
    tool_result,
    tool_round,
    tool_use,
)

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SCREEN = {"display_width_px": 800, "display_height_px": 600}
SEARCHED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
RESULT = Page("https://x", "X").result()
CITATION = Page("https://x", "X").citation("so")
CITED = {"type": "text", "text": "so", "citations": [CITATION]}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [RESULT]}
SEARCH_RESULT = {"type": "search_result", "source": "x", "title": "X", "content": [text_part("x")]}
REFERENCE = {"type": "tool_reference", "tool_name": "look"}

UNFORCED = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-1",
    "claude-mythos-5-2",
)
NOT_FORCED = 'tool_choice: type "tool" and "any" are not supported for this model.'
NO_RESULT = "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."
INVALID_SCHEMA = (
    "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
)
INVALID: tuple[Any, ...] = (
    {"type": "int"},
    {"type": "any"},
    {"type": "STRING"},
    {"type": "string", "minLength": "1"},
    {"type": "array", "items": [{"type": "string"}]},
    {"type": "object", "properties": []},
    {"enum": "a"},
    {"type": "number", "exclusiveMinimum": True},
    "string",
)
VALID: tuple[Any, ...] = (
    {"type": ["string", "null"]},
    {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "example": "x"},
    {"type": "number", "exclusiveMinimum": 0},
    {},
    True,
)
OPTIONAL = {f"p{index}": {"type": "string"} for index in range(12)}


def strict(name: str, **properties: Any) -> Body:
    return {**tool(name, properties=properties, additionalProperties=False), "strict": True}


def _round(call: Body, result: Body | None = None) -> list[Body]:
    return [user("go"), assistant([call]), user([result or tool_result()])]


def _history(*blocks: Body) -> list[Body]:
    return [user("go"), assistant(list(blocks)), user("next")]


TOOLS: list[Row] = [
    (request(tools=[tool()]), None),
    (request(tools=[tool("look-up_2")]), None),
    (request(tools=[tool("a" * 128)]), None),
    (request(tools=[tool("a" * 129)]), "tools.0.custom.name: String should have at most 128 characters"),
    (
        request(tools=[tool("look.up")]),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    (request(tools=[tool("")]), "tools.0.custom.name: String should have at least 1 character"),
    (request(tools=[{"input_schema": {"type": "object"}}]), "tools.0.custom.name: Field required"),
    (request(tools=[{"name": "look"}]), "tools.0.custom.input_schema: Field required"),
    (request(tools=[{"name": "look", "input_schema": {}}]), "input_schema.type: Field required"),
    (request(tools=[tool(type="string")]), "input_schema.type: Input should be 'object'"),
    (request(tools=[{**tool(), "input_schema": None}]), "input_schema: Input should be an object"),
    (
        request(tools=[tool(anyOf=[{}])]),
        "input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    (request(tools=[tool(properties={"a": {"anyOf": [{}]}})]), None),
    (
        request(tools=[tool(properties={"a b": {}})]),
        "tools.0.custom.input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'",
    ),
    (request(tools=[tool(properties={"a": {"properties": {"größe": {}}}})]), "Property keys"),
    (request(tools=[tool(properties={"a" * 64: {}, "x.y-z_9": {}})]), None),
    (request(tools=[tool(properties={"a" * 65: {}})]), "Property keys"),
    (request(tools=[tool(properties=["a"])]), "input_schema.properties: Input should be an object"),
    (request(tools=[SEARCH]), None),
    (request(tools=[tool(), tool()]), "tools: Tool names must be unique."),
    (request(tools="look"), "tools: Input should be a valid array"),
    (request(tools=["look"]), "tools.0: Input should be an object"),
    (request(tools=[{**tool(), "description": ["sees"]}]), "description: Input should be a valid string"),
    (request(tools=[{**tool(), "parameters": {}}]), "tools.0.custom.parameters: Extra inputs"),
    (request(tools=[{"type": "function", "function": tool()}]), "Input tag 'function' found using 'type'"),
    (
        request(tools=[{**SEARCH, "name": "find"}]),
        "tools.0.web_search_20250305.name: Input should be 'web_search'",
    ),
    (request(tools=[{**SEARCH, "max_uses": 3, "allowed_domains": ["a.org"]}]), None),
    (request(tools=[{**SEARCH, "allowed_domains": ["a.org"], "blocked_domains": ["b.org"]}]), "only one of"),
    (request(tools=[{"type": "computer_20250124", "name": "computer", **SCREEN}]), "Input tag"),
    (
        request(tools=[{"type": "computer_20250124", "name": "computer", **SCREEN}]),
        None,
        ["computer-use-2025-01-24"],
    ),
    (request(tools=[{**tool(), "defer_loading": True}]), "At least one tool must have defer_loading=false."),
    (request(tools=[{**tool(), "defer_loading": True}, tool("b")]), None),
    (
        request(tools=[{**tool(), "defer_loading": True, "cache_control": {"type": "ephemeral"}}, tool("b")]),
        "Tool 'look' cannot have both defer_loading=true and cache_control set.",
    ),
    (request(tools=[{**tool(required=["at"]), "input_examples": [{"at": 1}]}]), None),
    (request(tools=[{**tool(required=["at"]), "input_examples": [{}]}]), "input_examples.0"),
]

# JSON Schema 2020-12. The API rejected requests of users for each of the invalid schemas.
SCHEMAS: list[Row] = [
    *((request(tools=[tool(properties={"a": schema})]), INVALID_SCHEMA) for schema in INVALID),
    *((request(tools=[tool(properties={"a": schema})]), None) for schema in VALID),
    (request(tools=[tool(required=True)]), INVALID_SCHEMA),
    (request(tools=[tool(required=["a", "a"])]), INVALID_SCHEMA),
    (request(tools=[tool(required=["a"])]), None),
    (request(tools=[tool(patternProperties={"^(.*)$": {}})]), INVALID_SCHEMA),
    (request(tools=[tool(patternProperties={"^x-": {}})]), None),
    (request(tools=[tool(patternProperties={"(": {}})]), INVALID_SCHEMA),
]

# The API compiles a grammar of all strict tools together.
STRICT: list[Row] = [
    (request(tools=[strict("a")]), None),
    (
        request(tools=[{**tool(), "strict": True}]),
        "tools.0.custom: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    (request(tools=[{**tool(), "strict": False}]), None),
    (
        request(tools=[strict("a", n={"type": "integer", "minimum": 1})]),
        "properties minimum are not supported",
    ),
    (request(tools=[strict(f"a{index}") for index in range(20)]), None),
    (request(tools=[strict(f"a{index}") for index in range(21)]), "Too many strict tools (21)"),
    (request(tools=[strict(f"a{index}", **OPTIONAL) for index in range(2)]), None),
    (
        request(tools=[strict(f"a{index}", **OPTIONAL) for index in range(3)]),
        "too many optional parameters (36)",
    ),
    (request(OPUS_4_0, tools=[strict("a")]), "tools.0.custom.strict: Extra inputs are not permitted"),
]

CHOICE: list[Row] = [
    (request(tools=[tool()], tool_choice={"type": "auto"}), None),
    (request(tools=[tool()], tool_choice={"type": "tool", "name": "look"}), None),
    (
        request(tools=[tool()], tool_choice={"type": "tool", "name": "touch"}),
        "Tool 'touch' not found",
    ),
    (request(tools=[tool()], tool_choice={"type": "maybe"}), "tool_choice: Input tag 'maybe'"),
    (request(tool_choice={"type": "auto"}), "tool_choice.auto may only be specified while providing tools"),
    (request(tool_choice={"type": "tool", "name": "look"}), "Tool 'look' not found in provided tools"),
    (request(tool_choice="auto"), "tool_choice: Input should be an object"),
    (request(tools=[tool()], tool_choice={"type": "none"}), None),
    (
        request(tools=[tool()], tool_choice={"type": "none", "disable_parallel_tool_use": True}),
        "tool_choice.none",
    ),
    (request(tools=[tool()], tool_choice={"type": "any", "disable_parallel_tool_use": True}), None),
    (
        request(tools=[], tool_choice={"type": "any"}),
        "tool_choice.any may only be specified while providing tools",
    ),
    (request(HAIKU_4_5, tools=[tool()], thinking=ON, tool_choice={"type": "any"}), "forces tool use"),
    (request(HAIKU_4_5, tools=[tool()], thinking=ON, tool_choice={"type": "tool", "name": "look"}), "forces"),
    (request(HAIKU_4_5, tools=[tool()], thinking=ON, tool_choice={"type": "auto"}), None),
    (request(OPUS_4_8, tools=[tool()], thinking=AUTO, tool_choice={"type": "any"}), None),
    *((request(model, tools=[tool()], tool_choice={"type": "any"}), NOT_FORCED) for model in UNFORCED),
    *((request(model, tools=[tool()], tool_choice={"type": "auto"}), None) for model in UNFORCED),
    (request(FABLE_5, tools=[tool()], tool_choice={"type": "tool", "name": "look"}), None),
]

TOOL_ROUNDS: list[Row] = [
    (request(messages=tool_round()), None),
    (
        request(messages=[user("go"), assistant([tool_use()]), user("well?")]),
        NO_RESULT,
    ),
    (
        request(OPUS_4_0, messages=[user("go"), assistant([tool_use()])]),
        NO_RESULT,
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user("a"), user([tool_result()])]),
        NO_RESULT,
    ),
    (
        request(messages=[user("go"), assistant([tool_use(), tool_use("b")]), user([tool_result()])]),
        "after: b.",
    ),
    (
        request(
            messages=[
                user("go"),
                assistant([tool_use(), tool_use("b")]),
                user([tool_result("b"), tool_result()]),
            ]
        ),
        None,
    ),
    (
        request(messages=[user([tool_result()])]),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1.",
    ),
    (request(messages=[user("go"), assistant("ok"), user([tool_result()])]), "unexpected `tool_use_id`"),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(), tool_result("b")])]),
        "unexpected",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(), tool_result()])]),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id:",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([text_part("so"), tool_result()])]),
        NO_RESULT,
    ),
    (request(messages=[user("go"), assistant([tool_use()]), user([tool_result(), text_part("so")])]), None),
    (
        request(messages=[*tool_round(), assistant([tool_use()]), user([tool_result()])]),
        "content.0: `tool_use` ids must be unique",
    ),
    (
        request(messages=[user("go"), assistant([tool_use("a b")]), user([tool_result("a b")])]),
        "content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    (
        request(messages=[user("go"), assistant([{**tool_use(), "input": "x"}]), user([tool_result()])]),
        "messages.1.content.0.tool_use.input: Input should be an object",
    ),
    (
        request(messages=[user("go"), assistant([{**tool_use(), "name": ""}]), user([tool_result()])]),
        "messages.1.content.0.tool_use.name: String should have at least 1 character",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(content=7)])]),
        "messages.2.content.0.tool_result.content: Input should be a valid array",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(content=[text_part("")])])]),
        "messages: text content blocks must be non-empty",
    ),
    (
        request(
            messages=[
                user("go"),
                assistant([tool_use()]),
                user([{**tool_result(content=""), "is_error": True}]),
            ]
        ),
        "empty",
    ),
    (request(messages=[user("go"), assistant([tool_use()]), user([tool_result(content=[image()])])]), None),
    (request(messages=[user("go"), assistant([tool_use()]), user([tool_result()]), system("noted")]), None),
    (
        request(HAIKU_4_5, thinking=ON, messages=tool_round()),
        "Expected `thinking` or `redacted_thinking`, but found",
    ),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round(text_part("so"))), "but found `text`"),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round(thinking_part())), None),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round({"type": "redacted_thinking", "data": "x"})), None),
    (request(HAIKU_4_5, thinking=ON, messages=[*tool_round(), assistant("ok"), user("next")]), None),
    (request(HAIKU_4_5, thinking=OFF, messages=tool_round()), None),
    (request(OPUS_4_6, thinking=AUTO, messages=tool_round()), None),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round(thinking_part("made up"))), "Invalid `signature`"),
    (
        request(messages=[user("go"), assistant([text_part("a"), thinking_part()]), user("b")]),
        "The final block in an assistant message cannot be `thinking`.",
    ),
    # The API combines consecutive messages of one role.
    (
        request(
            messages=[
                user("go"),
                assistant([tool_use()]),
                assistant([tool_use("b")]),
                user([tool_result()]),
                user([tool_result("b")]),
            ]
        ),
        None,
    ),
    (request(messages=_round({**tool_use(), "name": "x" * 200})), None),
    (request(messages=_round({**tool_use(), "name": "x" * 201})), "name: String should have at most 200"),
    (
        request(messages=_round({**tool_use(), "text": ""})),
        "messages.1.content.0.tool_use.text: Extra inputs",
    ),
    (
        request(messages=_round(tool_use(), {**tool_result(), "name": "look"})),
        "tool_result.name: Extra inputs",
    ),
    (
        request(messages=_round(tool_use(), {"type": "tool_result"})),
        "tool_result.tool_use_id: Field required",
    ),
    (request(messages=_round(tool_use(), tool_result(content=[thinking_part()]))), "Input tag 'thinking'"),
    (request(messages=_round(tool_use(), tool_result(content=[text_part("a"), SEARCH_RESULT]))), None),
    (
        request(messages=_round(tool_use(), tool_result(content=[REFERENCE]))),
        "Tool reference 'look' not found",
    ),
    (request(tools=[tool()], messages=_round(tool_use(), tool_result(content=[REFERENCE]))), None),
]

# Tools that run at Anthropic: a call and its result are blocks of one assistant message.
SERVER_TOOLS: list[Row] = [
    (request(messages=_history(SEARCHED, FOUND, text_part("so"))), None),
    (request(messages=_history(SEARCHED, FOUND, CITED)), None),
    (
        request(messages=_history(SEARCHED, {**FOUND, "content": [{**RESULT, "title": "Y"}]})),
        "`encrypted_content`",
    ),
    (request(messages=_history({**CITED, "text": "so"})), None),
    (
        request(messages=_history({**CITED, "citations": [{**CITATION, "cited_text": "no"}]})),
        "`encrypted_index`",
    ),
    # An answer that has paused goes on without a new message.
    (request(messages=[user("go"), assistant([SEARCHED, FOUND])]), None),
    (request(messages=_history(FOUND)), "unexpected `tool_use_id` found in `web_search_tool_result` blocks"),
    (
        request(messages=_history(FOUND)),
        "Each `web_search_tool_result` block must have a corresponding `server_tool_use` block before it.",
    ),
    (
        request(messages=_history(SEARCHED, text_part("so"))),
        "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a corresponding"
        " `web_search_tool_result` block",
    ),
    # The model asked for both kinds of tools: the turn goes on after the client's results.
    (request(messages=[user("go"), assistant([SEARCHED, tool_use()]), user([tool_result()])]), None),
    (
        request(
            messages=[user("go"), assistant([SEARCHED, tool_use()]), user([tool_result(), text_part("so")])]
        ),
        "was found without a corresponding",
    ),
    (
        request(messages=_history({**SEARCHED, "id": "toolu_1"}, {**FOUND, "tool_use_id": "toolu_1"})),
        "server_tool_use.id: String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'",
    ),
    (
        request(messages=_history({**SEARCHED, "name": "find"}, FOUND)),
        "server_tool_use.name: Input should be",
    ),
    (
        request(messages=_history(SEARCHED, {**FOUND, "content": [{"url": "x"}]})),
        "content.0.encrypted_content",
    ),
    (request(messages=[user([SEARCHED])]), "`server_tool_use` blocks can only be in `assistant` messages"),
]


@pytest.mark.parametrize(
    ("body", "expected", "betas"),
    rule_cases(
        tools=TOOLS, schemas=SCHEMAS, strict=STRICT, choice=CHOICE, rounds=TOOL_ROUNDS, server=SERVER_TOOLS
    ),
)
def test_tools_are_accepted_or_rejected_as_the_api_does(
    body: Body, expected: str | None, betas: list[str]
) -> None:
    assert_ruled(body, expected, betas)

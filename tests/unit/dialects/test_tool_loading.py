"""Tools that a client loads later, and tools that run at Anthropic.

The requests have the forms that Claude Code 2.1.332 sends. References:
https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool
"""

from typing import Any

import pytest

from gateway.dialects.messages.request import MessagesRequest, parse_request

Body = dict[str, Any]

SCHEMA: Body = {"type": "object", "properties": {"url": {"type": "string"}}}
FETCH: Body = {"name": "WebFetch", "description": "Fetches.", "input_schema": SCHEMA, "defer_loading": True}
NOTES: Body = {"name": "Notes", "description": "", "input_schema": {"type": "object"}, "defer_loading": True}
SEARCH: Body = {"name": "ToolSearch", "description": "Finds tools.", "input_schema": SCHEMA}
FETCH_LINE = (
    '<function>{"description":"Fetches.","name":"WebFetch",'
    '"parameters":{"type":"object","properties":{"url":{"type":"string"}}}}</function>'
)
NOTES_LINE = '<function>{"description":"","name":"Notes","parameters":{"type":"object"}}</function>'
CALL: Body = {"type": "tool_use", "id": "toolu_1", "name": "ToolSearch", "input": {"url": "select:WebFetch"}}


def request(*messages: Body, **fields: Any) -> MessagesRequest:
    return parse_request({"max_tokens": 9000, "messages": list(messages), **fields})


def search(*content: Body) -> list[Body]:
    """Return a conversation in which ToolSearch was called, with the content of its result."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(content)}
    return [
        {"role": "user", "content": "Fetch it."},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [result]},
    ]


def reference(name: str) -> Body:
    return {"type": "tool_reference", "tool_name": name}


def test_references_become_the_definitions_that_the_model_reads() -> None:
    sent = search(reference("WebFetch"), reference("Notes"), {"type": "text", "text": "Found 2."})
    parsed = request(*sent, tools=[SEARCH, FETCH, NOTES])
    (result,) = parsed.turn.messages[-1].content
    assert [part["text"] for part in result["content"]] == [
        f"<functions>\n{FETCH_LINE}\n{NOTES_LINE}\n</functions>",
        "Found 2.",
    ]
    assert [dict(tool.options) for tool in parsed.turn.tools] == [
        {},
        {"defer_loading": True},
        {"defer_loading": True},
    ]
    assert (parsed.ignored, parsed.repaired) == ((), ())


def test_reference_to_a_tool_that_is_not_there_becomes_text_and_is_named() -> None:
    parsed = request(*search(reference("Gone"), reference("WebFetch")), tools=[SEARCH, FETCH])
    (result,) = parsed.turn.messages[-1].content
    assert [part["text"] for part in result["content"]] == [
        '[tool_reference: {"tool_name": "Gone"}]',
        f"<functions>\n{FETCH_LINE}\n</functions>",
    ]
    assert [repair.code for repair in parsed.repaired] == ["part-as-text"]


def test_system_messages_add_and_remove_tools_where_they_stand() -> None:
    """The beta `mid-conversation-tool-changes-2026-07-01`."""
    definition = {key: value for key, value in NOTES.items() if key != "defer_loading"}
    change = {
        "role": "system",
        "content": [
            {"type": "text", "text": "News."},
            {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}},
            {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "WebFetch"}},
            {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "Old"}},
        ],
    }
    parsed = request({"role": "user", "content": "Hi"}, change, tools=[SEARCH, FETCH])
    note = parsed.turn.messages[-1].content[-1]["text"]
    assert note == (
        "<system-reminder>\nNews."
        f"\n\nThis tool is available from now on:\n<functions>\n{NOTES_LINE}\n</functions>"
        f"\n\nThis tool is available from now on:\n<functions>\n{FETCH_LINE}\n</functions>"
        "\n\nThis tool is no longer available: Old\n</system-reminder>"
    )
    assert [tool.name for tool in parsed.turn.tools] == ["ToolSearch", "WebFetch", "Notes"]
    assert parsed.turn.tools[-1].options == {"defer_loading": True}  # the prompt before stays as it is
    assert (parsed.ignored, parsed.repaired) == ((), ())


def test_changes_of_remote_tools_name_them_as_the_model_does() -> None:
    added = {"type": "mcp_tool_reference", "server_name": "docs", "name": "search"}
    removed = {"type": "mcp_toolset_reference", "server_name": "notes"}
    content = [{"type": "tool_addition", "tool": added}, {"type": "tool_removal", "tool": removed}]
    parsed = request(
        {"role": "user", "content": "Hi"}, {"role": "system", "content": content}, tools=[SEARCH]
    )
    note = parsed.turn.messages[-1].content[-1]["text"]
    assert "available from now on:\nmcp__docs__search" in note
    assert "no longer available: all tools of the MCP server notes" in note


@pytest.mark.parametrize("kind", ["web_search_20250305", "web_fetch_20260318", "code_execution_20260521"])
def test_tools_that_run_at_anthropic_are_left_out_and_named(kind: str) -> None:
    parsed = request({"role": "user", "content": "Hi"}, tools=[{"type": kind, "name": "hosted"}, SEARCH])
    assert [tool.name for tool in parsed.turn.tools] == ["ToolSearch"]
    assert parsed.ignored == ("tools[0]",)


def test_all_tools_are_loaded_if_the_search_for_them_is_left_out() -> None:
    hosted = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    parsed = request({"role": "user", "content": "Hi"}, tools=[hosted, SEARCH, FETCH])
    assert [dict(tool.options) for tool in parsed.turn.tools] == [{}, {}]
    assert parsed.ignored == ("tools.defer_loading", "tools[0]")


HEADER = "x-anthropic-billing-header: cc_version=2.1.332.9b2; cc_entrypoint=cli; cch=0a1b2;"


@pytest.mark.parametrize(
    ("system", "texts", "ignored"),
    [
        ([HEADER, "You are Claude Code."], ("You are Claude Code.",), ("system[0]",)),
        (["Be brief.", f"{HEADER}\n"], ("Be brief.",), ("system[1]",)),
        ([f"{HEADER}\nYou are Claude Code."], (f"{HEADER}\nYou are Claude Code.",), ()),
    ],
)
def test_attribution_of_a_claude_code_client_is_left_out_and_named(
    system: list[str], texts: tuple[str, ...], ignored: tuple[str, ...]
) -> None:
    """Its `cch` changes with each request, and the CLI sends its own."""
    blocks = [{"type": "text", "text": text} for text in system]
    parsed = request({"role": "user", "content": "Hi"}, system=blocks)
    assert (parsed.turn.system, parsed.ignored) == (texts, ignored)


LONG: Body = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TEXT: Body = {"type": "text", "text": "Hi"}


@pytest.mark.parametrize(
    ("fields", "is_long"),
    [
        (LONG, True),
        ({"system": [TEXT | LONG]}, True),
        ({"tools": [SEARCH | LONG]}, True),
        ({"messages": [{"role": "user", "content": [TEXT, TEXT | LONG]}]}, True),
        ({"messages": search(TEXT | LONG)}, True),
        ({"system": [TEXT | {"cache_control": {"type": "ephemeral"}}]}, False),
        ({"system": "ttl 1h"}, False),
    ],
)
def test_mark_that_lasts_an_hour_counts_wherever_it_is(fields: Body, is_long: bool) -> None:
    body = {"max_tokens": 9000, "messages": [{"role": "user", "content": "Hi"}], "tools": [SEARCH], **fields}
    assert (parse_request(body).turn.serving.cache == "1h") is is_long

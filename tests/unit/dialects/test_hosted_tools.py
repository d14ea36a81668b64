"""Hosted tools in requests: which of them a key may use, what they become, and which are refused."""

from typing import Any

import pytest

from gateway.dialects.chat import request as chat
from gateway.dialects.chat.cursor import as_chat
from gateway.dialects.messages import request as messages
from gateway.dialects.responses import request as responses
from gateway.errors import InvalidRequest
from gateway.turn import ToolChoice, Turn

Body = dict[str, Any]

ALL = ("web_search", "web_fetch")
BASIC = {"type": "web_search_20250305", "name": "web_search"}
LOOK: Body = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
ITEM: Body = {"role": "user", "content": "hi"}


def of_responses(allowed: tuple[str, ...] = ALL, **fields: Any) -> responses.ResponsesRequest:
    return responses.parse_request({"input": [ITEM], **fields}, [ITEM], hosted_tools=allowed)


def of_chat(allowed: tuple[str, ...] = ALL, **fields: Any) -> chat.ChatRequest:
    return chat.parse_plain_body(as_chat({"messages": [ITEM], **fields}, hosted_tools=allowed))


def of_messages(allowed: tuple[str, ...] = ALL, **fields: Any) -> messages.MessagesRequest:
    return messages.parse_request({"messages": [ITEM], "max_tokens": 9, **fields}, hosted_tools=allowed)


def definitions(turn: Turn) -> list[Body]:
    return [dict(tool.definition) for tool in turn.hosted_tools]


@pytest.mark.parametrize(
    ("tool", "definition", "ignored"),
    [
        ({"type": "web_search"}, {}, ()),
        ({"type": "web_search_preview_2025_03_11"}, {}, ()),
        ({"type": "web_search_2025_08_26", "search_context_size": "medium"}, {}, ()),
        ({"type": "web_search", "search_context_size": "high"}, {}, ("tools[0].search_context_size",)),
        ({"type": "web_search", "external_web_access": False}, {}, ("tools[0].external_web_access",)),
        (
            {"type": "web_search", "filters": {"blocked_domains": ["b.org"]}},
            {"blocked_domains": ["b.org"]},
            (),
        ),
        (
            {"type": "web_search", "filters": {"allowed_domains": ["a.org"], "blocked_domains": ["b.org"]}},
            {"allowed_domains": ["a.org"]},
            ("tools[0].filters.blocked_domains",),
        ),
        ({"type": "web_search", "user_location": {"type": "approximate", "city": None}}, {}, ()),
        ({**BASIC, "max_uses": 2, "cache_control": {"type": "ephemeral"}}, {"max_uses": 2}, ()),
    ],
)
def test_openai_search_becomes_a_native_one(tool: Body, definition: Body, ignored: tuple[str, ...]) -> None:
    for parsed in (of_responses(tools=[tool]), of_chat(tools=[tool])):
        assert definitions(parsed.turn) == [{**BASIC, **definition}]
        assert parsed.turn.drops_hosted_calls
        assert parsed.ignored == ignored


def test_without_permission_nothing_but_the_header_changes() -> None:
    tools = [{"type": "web_search"}, LOOK]
    for parsed in (
        of_responses((), tools=tools),
        of_chat((), tools=tools),
        of_responses(("web_fetch",), tools=tools),
    ):
        assert (definitions(parsed.turn), parsed.ignored) == ([], ("tools[0]",))
        assert not parsed.turn.drops_hosted_calls
    native = of_messages((), tools=[BASIC])
    assert (definitions(native.turn), native.ignored) == ([], ("tools[0]",))
    assert of_chat((), web_search_options={}).ignored == ("web_search_options",)
    assert of_responses(tools=[LOOK]).turn == of_responses((), tools=[LOOK]).turn


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search"},
        "required",
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
    ],
)
def test_forced_search_without_permission_is_refused_with_advice(choice: Any) -> None:
    for parse in (of_responses, of_chat):
        with pytest.raises(InvalidRequest, match=r"'web_search'.* HOSTED_TOOLS|HOSTED_TOOLS"):
            parse((), tools=[{"type": "web_search"}], tool_choice=choice)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "web_search"}, ToolChoice("tool", "web_search", is_hosted=True)),
        ({"type": "web_search_preview"}, ToolChoice("tool", "web_search", is_hosted=True)),
        ("required", ToolChoice("any")),
        ("none", ToolChoice("none")),
        ({"type": "function", "name": "look"}, ToolChoice("tool", "look")),
    ],
)
def test_choice_may_be_a_hosted_tool(choice: Any, expected: ToolChoice) -> None:
    assert of_responses(tools=[LOOK, {"type": "web_search"}], tool_choice=choice).turn.tool_choice == expected


def test_allowed_tools_limit_hosted_tools_too() -> None:
    tools = [LOOK, {"type": "web_search"}]
    for listed, own, hosted in (
        ([{"type": "web_search"}], 0, 1),
        ([{"type": "function", "name": "look"}], 1, 0),
    ):
        choice = {"type": "allowed_tools", "mode": "required", "tools": listed}
        turn = of_responses(tools=tools, tool_choice=choice).turn
        assert (len(turn.tools), len(turn.hosted_tools)) == (own, hosted)


def test_include_and_max_tool_calls_have_an_effect_only_with_a_search() -> None:
    fields: Body = {"include": ["web_search_call.action.sources"], "max_tool_calls": 2}
    searching = of_responses(tools=[{"type": "web_search"}], **fields)
    assert (searching.ignored, searching.echoed["max_tool_calls"]) == ((), 2)
    assert definitions(searching.turn) == [{**BASIC, "max_uses": 2}]
    assert of_responses(**fields).ignored == ("include", "max_tool_calls")


def test_of_two_searches_the_last_one_counts() -> None:
    parsed = of_messages(tools=[BASIC, {**BASIC, "max_uses": 1}])
    assert definitions(parsed.turn) == [{**BASIC, "max_uses": 1}]
    assert [repair.code for repair in parsed.repaired] == ["duplicate-tool"]

"""Messages API requests become turns, and errors name the field.

All valid bodies validate against the types of Anthropic's own SDK.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.common.conversation import NUDGE
from gateway.dialects.messages import request as anthropic
from gateway.dialects.messages.errors import error_body
from gateway.errors import InvalidRequest
from gateway.json_schema import adapt_output_schema
from gateway.repairs import Repair
from gateway.schemas.errors import field_error
from gateway.schemas.messages import CountTokensSchema, MessagesSchema
from gateway.turn import (
    Message,
    Sampling,
    Tool,
    ToolChoice,
    Turn,
)
from tests.support.client_bodies import PNG

Body = dict[str, Any]

HELLO: list[Body] = [{"role": "user", "content": "hi"}]
HI = (Message("user", ({"type": "text", "text": "hi"},)),)
SCHEMA: Body = {"type": "object", "properties": {"a": {"type": "integer"}}}
SEARCH: Body = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
TOOL: Body = {"name": "f", "description": "d", "input_schema": SCHEMA}
F = Tool("f", "d", SCHEMA)
IMAGE: Body = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
DOCUMENT: Body = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
    "title": "T",
    "context": "C",
}
CACHED = {"cache_control": {"type": "ephemeral"}}
LIMIT = Sampling(max_tokens=9000)


def load(body: Body) -> Body:
    """Return the body as the view gets it."""
    schema = MessagesSchema()
    problems = schema.validate(body)
    if problems:
        raise field_error(problems)
    loaded: Body = schema.load(body)
    return loaded


def request(**fields: Any) -> anthropic.MessagesRequest:
    return anthropic.parse_request(load({"max_tokens": 9000, "messages": HELLO, **fields}))


def text(content: str) -> Body:
    return {"type": "text", "text": content}


# Requests

MEANT: dict[str, tuple[Body, Turn]] = {
    "the least": ({}, Turn(HI, sampling=LIMIT)),
    "model": ({"model": "haiku"}, Turn(HI, "haiku", sampling=LIMIT)),
    "system text": ({"system": "Be brief."}, Turn(HI, system=("Be brief.",), sampling=LIMIT)),
    "system blocks": (
        {"system": [text("A") | CACHED, text(" \n"), text("B")]},
        Turn(HI, system=("A", "B"), sampling=LIMIT),
    ),
    "a system message at the start": (
        {"system": "A", "messages": [{"role": "system", "content": [text("B")]}, *HELLO]},
        Turn(HI, system=("A", "B"), sampling=LIMIT),
    ),
    "an effort in a system message": (
        {
            "messages": [*HELLO, {"role": "system", "content": [], "output_config": {"effort": "low"}}],
            "output_config": {"effort": "high"},
        },
        Turn(HI, sampling=LIMIT, effort="low"),
    ),
    "blocks": (
        {
            "messages": [
                {"role": "user", "content": [text("look") | CACHED, IMAGE | CACHED, DOCUMENT | CACHED]}
            ]
        },
        Turn((Message("user", (text("look"), IMAGE, DOCUMENT)),), sampling=LIMIT),
    ),
    "citations turned off": (
        {"messages": [{"role": "user", "content": [DOCUMENT | {"citations": {"enabled": False}}]}]},
        Turn((Message("user", (DOCUMENT,)),), sampling=LIMIT),
    ),
    "a tool round": (
        {
            "messages": [
                *HELLO,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "redacted_thinking", "data": "x"},
                        text("I look."),
                        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}} | CACHED,
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "content": [text("no"), IMAGE],
                            "is_error": True,
                        }
                    ],
                },
            ],
            "tools": [TOOL | CACHED],
        },
        Turn(
            (
                *HI,
                Message(
                    "assistant",
                    (
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "redacted_thinking", "data": "x"},
                        text("I look."),
                        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                    ),
                ),
                Message(
                    "user",
                    (
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "is_error": True,
                            "content": [text("no"), IMAGE],
                        },
                    ),
                ),
            ),
            sampling=LIMIT,
            tools=(replace(F, options=CACHED),),
        ),
    ),
    "a prefill": (
        {"messages": [*HELLO, {"role": "assistant", "content": "One, "}]},
        Turn((*HI, Message("assistant", (text("One, "),)), Message("user", (text(NUDGE),))), sampling=LIMIT),
    ),
    "sampling": (
        {"temperature": 0.5, "top_p": 0.9, "stop_sequences": ["a", "b"], "max_tokens": 1},
        Turn(HI, sampling=Sampling(1, 0.5, 0.9, ("a", "b"))),
    ),
    "the default top_p": ({"top_p": 1}, Turn(HI, sampling=LIMIT)),
    "nulls": ({"system": None, "tools": None, "temperature": None}, Turn(HI, sampling=LIMIT)),
    "any tool": (
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        Turn(HI, sampling=LIMIT, tools=(F,), tool_choice=ToolChoice("any")),
    ),
    "no tool": (
        {"tools": [TOOL | {"type": "custom"}], "tool_choice": {"type": "none"}},
        Turn(HI, sampling=LIMIT, tools=(F,), tool_choice=ToolChoice("none")),
    ),
    "one tool, one call": (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        Turn(HI, sampling=LIMIT, tools=(F,), tool_choice=ToolChoice("tool", "f", parallel=False)),
    ),
    "thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        Turn(HI, sampling=LIMIT, thinking=True, thinking_budget=1024),
    ),
    "adaptive thinking": (
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        Turn(HI, sampling=LIMIT, thinking=True, effort="high"),
    ),
    "no thinking": ({"thinking": {"type": "disabled"}}, Turn(HI, sampling=LIMIT, thinking=False)),
    "a format": (
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        Turn(HI, sampling=LIMIT, output_schema=adapt_output_schema(SCHEMA)),
    ),
    "its older spelling": (
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        Turn(HI, sampling=LIMIT, output_schema=adapt_output_schema(SCHEMA)),
    ),
}


@pytest.mark.parametrize(("fields", "turn"), MEANT.values(), ids=MEANT)
def test_request_becomes_a_turn(fields: Body, turn: Turn) -> None:
    parsed = request(**fields)
    assert parsed.turn == (turn if "thinking" in fields else replace(turn, thinking=False))
    assert parsed.ignored == ()


@pytest.mark.parametrize(
    ("fields", "is_shown"),
    [
        ({}, False),
        ({"thinking": None}, False),
        ({"thinking": {}}, False),
        ({"thinking": {"type": "disabled"}}, False),
        ({"output_config": {"effort": "high"}}, False),
        ({"thinking": {"type": "adaptive"}}, True),
        ({"thinking": {"type": "auto"}}, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
    ],
    ids=str,
)
def test_thinking_is_shown_only_if_the_client_asks_for_it(fields: Body, is_shown: bool) -> None:
    parsed = request(**fields)
    assert parsed.shows_thinking is is_shown
    assert (parsed.turn.thinking is False) is not is_shown


REFUSED: dict[str, tuple[Body, str]] = {
    "no messages": ({"messages": []}, "messages"),
    "no limit": ({"max_tokens": None}, "max_tokens"),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content"),
    "a role of chat": ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    "a part of chat": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages[0].content[0].image_url",
    ),
    "citations": (
        {"messages": [{"role": "user", "content": [DOCUMENT | {"citations": {"enabled": True}}]}]},
        "messages[0].content[0].citations",
    ),
    "a file of Anthropic's": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
            ]
        },
        "messages[0].content[0].source.file_id",
    ),
    "a tool of the API": ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
    "a forced server tool": (
        {"tools": [SEARCH, TOOL], "tool_choice": {"type": "tool", "name": "web_search"}},
        "tool_choice.name",
    ),
    "a choice among server tools": ({"tools": [SEARCH], "tool_choice": {"type": "any"}}, "tool_choice"),
    "a tool without a name": ({"tools": [{"input_schema": SCHEMA}]}, "tools[0].name"),
    "a tool of chat": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].type"),
    "a choice without tools": ({"tool_choice": {"type": "any"}}, "tool_choice"),
    "an unknown choice": ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice.type"),
    "an unknown tool": ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name"),
    "heat": ({"temperature": "warm"}, "temperature"),
    "a small budget": ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "thinking.budget_tokens"),
    "a budget in words": ({"thinking": {"type": "enabled", "budget_tokens": "2k"}}, "thinking.budget_tokens"),
    "a budget above the limit": (
        {"thinking": {"type": "enabled", "budget_tokens": 9000}},
        "max_tokens",
    ),
    "unknown thinking": ({"thinking": {"type": "wild"}}, "thinking.type"),
    "wrong effort": ({"output_config": {"effort": 5}}, "output_config.effort"),
    "another format": ({"output_config": {"format": {"type": "text"}}}, "output_config.format.type"),
    "a format without a schema": (
        {"output_config": {"format": {"type": "json_schema"}}},
        "output_config.format.schema",
    ),
    "a container": ({"container": "c_1"}, "container"),
    "a system number": ({"system": 5}, "system"),
    "a system image": ({"system": [IMAGE]}, "system[0].image"),
    "a tool named by a list": (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": []}},
        "tool_choice.name",
    ),
    "a stop that is no list": ({"stop_sequences": "x"}, "stop_sequences"),
}


@pytest.mark.parametrize(("fields", "where"), REFUSED.values(), ids=REFUSED)
def test_error_names_the_rejected_field(fields: Body, where: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(**fields)
    assert refused.value.param == where
    assert where in error_body(refused.value, "")["error"]["message"]


def test_ignored_fields_are_named() -> None:
    parsed = request(
        inference_geo="us",
        metadata={"user_id": "u"},
        service_tier="auto",
        speed="warp",
        context_management={"edits": [{"type": "compact_20260112"}], "other": 1},
        new_thing=1,
        nothing=None,
        thinking={"type": "adaptive", "display": "updates"},
        tools=[TOOL | {"strict": True, "allowed_callers": ["direct"], "input_examples": [{}]}],
    )
    assert parsed.ignored == (
        "context_management.edits[0]",
        "context_management.other",
        "inference_geo",
        "metadata",
        "new_thing",
        "speed",
        "thinking.display",
        "tools.allowed_callers",
    )


def test_equal_tools_and_rejected_schemas_are_repaired_and_named() -> None:
    parsed = request(tools=[TOOL, TOOL, {"name": "g", "input_schema": {"type": "string"}}])
    (_, other) = parsed.turn.tools
    assert other.mapping is not None
    assert other.mapping.to_client({"value": "x"}) == "x"
    assert parsed.repaired == (
        Repair("duplicate-tool", "tools[1]"),
        Repair("tool-schema", "tools[2].input_schema"),
    )


def test_counting_needs_no_max_tokens_and_ignores_other_fields() -> None:
    body = CountTokensSchema().load({"messages": HELLO, "max_tokens": "many", "temperature": "hot"})
    assert anthropic.parse_request(body).turn == Turn(HI, thinking=False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9000) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "name", "source", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
FIELDS = ["messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format"] + [
    "stop_sequences",
    "temperature",
    "max_tokens",
    "stream",
    "model",
    "metadata",
    "container",
]
BLOCKS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking", "other"])},
    optional={
        "citations": JSON,
        "text": JSON,
        "source": JSON,
        "id": JSON,
        "tool_use_id": JSON,
        "content": JSON,
        "input": JSON,
    },
)
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.text(max_size=4) | st.lists(BLOCKS),
    }
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.lists(MESSAGES, min_size=1, max_size=4))
def test_any_body_is_accepted_or_rejected_with_a_field(fields: Body, messages: list[Body]) -> None:
    try:
        turn = request(**{"messages": messages, **fields}).turn
    except InvalidRequest:
        return
    roles = [message.role for message in turn.messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert all(message.content for message in turn.messages)

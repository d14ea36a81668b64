"""Tools of every kind reach the model as functions, and its calls come back in the client's form.

CODEX is the body that Codex sends with every turn.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.chat import answers as chat_answers
from gateway.dialects.common.tool_call_format import InputDecoder
from gateway.dialects.responses.answers import Collector, StreamEncoder
from gateway.dialects.responses.builder import new_response
from gateway.turn import Done, Event, Started, ToolArguments, ToolCall, ToolChoice, Usage
from tests.unit.dialects.test_chat_dialect import request
from tests.unit.dialects.test_responses_dialect import error_of, parse

PATCH = '*** Begin Patch\n*** Update File: a.py\n+print("hé 😀")\n*** End Patch'
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch hunk+ end_patch"}
APPLY_PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit files.", "format": GRAMMAR}
SEARCH = {"type": "function", "name": "search", "description": "S", "parameters": {"type": "object"}}
SHELL = {"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object"}}
DOCS = {"type": "namespace", "name": "mcp__docs", "description": "Docs.", "tools": [SEARCH]}
HOSTED = [
    {"type": "web_search"},
    {"type": "tool_search"},
    {"type": "image_generation", "output_format": "png"},
]
CODEX: dict[str, Any] = {
    "model": "haiku",
    "instructions": "You are Codex.",
    "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix a.py"}]}],
    "tools": [SHELL, APPLY_PATCH, HOSTED[0], DOCS, *HOSTED[1:]],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "store": False,
    "stream": True,
}
FORMS = parse(CODEX).tool_forms


def call_events(name: str, *fragments: str) -> list[Event]:
    """Return the events of an answer with one call."""
    arguments = [ToolArguments(0, fragment) for fragment in fragments]
    return [Started("m"), ToolCall(0, "toolu_1", name), *arguments, Done("tool_use", Usage())]


def stream(*events: Event) -> list[dict[str, Any]]:
    """Return the events of a stream of the Responses API."""
    encoder = StreamEncoder(new_response("resp_1", "m", {}), False, tool_forms=FORMS)
    lines = encoder.encode(events).decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def collect(*events: Event) -> dict[str, Any]:
    """Return the only output item of a response."""
    collector = Collector(new_response("resp_1", "m", {}), False, tool_forms=FORMS)
    collector.add(events)
    (item,) = collector.body()["output"]
    return dict(item)


def test_tools_of_codex_are_functions_or_named() -> None:
    parsed = parse(CODEX)
    assert [tool.name for tool in parsed.turn.tools] == ["shell", "apply_patch", "mcp__docs__search"]
    _, patch, search = parsed.turn.tools
    assert patch.input_schema["required"] == ["input"]
    assert GRAMMAR["definition"] in patch.description
    assert search.description == "S\n\n(All tools named mcp__docs__*: Docs.)"
    assert parsed.ignored == ("tools[2]", "tools[4]", "tools[5]")
    assert parsed.echoed["tools"][1:] == CODEX["tools"][1:]


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "custom", "name": "apply_patch"}, "apply_patch"),
        ({"type": "function", "name": "mcp__docs__search"}, "mcp__docs__search"),
        ({"type": "function", "name": "search", "namespace": "mcp__docs"}, "mcp__docs__search"),
    ],
)
def test_any_tool_can_be_chosen(choice: dict[str, Any], name: str) -> None:
    assert parse({**CODEX, "tool_choice": choice}).turn.tool_choice == ToolChoice("tool", name)
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [choice, {"type": "web_search"}]}
    assert [tool.name for tool in parse({**CODEX, "tool_choice": allowed}).turn.tools] == [name]


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ({"type": "web_search"}, "tool_choice"),
        ({"type": "mcp", "server_label": "x"}, "tool_choice"),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
            "tool_choice.tools",
        ),
    ],
)
def test_forced_hosted_tool_is_refused(choice: dict[str, Any], param: str) -> None:
    error = error_of({**CODEX, "tool_choice": choice})
    assert (error.code, error.param) == ("unsupported_parameter", param)


def test_history_has_the_names_that_the_model_knows() -> None:
    items = [
        *CODEX["input"],
        {
            "type": "custom_tool_call",
            "call_id": "c1",
            "name": "apply_patch",
            "input": PATCH,
            "status": "completed",
        },
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done!"},
        {
            "type": "function_call",
            "call_id": "c2",
            "name": "search",
            "namespace": "mcp__docs",
            "arguments": "{}",
        },
        {"type": "function_call_output", "call_id": "c2", "output": "found"},
    ]
    messages = parse({**CODEX, "input": items}).turn.messages
    calls = [block for message in messages for block in message.content if block["type"] == "tool_use"]
    assert [(call["name"], call["input"]) for call in calls] == [
        ("apply_patch", {"input": PATCH}),
        ("mcp__docs__search", {}),
    ]


def test_custom_call_is_streamed_as_plain_text() -> None:
    written = json.dumps({"input": PATCH})
    fragments = [written[start : start + 7] for start in range(0, len(written), 7)]
    events = stream(*call_events("apply_patch", *fragments))
    deltas = [event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta"]
    assert len(deltas) > 5
    assert "".join(deltas) == PATCH
    (done,) = [event for event in events if event["type"] == "response.custom_tool_call_input.done"]
    assert done["input"] == PATCH
    item = events[-1]["response"]["output"][0]
    assert item == {
        "id": done["item_id"],
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "toolu_1",
        "name": "apply_patch",
        "input": PATCH,
    }
    assert item == collect(*call_events("apply_patch", written))
    assert not [event for event in events if "function_call" in event["type"]]


def test_call_of_a_namespace_has_its_own_name_and_its_namespace() -> None:
    item = collect(*call_events("mcp__docs__search", '{"q": 1}'))
    assert (item["name"], item["namespace"], item["arguments"]) == ("search", "mcp__docs", '{"q": 1}')
    added = stream(*call_events("mcp__docs__search"))[2]["item"]
    assert (added["name"], added["namespace"]) == ("search", "mcp__docs")


@pytest.mark.parametrize("written", ["", "{}", '{"input": 5}', '{"text": "a"}', "no JSON"])
def test_custom_call_that_ignores_the_schema_is_handed_out_unchanged(written: str) -> None:
    assert collect(*call_events("apply_patch", written))["input"] == written


def test_custom_call_that_is_cut_off_has_the_text_so_far() -> None:
    assert collect(*call_events("apply_patch", '{"input": "a\\nb\\'))["input"] == "a\nb"


# Chat


NESTED = {
    "type": "custom",
    "custom": {"name": "apply_patch", "description": "Edit files.", "format": {"type": "text"}},
}


def test_custom_tool_of_chat_is_answered_in_its_form() -> None:
    parsed = request(tools=[NESTED], tool_choice={"type": "custom", "custom": {"name": "apply_patch"}})
    assert parsed.turn.tool_choice == ToolChoice("tool", "apply_patch")
    events = call_events("apply_patch", json.dumps({"input": PATCH}))
    collector = chat_answers.Collector("id", 0, call_format=parsed.tool_call_format)
    collector.add(events)
    (call,) = collector.body()["choices"][0]["message"]["tool_calls"]
    assert call == {"id": "toolu_1", "type": "custom", "custom": {"name": "apply_patch", "input": PATCH}}
    encoder = chat_answers.StreamEncoder("id", 0, call_format=parsed.tool_call_format)
    lines = encoder.encode(events).decode().split("\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    deltas = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert deltas[0] == {
        "index": 0,
        "id": "toolu_1",
        "type": "custom",
        "custom": {"name": "apply_patch", "input": ""},
    }
    assert deltas[1:] == [{"index": 0, "custom": {"input": PATCH}}]


@pytest.mark.parametrize("tools", [[NESTED], []])
def test_replayed_custom_call_of_chat_is_read(tools: list[Any]) -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "apply_patch", "input": PATCH}}
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]}]
    result = {"role": "tool", "tool_call_id": "c1", "content": "Done!"}
    turn = request(messages=[*history, result], tools=tools).turn
    assert turn.messages[1].content[0]["input"] == {"input": PATCH}


# The decoder of free text


@given(st.text(), st.booleans(), st.lists(st.integers(1, 9), min_size=1), st.sampled_from(["", " ", "\n"]))
def test_text_is_decoded_however_it_is_cut(text: str, ascii_only: bool, sizes: list[int], space: str) -> None:
    written = f'{{{space}"input"{space}:{space}{json.dumps(text, ensure_ascii=ascii_only)}{space}}}'
    decoder, parts = InputDecoder(), []
    while written:
        size, *rest = sizes
        sizes = [*rest, size]
        parts.append(decoder.feed(written[:size]))
        written = written[size:]
    whole, last = decoder.finish()
    assert "".join(parts) + last == whole == text

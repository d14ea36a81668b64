"""The model is offered exactly the tools that a client defines, and calls come back in the client's form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claude.catalog import ModelCatalog
from gateway.claude.cli.answer_reader import AnswerContext, AnswerReader, UsageLedger
from gateway.claude.cli.tools import tool_set
from gateway.claude.cli.tuning import tune
from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.messages.request import parse_request as parse_messages
from gateway.json_schema import ValueMapping
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.messages import MessagesSchema
from gateway.turn import Message, Tool, ToolArguments, Turn
from tests.standin import rejection
from tests.support.tool_lists import ACCEPTED_SCHEMAS, Body, assert_same_tools, tool_lists
from tests.unit.claude.cli_messages import START, arguments, price, start_call, stop, stop_block, stream
from tests.unit.json_schema.schemas import VALID_SCHEMAS, values

MODEL = ModelCatalog().resolve("claude-opus-4-6")
ASKED: list[Body] = [{"role": "user", "content": "hi"}]


def parse(tools: list[Body]) -> Turn:
    """Return the turn for tools of the Messages API."""
    return parse_messages(MessagesSchema().load({"max_tokens": 9000, "messages": ASKED, "tools": tools})).turn


def parse_functions(tools: list[Body]) -> Turn:
    """Return the turn for the same tools as functions of a chat completion."""
    functions = [
        {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
        for tool in tools
    ]
    body = {
        "messages": ASKED,
        "tools": [{"type": "function", "function": function} for function in functions],
    }
    return parse_chat(ChatCompletionSchema().load(body)).turn


def offered(turn: Turn) -> list[Body]:
    """Return the definitions that are sent for a turn."""
    definitions: list[Body] = tune(turn, MODEL, is_seeded=True).body["tools"]
    return definitions


@given(tool_lists())
def test_model_is_offered_the_clients_tools(tools: list[Body]) -> None:
    turn = parse(tools)
    sent = offered(turn)
    assert_same_tools(tools, sent)
    assert [tool_set(turn).find(tool["name"]) for tool in sent] == list(turn.tools)
    assert [tool.name for tool in turn.tools] == [tool["name"] for tool in tools]
    body = {"model": MODEL.id, "max_tokens": 9000, "messages": ASKED, "tools": sent}
    assert rejection(body, ()) is None
    assert offered(parse_functions(tools)) == sent


@given(tool_lists(ACCEPTED_SCHEMAS))
def test_schemas_that_the_api_accepts_are_not_changed(tools: list[Body]) -> None:
    assert [json.dumps(tool["input_schema"]) for tool in offered(parse(tools))] == [
        json.dumps(tool["input_schema"]) for tool in tools
    ]


@given(
    VALID_SCHEMAS.flatmap(lambda schema: st.tuples(st.just(schema), values(schema, schema, 0))),
    st.integers(1, 9),
)
def test_calls_and_history_are_mapped_between_the_clients_form_and_the_models(
    case: tuple[Body, Any], size: int
) -> None:
    schema, value = case
    turn = parse([{"name": "look up", "description": "", "input_schema": schema}])
    tools = tool_set(turn)
    (tool,), (name,) = turn.tools, tools.aliases()
    call = {"type": "tool_use", "id": "toolu_0", "name": "look up", "input": value}
    (written,) = tools.content_for_cli(Message("assistant", (call,)))
    text = json.dumps(written["input"])
    reader = AnswerReader(AnswerContext((), tools, price, UsageLedger()))
    pieces = [arguments(0, text[start : start + size]) for start in range(0, len(text), size)]
    events = reader.read(stream(START, start_call(0, name), *pieces, stop_block(0), stop("tool_use")))
    fragments = [event.fragment for event in events if isinstance(event, ToolArguments)]
    assert json.loads("".join(fragments)) == value
    assert len(fragments) == (len(pieces) if tool.mapping is None else 1)
    assert reader.to_message() == Message("assistant", (call,))


@pytest.mark.parametrize(
    ("written", "handed_out", "replayed"),
    [
        ('{"a_b_1": "line\nbreak"}', '{"a b":"line\\nbreak"}', {"a b": "line\nbreak"}),
        ('{"a_b_1": 1, "c', '{"a b":1}', {"a b": 1}),
        ('{"a_b_1": yes}', '{"a_b_1": yes}', {}),
        ("[1]", "[1]", [1]),
    ],
)
def test_arguments_that_are_not_json_do_not_end_the_answer(
    written: str, handed_out: str, replayed: Any
) -> None:
    mapping = ValueMapping({"a b": "a_b_1"})
    tools = tool_set(
        Turn((Message("user", ()),), tools=(Tool("f", "", {"type": "object"}, mapping=mapping),))
    )
    reader = AnswerReader(AnswerContext((), tools, price, UsageLedger()))
    (name,) = tools.aliases()
    events = reader.read(
        stream(START, start_call(0, name), arguments(0, written), stop_block(0), stop("tool_use"))
    )
    assert reader.failure is None
    assert [event.fragment for event in events if isinstance(event, ToolArguments)] == [handed_out]
    assert reader.to_message().content[0]["input"] == replayed

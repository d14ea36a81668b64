"""The reader of structured output: the arguments of the CLI's output tool are the text of the answer."""

from gateway.claude.cli.structured_reader import FormattedAnswerReader, StructuredAnswerReader
from gateway.claude.cli.tools import OUTPUT_TOOL
from gateway.errors import InvalidRequest
from gateway.json_schema import ValueMapping
from gateway.turn import Done, Refusal, Retracted, Started, Text, Thinking, ToolCall
from tests.unit.claude.cli_messages import (
    START,
    arguments,
    init,
    make_context,
    result,
    start_call,
    stop,
    stream,
    text,
)


def make_reader(*tools: str) -> StructuredAnswerReader:
    reader = StructuredAnswerReader(make_context(*tools), None)
    reader.read([init(OUTPUT_TOOL)])
    return reader


def test_arguments_of_the_output_tool_become_text_and_other_text_is_withheld() -> None:
    reader = make_reader()
    call = [start_call(1, OUTPUT_TOOL), arguments(1, '{"a":'), arguments(1, "1}"), stop("tool_use")]
    events = reader.read([*stream(START, text("Here it is:"), *call), result(structured_output={"a": 1})])
    assert [event.text for event in events if isinstance(event, Text)] == ['{"a":', "1}"]
    assert isinstance(events[-1], Done)
    assert events[-1].stop_reason == "end_turn"


def test_output_that_was_not_streamed_is_taken_from_the_result() -> None:
    said = stream(START, text("Done."), stop("end_turn"))
    events = make_reader().read([*said, result(structured_output={"a": 1})])
    assert [event for event in events if isinstance(event, Text)] == [Text('{"a": 1}')]


def test_output_is_retracted_when_the_cli_asks_again() -> None:
    reader = make_reader()
    first = [start_call(0, OUTPUT_TOOL), arguments(0, '{"b":2}'), stop("tool_use")]
    second = [start_call(0, OUTPUT_TOOL), arguments(0, '{"a":1}'), stop("tool_use")]
    events = reader.read([*stream(START, *first, START, *second), result(structured_output={"a": 1})])
    kinds = [type(event) for event in events]
    assert kinds == [Started, Text, Retracted, Text, Done]
    assert reader.to_message().content[0]["text"] == '{"a":1}'


def test_text_without_output_is_a_refusal() -> None:
    events = make_reader().read(
        [*stream(START, text("I cannot."), stop("end_turn")), result(result="I cannot.")]
    )
    assert Refusal("I cannot.") in events
    assert not any(isinstance(event, Text) for event in events)


def test_text_before_a_call_of_a_client_tool_becomes_thinking() -> None:
    reader = make_reader("now")
    events = reader.read(stream(START, text("Let me look."), start_call(1, "now"), stop("tool_use")))
    assert events[1:3] == [Thinking("Let me look."), ToolCall(0, "toolu_1", "now")]


def test_schema_that_the_cli_does_not_accept_is_an_error_about_the_output_schema() -> None:
    reader = StructuredAnswerReader(make_context(), None)
    reader.read([init()])
    assert isinstance(reader.failure, InvalidRequest)
    assert (reader.failure.param, reader.failure.code) == ("output_schema", "invalid_json_schema")


def test_formatted_text_is_the_output() -> None:
    reader = FormattedAnswerReader(make_context(), None)
    events = reader.read([*stream(START, text('\n{"a":'), text("1}"), stop("end_turn")), result()])
    assert events[1:3] == [Text('{"a":'), Text("1}")]
    assert reader.to_message().content[0]["text"] == '{"a":1}'


def test_formatted_output_is_translated_to_the_clients_form() -> None:
    reader = FormattedAnswerReader(make_context(), ValueMapping({"a b": "a_b_1"}))
    events = reader.read(stream(START, text('{"a_b_1":'), text("1}"), stop("end_turn")))
    assert [event for event in events if isinstance(event, Text)] == [Text('{"a b": 1}')]


def test_text_that_is_no_output_is_a_refusal_or_thinking() -> None:
    refused = FormattedAnswerReader(make_context(), None)
    events = refused.read(stream(START, text("I cannot"), text(" do that."), stop("refusal")))
    assert events[1] == Refusal("I cannot do that.")
    assert isinstance(events[2], Done)
    assert events[2].stop_reason == "refusal"
    calling = FormattedAnswerReader(make_context("now"), None)
    events = calling.read(stream(START, text("Let me look."), start_call(1, "now"), stop("tool_use")))
    assert events[1:3] == [Thinking("Let me look."), ToolCall(0, "toolu_1", "now")]

"""Structured output through the real CLI: the API's own, and the CLI's tool for everything else."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2 as httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from gateway.json_schema import adapt_output_schema
from tests.standin import StandIn, error, output, text, tool_calls
from tests.support.api_client import body_of, error_of, event_data
from tests.support.gateway import Gateway
from tests.support.recorded import Body, process_of
from tests.support.tool_bodies import ASKED, CLOCK, assistant_calls, tool_call, tool_result
from tests.support.wide import wide, wide_except
from tests.unit.json_schema.schemas import ANY_SCHEMAS, VALID_SCHEMAS

NATIVE = "claude-haiku-4-5"
OLD = "claude-3-5-haiku-20241022"  # without the API's structured output

SCHEMA: Body = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PERSON = {"name": "Ada 漢字", "age": 36}
CITY: Body = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NODE: Body = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/node"}},
    "additionalProperties": False,
}

#: Schemas that clients send and that the API does not accept as they are.
ODD_SCHEMAS: dict[str, Body] = {
    "2020-12": {"$schema": "https://json-schema.org/draft/2020-12/schema", **CITY},
    "example": {**CITY, "properties": {"city": {"type": "string", "example": "Rome", "minLength": 2}}},
    "discriminator": {"oneOf": [CITY, SCHEMA], "discriminator": {"propertyName": "kind"}},
    "prefixItems": {**CITY, "properties": {"city": {"type": "array", "prefixItems": [{"type": "string"}]}}},
    "draft-07": {"$ref": "#/definitions/City", "definitions": {"City": CITY}},
    "anyOf": {"anyOf": [SCHEMA, {"type": "null"}]},
    "array": {"type": "array", "items": CITY, "minItems": 1},
    "odd key": {
        "type": "object",
        "properties": {"Account Number": {"type": "int"}},
        "required": ["Account Number"],
    },
    "recursive": {
        "type": "object",
        "properties": {"root": {"$ref": "#/$defs/node"}},
        "$defs": {"node": NODE},
    },
    "open": {"type": "object", "additionalProperties": {"type": "string"}},
    "any": {"type": "object", "properties": {"data": {}}, "required": ["data"]},
}


def json_schema(schema: Body) -> Body:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": None}}


AS_SCHEMA = json_schema(SCHEMA)


def content_of(answer: httpx.Response) -> Any:
    """Return the output of a chat completion."""
    return json.loads(body_of(answer)["choices"][0]["message"]["content"])


def streamed(events: list[str], name: str = "content") -> str:
    """Return the joined values of a field of the deltas."""
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    return "".join(c["delta"].get(name) or "" for chunk in chunks for c in chunk["choices"])


def format_of(standin: StandIn) -> Any:
    """Return the output format of the last request upstream."""
    return (standin.messages.last.body.get("output_config") or {}).get("format")


@pytest.mark.parametrize("model", [NATIVE, OLD])
def test_output_streams_as_it_is_written(gateway: Gateway, standin: StandIn, model: str) -> None:
    standin.default(output(PERSON, fragments=6))
    events = list(gateway.api.stream_chat(response_format=AS_SCHEMA, model=model))
    written = [c["delta"].get("content") for e in events[:-1] for c in json.loads(e)["choices"]]
    assert json.loads("".join(filter(None, written))) == PERSON
    assert len(list(filter(None, written))) >= 5
    assert json.loads(events[-2])["choices"][0]["finish_reason"] == "stop"


def test_schema_reaches_the_api_next_to_the_effort(gateway: Gateway, standin: StandIn) -> None:
    standin.default(output(PERSON))
    answer = gateway.api.chat(response_format=AS_SCHEMA, model="claude-opus-4-6", reasoning_effort="high")
    assert content_of(answer) == PERSON
    assert "x-repaired" not in answer.headers
    body = standin.messages.last.body
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "high"}
    assert not body.get("tools")


def test_model_without_structured_output_gets_a_tool(gateway: Gateway, standin: StandIn) -> None:
    standin.default(tool_calls([("StructuredOutput", PERSON)], text="Here you are:"))
    assert content_of(gateway.api.chat(response_format=AS_SCHEMA, model=OLD)) == PERSON
    (tool,) = standin.messages.last.body["tools"]
    assert tool["input_schema"] == SCHEMA
    assert format_of(standin) is None


@pytest.mark.wide
@pytest.mark.parametrize("model", [NATIVE, OLD])
def test_schema_of_any_form_is_followed(gateway: Gateway, standin: StandIn, model: str) -> None:
    for name, schema in ODD_SCHEMAS.items():
        standin.default(output())
        answer = gateway.api.chat(response_format=json_schema(schema), model=model)
        assert answer.status_code == 200, f"{name}: {answer.text}"
        Draft202012Validator(_readable(schema)).validate(content_of(answer))
        is_native = model == NATIVE and name not in ("recursive", "open", "any")
        assert (format_of(standin) is not None) == is_native, name
        assert (answer.headers.get("x-repaired") == "output-schema") == adapt_output_schema(
            schema
        ).is_repaired
        events = list(gateway.api.stream_chat(response_format=json_schema(schema), model=model))
        assert json.loads(streamed(events)) == content_of(answer)


def _readable(schema: Body) -> Body:
    """Return the schema in the form that a validator of 2020-12 takes."""
    readable: Body = json.loads(json.dumps(schema).replace('"int"', '"integer"'))
    return readable


@pytest.mark.parametrize("name", wide_except(["array", "odd key", "recursive"], "odd key"))
def test_schema_of_any_form_is_followed_in_each_dialect(
    gateway: Gateway, standin: StandIn, name: str
) -> None:
    schema = ODD_SCHEMAS[name]
    standin.default(output())
    expected = content_of(gateway.api.chat(response_format=json_schema(schema), model=NATIVE))
    flat = {"type": "json_schema", "schema": schema}
    responses = {"model": NATIVE, "text": {"format": {**flat, "name": "answer"}}}
    messages = {"model": NATIVE, "output_config": {"format": flat}}
    assert json.loads(_response_text(gateway.api.create_response(**responses))) == expected
    assert json.loads(_message_text(gateway.api.create_message(**messages))) == expected
    response_events = list(_events(gateway.api.create_response(**responses, stream=True)))
    deltas = [event["delta"] for event in response_events if event["type"] == "response.output_text.delta"]
    assert json.loads("".join(deltas)) == expected
    message_events = list(_events(gateway.api.create_message(**messages, stream=True)))
    parts = [event["delta"] for event in message_events if event["type"] == "content_block_delta"]
    assert json.loads("".join(part.get("text", "") for part in parts)) == expected


def _events(answer: httpx.Response) -> Iterator[Body]:
    for data in event_data(answer.text.splitlines()):
        yield json.loads(data)


def _response_text(answer: httpx.Response) -> str:
    [item] = [item for item in body_of(answer)["output"] if item["type"] == "message"]
    return str(item["content"][0]["text"])


def _message_text(answer: httpx.Response) -> str:
    return "".join(block["text"] for block in body_of(answer)["content"] if block["type"] == "text")


def test_list_at_the_top_streams_without_its_wrapper(gateway: Gateway, standin: StandIn) -> None:
    cities = [{"city": name} for name in ("Rome", "Oslo", "Bern")]
    standin.default(output({"value": cities}, fragments=20))
    events = list(gateway.api.stream_chat(response_format=json_schema(ODD_SCHEMAS["array"]), model=NATIVE))
    assert json.loads(streamed(events)) == cities
    assert len(events) > 15


@pytest.mark.parametrize("wanted", [{"type": "json_object"}, {"type": "json_object", "schema": CITY}])
def test_json_object_may_have_a_schema(gateway: Gateway, standin: StandIn, wanted: Body) -> None:
    """https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md describes the second form."""
    standin.default(output({"city": "Rome"}))
    assert content_of(gateway.api.chat(response_format=wanted, model=NATIVE)) == {"city": "Rome"}
    assert (format_of(standin) is not None) == ("schema" in wanted)


def test_output_that_violates_the_schema_is_regenerated(gateway: Gateway, standin: StandIn) -> None:
    standin.default(output(PERSON))
    standin.reply(tool_calls([("StructuredOutput", {"name": 1})]), times=1)
    answer = gateway.api.chat(response_format=AS_SCHEMA, model=OLD)
    assert content_of(answer) == PERSON
    assert len(standin.messages) == 2
    assert answer.json()["usage"]["completion_tokens"] >= 4  # the tokens of both attempts


def test_stream_ends_with_an_error_when_output_violates_the_schema(
    gateway: Gateway, standin: StandIn
) -> None:
    standin.default(output(PERSON))
    standin.reply(tool_calls([("StructuredOutput", {"name": 1})]), times=1)
    events = list(gateway.api.stream_chat(response_format=AS_SCHEMA, model=OLD))
    assert json.loads(events[-1])["error"]["code"] == "invalid_structured_output"


@pytest.mark.parametrize(("model", "reason"), [(NATIVE, "refusal"), (OLD, "end_turn")])
def test_plain_text_in_place_of_structured_output_is_a_refusal(
    gateway: Gateway, standin: StandIn, model: str, reason: str
) -> None:
    standin.default(text("I cannot do that.", stop_reason=reason))
    fields = {"response_format": AS_SCHEMA, "model": model}
    message = gateway.api.chat(**fields).json()["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I cannot do that.")
    assert streamed(list(gateway.api.stream_chat(**fields)), "refusal") == "I cannot do that."


def test_output_that_max_tokens_cuts_off_is_incomplete(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text('{"name": "Ada", "a', stop_reason="max_tokens"))
    choice = gateway.api.chat(response_format=AS_SCHEMA, model=NATIVE).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ('{"name": "Ada", "a', "length")


@pytest.mark.parametrize("model", [NATIVE, OLD])
def test_structured_output_works_together_with_tools(gateway: Gateway, standin: StandIn, model: str) -> None:
    fields = {"response_format": AS_SCHEMA, "tools": [CLOCK], "model": model}
    standin.default(output(PERSON))
    standin.reply(tool_calls([("now", {}, "toolu_s")], text="Wait."), times=1)
    first = gateway.api.chat(messages=ASKED, **fields).json()["choices"][0]
    assert (first["finish_reason"], first["message"]["content"]) == ("tool_calls", None)
    assert first["message"]["reasoning_content"] == "Wait."  # clients would parse content as JSON
    messages = [*ASKED, assistant_calls(tool_call("now", {}, "toolu_s")), tool_result("toolu_s", "noon")]
    second = gateway.api.chat(messages=messages, **fields).json()["choices"][0]
    assert json.loads(second["message"]["content"]) == PERSON
    assert second["finish_reason"] == "stop"


def test_stop_sequence_cuts_structured_output(gateway: Gateway, standin: StandIn) -> None:
    standin.default(output({"name": "a STOP b", "age": 1}, fragments=9))
    choice = gateway.api.chat(response_format=AS_SCHEMA, stop=["STOP"], model=OLD).json()["choices"][0]
    assert choice["message"]["content"].endswith("a ")
    assert choice["finish_reason"] == "stop"
    gateway.api.chat(response_format=AS_SCHEMA, stop=["STOP"], model=NATIVE)
    assert standin.messages.last.body["stop_sequences"] == ["STOP"]


@wide
def test_format_may_change_between_the_turns_of_a_process(keeping_gateway: Gateway, standin: StandIn) -> None:
    standin.default(output())
    messages: list[Body] = [{"role": "user", "content": "one"}]
    for response_format in (json_schema(CITY), AS_SCHEMA, None, json_schema(CITY)):
        if response_format is None:
            standin.reply(text("plain"), times=1)
        answer = keeping_gateway.api.chat(messages=messages, response_format=response_format, model=NATIVE)
        messages += [body_of(answer)["choices"][0]["message"], {"role": "user", "content": "next"}]
        assert (format_of(standin) is None) == (response_format is None)
    assert len({process_of(record) for record in standin.messages}) == 1
    assert [message["content"] for message in messages[1::2]] == [
        '{"city": "text"}',
        '{"name": "text", "age": 1}',
        "plain",
        '{"city": "text"}',
    ]


@pytest.mark.parametrize(
    ("model", "message", "is_about_model"),
    [
        ("claude-news-7-1", "output_config.format: Extra inputs are not permitted", True),
        ("claude-news-7-2", "The compiled grammar is too large. Simplify your tool schemas.", False),
    ],
)
def test_tool_takes_over_when_the_api_rejects_the_format(
    gateway: Gateway, standin: StandIn, model: str, message: str, is_about_model: bool
) -> None:
    """https://github.com/anthropics/anthropic-sdk-python/issues/1185 has a schema of the second kind."""
    standin.default(output())
    standin.reply(error(400, message=message), when=lambda body: "format" in body.get("output_config", {}))
    fields = {"model": model, "response_format": AS_SCHEMA}
    assert json.loads(streamed(list(gateway.api.stream_chat(**fields)))) == {"name": "text", "age": 1}
    known = len(standin.messages)  # the CLI repeats a request with a schema that is too complex
    assert {record.status for record in standin.messages[:-1]} == {400}
    assert content_of(gateway.api.chat(**fields)) == {"name": "text", "age": 1}
    gateway.api.chat(model=model, response_format=json_schema(CITY))
    statuses = [record.status for record in standin.messages[known:]]
    assert statuses[0] == statuses[-1] == 200
    assert (400 in statuses) != is_about_model


def test_refusal_of_a_schema_names_the_keyword_and_its_path(gateway: Gateway) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}}}
    flat = {"type": "json_schema", "name": "x", "schema": schema}
    path = "schema.properties.a.items.$ref"
    for answer, where in (
        (gateway.api.chat(response_format=json_schema(schema)), f"response_format.json_schema.{path}"),
        (gateway.api.create_response(text={"format": flat}), f"text.format.{path}"),
    ):
        assert error_of(answer)[:3] == (400, "invalid_json_schema", where)
        assert "leads to nothing" in answer.text
    refused = gateway.api.create_message(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert refused.status_code == 400
    assert f"output_config.format.{path}" in refused.json()["error"]["message"]


class Person(BaseModel):
    name: str
    age: int | None = None


class People(BaseModel):
    people: list[Person]


def test_sdks_parse_structured_output(gateway: Gateway, standin: StandIn) -> None:
    given = {"people": [{"name": "Ada", "age": None}]}
    standin.default(output(given))
    messages: Any = [{"role": "user", "content": "Who?"}]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="one", max_retries=0) as client:
        completion = client.chat.completions.parse(model=NATIVE, messages=messages, response_format=People)
        response = client.responses.parse(model=NATIVE, input="Who?", text_format=People)
    with anthropic.Anthropic(base_url=gateway.url, api_key="one", max_retries=0) as claude:
        message = claude.messages.parse(
            model=NATIVE, max_tokens=4096, messages=messages, output_format=People
        )
    expected = People.model_validate(given)
    assert completion.choices[0].message.parsed == response.output_parsed == message.parsed_output == expected
    assert all("format" in record.body["output_config"] for record in standin.messages)


@wide
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(schema=VALID_SCHEMAS | ANY_SCHEMAS.filter(lambda schema: isinstance(schema, dict)))
def test_cli_takes_every_schema_for_its_tool(gateway: Gateway, standin: StandIn, schema: Body) -> None:
    standin.begin()
    standin.default(text("no"))
    answer = gateway.api.chat(response_format=json_schema(schema), model=OLD)
    if answer.status_code == 400:
        assert "$ref" in str(error_of(answer)[2])
        return
    assert answer.status_code == 200, f"{schema}: {answer.text}"
    assert [tool["name"] for tool in standin.messages.last.body["tools"]] == ["StructuredOutput"]

"""Web search through `/v1/responses` and `/v1/chat/completions`, with the real CLI and OpenAI's own SDK."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from openai import OpenAI

from tests.model.test_web_search_messages import ANSWER, CATS, CONTENT, DOGS
from tests.standin import StandIn, blocks, searches, text, tool_block
from tests.support.gateway import Gateway
from tests.support.recorded import Body, messages_of, process_of
from tests.support.wide import wide_except

MODEL = "claude-haiku-4-5"
QUESTION = "Which animals purr?"
SEARCH: Any = {
    "type": "web_search",
    "filters": {"allowed_domains": ["cats.example"]},
    "user_location": {"type": "approximate", "city": "Rome", "country": None},
    "search_context_size": "low",
}
NATIVE = {
    "type": "web_search_20250305",
    "name": "web_search",
    "allowed_domains": ["cats.example"],
    "user_location": {"type": "approximate", "city": "Rome"},
}
LOOK: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
ANSWERED = "It is known that cats purr. Dogs do not."
CITED = [
    {"type": "url_citation", "url": page.url, "title": page.title, "start_index": 17, "end_index": 26}
    for page in (CATS, DOGS)
]


@pytest.fixture
def client(keeping_gateway: Gateway) -> Iterator[Any]:
    """Yield a client without types, because tests also pass values that the types of the SDK forbid."""
    key = keeping_gateway.api.headers["Authorization"].partition(" ")[2]
    http = httpx.Client(trust_env=False, timeout=60)
    url = f"{keeping_gateway.url}/v1"
    with OpenAI(base_url=url, api_key=key, max_retries=0, http_client=http) as sdk:
        yield sdk


def respond(client: Any, stream: bool, given: Any, **fields: Any) -> tuple[Any, list[str]]:
    """Return the SDK's response, and the types of its events."""
    body = {"model": MODEL, "input": given, "tools": [SEARCH], **fields}
    if not stream:
        return client.responses.create(**body), []
    with client.responses.stream(**body) as events:
        kinds = [event.type for event in events]
        return events.get_final_response(), kinds


def as_items(response: Any) -> list[Body]:
    """Return the output as clients send it back."""
    return [item.model_dump(exclude_unset=True, mode="json") for item in response.output]


@pytest.mark.parametrize("stream", wide_except([False, True], True), ids=["whole", "streamed"])
def test_response_has_the_search_and_its_citations(client: Any, standin: StandIn, stream: bool) -> None:
    standin.default(ANSWER)
    include = ["web_search_call.action.sources"]
    response, kinds = respond(client, stream, QUESTION, include=include, max_tool_calls=3)
    assert standin.messages.last.body["tools"] == [{**NATIVE, "max_uses": 3}]
    assert response.usage.cost > 0.01  # the price of a search
    said, search, answer = response.output
    assert (said.content[0].text, said.content[0].annotations) == ("I will search.", [])
    assert search.status == "completed"
    assert search.action.query == "animals that purr"
    assert [source.url for source in search.action.sources] == [CATS.url, DOGS.url]
    assert answer.content[0].text == ANSWERED
    assert [one.to_dict() for one in answer.content[0].annotations] == CITED
    if stream:
        of_search = [kind for kind in kinds if kind.startswith("response.web_search_call")]
        steps = ("in_progress", "searching", "completed")
        assert of_search == [f"response.web_search_call.{step}" for step in steps]
        assert kinds.count("response.output_text.annotation.added") == 2


@pytest.mark.parametrize("way", wide_except(["items", "id"], "items"))
def test_next_response_gives_the_model_the_same_blocks(client: Any, standin: StandIn, way: str) -> None:
    standin.reply(ANSWER, times=1)
    response, _ = respond(client, False, QUESTION)
    first = standin.messages.last
    standin.default(text("You are welcome."))
    again = {"role": "user", "content": "Ta."}
    asked = {"role": "user", "content": QUESTION}
    given, fields = ([again], {"previous_response_id": response.id}) if way == "id" else ([], {})
    given = given or [asked, *as_items(response), again]
    respond(client, False, given, **fields)
    assert process_of(standin.messages.last) == process_of(first)
    assert messages_of(standin.messages.last)[1]["content"] == CONTENT
    respond(client, True, given, instructions="Be brief.", **fields)
    assert process_of(standin.messages.last) != process_of(first)
    assert messages_of(standin.messages.last)[1]["content"] == CONTENT


@pytest.mark.parametrize("stream", wide_except([True, False], True), ids=["streamed", "whole"])
def test_search_beside_a_function_call(client: Any, standin: StandIn, stream: bool) -> None:
    called = tool_block("look", {}, "toolu_1")
    standin.reply(blocks(*ANSWER.blocks[:3], called, usage=searches(1)), times=1)
    tools = [LOOK, SEARCH]
    response, _ = respond(client, stream, QUESTION, tools=tools)
    assert [item.type for item in response.output] == ["message", "web_search_call", "function_call"]
    standin.default(blocks(*ANSWER.blocks[3:]))
    output = {"type": "function_call_output", "call_id": "toolu_1", "output": "SEEN"}
    given = [{"role": "user", "content": QUESTION}, *as_items(response), output]
    answer, _ = respond(client, False, given, tools=tools)
    assert answer.output_text == ANSWERED
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    assert messages_of(standin.messages.last)[1]["content"] == [*CONTENT[:3], use]


@pytest.mark.wide
def test_search_is_forced_or_refused(client: Any, gateway: Gateway, standin: StandIn) -> None:
    standin.default(ANSWER)
    respond(client, False, QUESTION, tool_choice={"type": "web_search"})
    assert standin.messages.last.body["tool_choice"] == {"type": "tool", "name": "web_search"}
    body = {"model": MODEL, "input": QUESTION, "tools": [SEARCH], "tool_choice": {"type": "web_search"}}
    refused = gateway.api.post("/v1/responses", json=body)
    assert refused.status_code == 400
    assert "may not use the hosted tool 'web_search'" in refused.json()["error"]["message"]


OPTIONS: Any = {"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}}


def test_chat_completion_has_annotations(client: Any, standin: StandIn) -> None:
    standin.reply(ANSWER, times=1)
    asked = {"role": "user", "content": QUESTION}
    answer = client.chat.completions.create(model=MODEL, messages=[asked], web_search_options=OPTIONS)
    native = {name: value for name, value in NATIVE.items() if name != "allowed_domains"}
    assert standin.messages.last.body["tools"] == [native]
    message = answer.choices[0].message
    assert message.content == f"I will search.{ANSWERED}"
    cited = [annotation.url_citation for annotation in message.annotations]
    assert [(one.url, message.content[one.start_index : one.end_index]) for one in cited] == [
        (CATS.url, "cats purr"),
        (DOGS.url, "cats purr"),
    ]
    first = standin.messages.last
    standin.default(text("You are welcome."))
    for history in ({"role": "assistant", "content": message.content}, message.to_dict()):
        chat = [asked, history, asked]
        client.chat.completions.create(model=MODEL, messages=chat, web_search_options=OPTIONS)
        if process_of(standin.messages.last) == process_of(first):
            assert messages_of(standin.messages.last)[1]["content"] == CONTENT
    assert messages_of(standin.messages.last)[1]["content"] == CONTENT


@pytest.mark.wide
def test_chat_completion_has_a_search_beside_a_function_call(client: Any, standin: StandIn) -> None:
    standin.default(blocks(*ANSWER.blocks, tool_block("look", {}, "toolu_1")))
    tools = [{"type": "function", "function": {"name": "look", "parameters": LOOK["parameters"]}}]
    asked = {"role": "user", "content": QUESTION}
    body: Body = {"model": MODEL, "messages": [asked], "tools": tools, "web_search_options": {}}
    choice = client.chat.completions.create(**body).choices[0]
    assert (choice.finish_reason, len(choice.message.annotations)) == ("tool_calls", 2)
    standin.default(text("You are welcome."))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "SEEN"}
    body["messages"] += [choice.message.to_dict(), result]
    client.chat.completions.create(**body)
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    assert messages_of(standin.messages.last)[1]["content"] == [*CONTENT, use]


def test_chat_stream_has_all_annotations_at_its_end(client: Any, standin: StandIn) -> None:
    standin.default(blocks(*ANSWER.blocks, tool_block("look", {}, "toolu_1")))
    tools = [{"type": "function", "function": {"name": "look", "parameters": LOOK["parameters"]}}]
    body: Body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "tools": tools}
    with client.chat.completions.stream(**body, web_search_options={}) as stream:
        deltas = [event.chunk.choices[0].delta for event in stream if event.type == "chunk"]
        final = stream.get_final_completion().choices[0]
    assert [len(delta.annotations) for delta in deltas if getattr(delta, "annotations", None)] == [2]
    assert final.finish_reason == "tool_calls"
    assert json.loads(final.message.tool_calls[0].function.arguments) == {}
    standin.default(text("You are welcome."))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "SEEN"}
    system = {"role": "system", "content": "Be brief."}
    body["messages"] += [final.message.to_dict(), result]
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    for messages in (
        body["messages"],
        [system, *body["messages"]],
    ):  # in the process that waits, and in a new one
        client.chat.completions.create(**{**body, "messages": messages}, web_search_options={})
        assert messages_of(standin.messages.last)[1]["content"] == [*CONTENT, use]

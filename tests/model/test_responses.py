"""The Responses API through the real CLI, with OpenAI's own SDK: answers, streams, chains and background responses."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai.types.responses import Response

from tests.model.test_parked_conversations import count_reuses
from tests.model.test_upstream_errors import SLOW
from tests.standin import Recorded, StandIn, error, hang, output, stream_error, text, thinking, tool_calls
from tests.support import responses_shapes as shapes
from tests.support.api_client import body_of, error_of
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import assert_prompts_grow, messages_of, process_of, system_texts_of, turns_of
from tests.support.tool_bodies import CALL_OSLO, CALL_ROME, comparable_body, recorded_blocks
from tests.unit.dialects.test_same_turn import CHAT_AND_RESPONSES

Body = dict[str, Any]

MODEL = "haiku"
PATH = "/v1/responses"
PARAMETERS: Body = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather.",
    "parameters": PARAMETERS,
}
SCHEMA: Any = {"type": "json_schema", "name": "city", "schema": PARAMETERS, "strict": True}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="one", max_retries=0, timeout=60) as client:
        yield client


def create(gateway: Gateway, content: Any, key: str = "one", **fields: Any) -> Response:
    """Create a response, validate its shape and return it."""
    return shapes.check_response(body_of(post(gateway, content, key, **fields)))


def post(gateway: Gateway, content: Any, key: str = "one", **fields: Any) -> httpx.Response:
    """Ask for a response with this API key."""
    return gateway.api.with_key(key).create_response(content, **{"model": MODEL, **fields})


def status_code_and_param(answer: httpx.Response) -> tuple[int, str, str | None]:
    return error_of(answer)[:3]


def wait_until_finished(client: openai.OpenAI, response_id: str, timeout: float = 30.0) -> Response:
    """Wait until a background response has finished, and return it."""

    def finished_response() -> Response | None:
        found = client.responses.retrieve(response_id)
        return None if found.status in ("queued", "in_progress") else found

    done: Response = wait_for(finished_response, timeout)
    return done


# Answers


def test_answer_has_reasoning_text_and_usage(gateway: Gateway, standin: StandIn) -> None:
    standin.default(thinking("Hm.", text("Hello there", usage={"input_tokens": 9, "output_tokens": 4})))
    answer = post(gateway, "hi", instructions="Be brief.", reasoning={"summary": "auto"}, seed=1)
    response = shapes.check_response(answer.json())
    assert answer.headers["x-ignored-parameters"] == "seed"
    assert response.output_text == "Hello there"
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.status == "completed"
    assert response.model.startswith("claude-haiku")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (9, 4)
    assert turns_of(standin.messages.last) == [("user", ["hi"])]
    assert system_texts_of(standin.messages.last) == ["Be brief."]


def test_streamed_response_is_stored(gateway: Gateway, client: openai.OpenAI, standin: StandIn) -> None:
    standin.default(text(chunks=["Hel", "lo"]))
    answer = post(gateway, "hi", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    events = shapes.check_stream(answer.content)
    assert [event["delta"] for event in events if event["type"] == "response.output_text.delta"] == [
        "Hel",
        "lo",
    ]
    assert events[-1]["type"] == "response.completed"
    assert b"[DONE]" not in answer.content
    assert client.responses.retrieve(events[-1]["response"]["id"]).output_text == "Hello"


def test_sdk_stream_helper_parses_structured_output(client: openai.OpenAI, standin: StandIn) -> None:
    standin.default(output({"city": "Rome"}))
    request: Any = {"model": MODEL, "input": "Where?", "text": {"format": SCHEMA}}
    with client.responses.stream(**request) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text
    assert json.loads(final.output_text) == {"city": "Rome"}
    complete = client.responses.create(**request)
    assert json.loads(complete.output_text) == {"city": "Rome"}


def test_token_limit_makes_the_response_incomplete(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("cut o", stop_reason="max_tokens"))
    response = create(gateway, "hi", max_output_tokens=5)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert standin.messages.last.body["max_tokens"] == 5


def test_failure_before_the_first_event_has_a_real_status(gateway: Gateway, standin: StandIn) -> None:
    standin.default(error(429, headers={"retry-after": "3600", "x-should-retry": "false"}))
    for stream in (False, True):
        assert status_code_and_param(post(gateway, "hi", stream=stream))[:2] == (429, "account_limit_reached")
    assert status_code_and_param(post(gateway, "hi", model="gpt-none"))[:2] == (400, "model_not_supported")


def test_failure_in_mid_stream_stores_a_failed_response(
    gateway: Gateway, client: openai.OpenAI, standin: StandIn
) -> None:
    standin.default(stream_error(3, reply=SLOW))
    events = shapes.check_stream(post(gateway, "hi", stream=True).content)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    stored = client.responses.retrieve(failed["id"])
    assert (stored.status, stored.output_text) == ("failed", "one two three")
    with pytest.raises(openai.APIError):
        list(client.responses.create(model=MODEL, input="hi", stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_tool_round_continues_from_the_previous_response(
    gateway: Gateway, client: openai.OpenAI, standin: StandIn, stream: bool
) -> None:
    standin.default(text("Sun and snow."))
    standin.reply(tool_calls([CALL_ROME, CALL_OSLO], text="I look."), when="Weather?", times=1)
    fields: Any = {"model": MODEL, "tools": [WEATHER]}

    def ask(content: Any, **more: Any) -> Response:
        answer: Any = client.responses.create(input=content, stream=stream, **fields, **more)
        last: Response = list(answer)[-1].response if stream else answer
        return last

    first = ask("Weather?")
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("get_weather", {"city": "Rome 😀"}),
        ("get_weather", {"city": "Oslo"}),
    ]
    before = count_reuses(gateway)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "r"} for call in calls]
    second = ask(results, previous_response_id=first.id)
    assert second.output_text == "Sun and snow."
    assert count_reuses(gateway) == before + 1
    assert [block["tool_use_id"] for block in recorded_blocks(standin.messages.last, 2)] == [
        "toolu_rome",
        "toolu_oslo",
    ]


def test_chat_and_responses_send_the_model_the_same_request(gateway: Gateway, standin: StandIn) -> None:
    chat, responses = CHAT_AND_RESPONSES["a tool round"]
    requests = []
    for path, body in (("/v1/chat/completions", chat), (PATH, {**responses, "store": False})):
        standin.begin()  # the last request of a process that is ending must not get in between
        answer = gateway.api.post(path, json=body)
        assert answer.status_code == 200, answer.text
        requests.append(comparable_body(standin.messages.last))
    assert requests[0] == requests[1]


# Stored responses


def test_chained_responses_share_one_process_and_one_growing_prompt(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    standin.default(lambda body: text(f"Answer {len(body['messages'])}"))
    last = None
    for turn in range(4):
        response = create(keeping_gateway, f"turn {turn}", previous_response_id=last)
        assert response.previous_response_id == last
        last = response.id
    records = list(standin.messages)
    assert len({process_of(record) for record in records}) == 1
    assert_prompts_grow(records)
    assert [texts for role, texts in turns_of(records[-1]) if role == "user"] == [
        [f"turn {n}"] for n in range(4)
    ]


def test_instructions_are_not_inherited(gateway: Gateway, standin: StandIn) -> None:
    first = create(gateway, [{"role": "developer", "content": "Rhyme."}, {"role": "user", "content": "a"}],
                    instructions="Be brief.")  # fmt: skip
    create(gateway, "b", previous_response_id=first.id)
    assert system_texts_of(standin.messages.last) == ["Rhyme."]


def test_stored_response_can_be_retrieved_and_deleted(client: openai.OpenAI, gateway: Gateway) -> None:
    first = client.responses.create(model=MODEL, input="one", metadata={"a": "b"})
    second = client.responses.create(model=MODEL, input="two", previous_response_id=first.id)
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    shapes.check_response(gateway.api.get(f"{PATH}/{first.id}", headers={"x-api-key": "one"}).json())

    newest = client.responses.input_items.list(second.id)
    assert [item.type for item in newest.data] == ["message"] * 3
    oldest = client.responses.input_items.list(second.id, order="asc", limit=2)
    assert oldest.has_more
    assert [item.id for item in oldest.data] == [item.id for item in newest.data[:0:-1]]
    (rest,) = client.responses.input_items.list(second.id, order="asc", after=oldest.data[-1].id).data
    assert rest.id == newest.data[0].id
    listed = gateway.api.get(f"{PATH}/{second.id}/input_items", headers={"x-api-key": "one"})
    shapes.check_items(listed.json())

    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.retrieve(first.id)
    assert gone.value.code == "response_not_found"
    broken = post(gateway, "three", previous_response_id=second.id)
    assert status_code_and_param(broken) == (400, "previous_response_not_found", "previous_response_id")


def test_responses_of_another_key_are_not_found(client: openai.OpenAI, gateway: Gateway) -> None:
    mine = client.responses.create(model=MODEL, input="secret")
    item = client.responses.input_items.list(mine.id).data[0].id
    other = {"Authorization": "Bearer two"}
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]:
        answer = gateway.api.request(method, f"{PATH}/{mine.id}{path}", headers=other)
        assert answer.status_code == 404, (method, path)
    follow = post(gateway, "and?", "two", previous_response_id=mine.id)
    assert status_code_and_param(follow) == (400, "previous_response_not_found", "previous_response_id")
    refer = post(gateway, [{"type": "item_reference", "id": item}], "two")
    assert status_code_and_param(refer) == (404, "item_not_found", "input[0].id")
    assert client.responses.retrieve(mine.id).id == mine.id


def test_input_may_reference_stored_items(client: openai.OpenAI, gateway: Gateway, standin: StandIn) -> None:
    standin.default(thinking("Hm.", text("Because.")))
    first = client.responses.create(model=MODEL, input="Why?")
    references = [{"type": "item_reference", "id": item.id} for item in first.output]
    create(gateway, [{"role": "user", "content": "Why?"}, *references, {"role": "user", "content": "So?"}])
    assert [texts for _, texts in spoken_texts(standin.messages.last)] == [["Why?"], ["Because."], ["So?"]]


def spoken_texts(record: Recorded) -> list[tuple[str, list[str]]]:
    """Return role and texts of each message, without the thinking of the model."""
    return [
        (message["role"], [block["text"] for block in message["content"] if block["type"] == "text"])
        for message in messages_of(record)
        if message["role"] != "system"
    ]


def test_store_false_stores_nothing(client: openai.OpenAI, gateway: Gateway) -> None:
    response = create(gateway, "hi", store=False)
    assert response.model_extra == {"store": False, "frequency_penalty": 0, "presence_penalty": 0}
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    streamed = shapes.check_stream(post(gateway, "hi", store=False, stream=True).content)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(streamed[-1]["response"]["id"])
    assert status_code_and_param(post(gateway, "hi", store=False, background=True)) == (
        400,
        "unsupported_parameter",
        "background",
    )


def test_stream_of_a_stored_response_can_be_read_again(
    client: openai.OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("Hello", chunks=3))
    stored = client.responses.create(model=MODEL, input="hi")
    events = list(client.responses.retrieve(stored.id, stream=True))
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["Hello"]
    assert events[-1].type == "response.completed"
    assert events[-1].response == stored
    assert list(client.responses.retrieve(stored.id, stream=True, starting_after=2)) == events[3:]
    one = gateway.api.with_key("one")
    for query, param in (
        ("?stream=true&starting_after=x", "starting_after"),
        ("/input_items?limit=0", "limit"),
    ):
        assert status_code_and_param(one.get(f"{PATH}/{stored.id}{query}")) == (400, "invalid_request", param)
    assert one.with_key("two").get(f"{PATH}/{stored.id}?stream=true").status_code == 404


# Background responses


def test_background_response_completes(client: openai.OpenAI, gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Done."))
    first = create(gateway, "hi", background=True)
    assert first.status == "queued"
    done = wait_until_finished(client, first.id)
    assert (done.status, done.output_text) == ("completed", "Done.")
    assert client.responses.cancel(first.id).to_dict() == done.to_dict()
    follow = client.responses.create(model=MODEL, input="and?", previous_response_id=first.id)
    assert [item.type for item in client.responses.input_items.list(follow.id).data] == ["message"] * 3


def test_background_response_can_be_cancelled(
    client: openai.OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    standin.default(hang(1))
    running = client.responses.create(model=MODEL, input="hi", background=True)
    wait_for(lambda: client.responses.retrieve(running.id).status == "in_progress", 30)
    assert (
        status_code_and_param(post(gateway, "x", previous_response_id=running.id))[2]
        == "previous_response_id"
    )
    assert client.responses.cancel(running.id).status == "cancelled"
    standin.wait_for(lambda: standin.messages.last.aborted, timeout=30)
    assert client.responses.retrieve(running.id).status == "cancelled"
    standin.default(text("Hello"))
    with pytest.raises(openai.BadRequestError):  # it is not a background response
        client.responses.cancel(create(gateway, "hi").id)


def test_failure_in_the_background_is_stored(client: openai.OpenAI, standin: StandIn) -> None:
    standin.default(error(400, message="messages: something is wrong with it"))
    failed = wait_until_finished(client, client.responses.create(model=MODEL, input="hi", background=True).id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.code == "invalid_prompt"


def test_background_stream_outlives_its_client(
    client: openai.OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("one two three four", delay=0.3))
    body = {"model": MODEL, "input": "hi", "background": True, "stream": True}
    with gateway.api.stream("POST", PATH, json=body, headers={"x-api-key": "one"}) as answer:
        first = next(shapes.named_events(answer.iter_lines()))
    assert first["type"] == "response.created"
    done = wait_until_finished(client, first["response"]["id"])
    assert (done.status, done.output_text) == ("completed", "one two three four")
    assert not standin.messages.last.aborted


def test_background_stream_has_the_usual_events(
    client: openai.OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("one two"))
    events = shapes.check_stream(post(gateway, "hi", background=True, stream=True).content)
    assert events[-1]["type"] == "response.completed"
    stored = gateway.api.get(f"{PATH}/{events[-1]['response']['id']}", headers={"x-api-key": "one"})
    assert stored.json() == events[-1]["response"]

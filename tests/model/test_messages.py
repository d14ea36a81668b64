"""Anthropic's Messages API through the real CLI, with Anthropic's own SDK."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest
from anthropic import Anthropic, APIStatusError
from anthropic.types.shared import ErrorResponse

from tests.standin import StandIn, error, sign, stream_error, text, thinking, tool_calls
from tests.support.gateway import Gateway
from tests.support.recorded import system_texts_of
from tests.support.tool_bodies import CALL_OSLO, CALL_ROME, comparable_body, recorded_blocks
from tests.unit.dialects.test_same_turn import CHAT_AND_MESSAGES

Body = dict[str, Any]

MODEL = "claude-haiku-4-5"
ALWAYS_THINKS = "claude-opus-5-5"
LIMIT = 9000
HELLO: Any = [{"role": "user", "content": "hi"}]
SCHEMA: Body = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"name": "get_weather", "description": "The weather of a city.", "input_schema": SCHEMA}
CLOCK: Any = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
CACHED: Any = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def sdk(url: str, **options: Any) -> Anthropic:
    """Return a client of Anthropic's SDK, as users set it up, that ignores the environment of this process."""
    client = httpx.Client(trust_env=False, timeout=60)
    return Anthropic(
        base_url=url, api_key="unused", auth_token=None, max_retries=0, http_client=client, **options
    )


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[Any]:
    """Yield a client without types, because tests also pass values that the types of the SDK forbid."""
    with sdk(gateway.url) as client:
        yield client


def error_from(call: Callable[[], Any]) -> APIStatusError:
    with pytest.raises(APIStatusError) as raised:
        call()
    assert raised.value.request_id == raised.value.body["request_id"]  # type: ignore[index]
    ErrorResponse.model_validate(raised.value.body)
    return raised.value


def test_answer_has_the_shape_of_the_messages_api(claude: Any, standin: StandIn) -> None:
    standin.default(
        text("Hello there", usage={"cache_read_input_tokens": 7, "cache_creation_input_tokens": 5})
    )
    answer = claude.messages.create(
        model=MODEL,
        max_tokens=LIMIT,
        system=[{"type": "text", "text": "Be brief."} | CACHED],
        messages=[{"role": "user", "content": [{"type": "text", "text": "/clear @/etc/hostname"} | CACHED]}],
    )
    assert (answer.content[0].text, answer.stop_reason, answer.model) == (
        "Hello there",
        "end_turn",
        "claude-haiku-4-5-20251001",
    )
    assert (answer.usage.cache_read_input_tokens, answer.usage.cache_creation_input_tokens) == (7, 5)
    assert answer.usage.input_tokens > 0
    assert answer.id.startswith("msg_")
    assert answer._request_id.startswith("req_")
    assert standin.messages.last.body["max_tokens"] == LIMIT
    assert system_texts_of(standin.messages.last) == ["Be brief."]
    assert recorded_blocks(standin.messages.last, 0) == [{"type": "text", "text": "/clear @/etc/hostname"}]


def test_stream_helper_collects_thinking_and_text(claude: Any, standin: StandIn) -> None:
    standin.default(thinking("Let me see.", text(chunks=["Hel", "lo"], usage={"input_tokens": 50})))
    thinks: Any = {"type": "adaptive"}
    with claude.messages.stream(model=MODEL, max_tokens=LIMIT, messages=HELLO, thinking=thinks) as stream:
        deltas = list(stream.text_stream)
        answer = stream.get_final_message()
    assert deltas == ["Hel", "lo"]
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking == "Let me see."
    assert (answer.stop_reason, answer.usage.input_tokens) == ("end_turn", 50)
    assert answer.usage.output_tokens > 0


def test_stream_has_the_events_of_the_messages_api(claude: Any, standin: StandIn) -> None:
    """These are the events on the wire; the SDK's stream helper adds others."""
    standin.default(text(chunks=["Hello"], usage={"input_tokens": 50}))
    events = list(claude.messages.create(model=MODEL, max_tokens=LIMIT, messages=HELLO, stream=True))
    assert [event.type for event in events if event.type != "ping"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].message.usage.input_tokens == 50


def test_tool_loop_returns_every_result_to_the_model(claude: Any, standin: StandIn) -> None:
    standin.default(text("Sun in Rome, snow in Oslo."))
    calls = thinking("Two cities.", tool_calls([CALL_ROME, CALL_OSLO], text="Let me look."))
    standin.reply(calls, when=lambda body: "tool_result" not in json.dumps(body["messages"]))
    messages: list[Any] = [{"role": "user", "content": "Weather in Rome and Oslo?"}]
    common = {"model": MODEL, "max_tokens": LIMIT, "tools": [WEATHER | CACHED]}
    with claude.messages.stream(messages=messages, **common) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use"
    uses = [block for block in first.content if block.type == "tool_use"]
    assert [(use.name, use.input) for use in uses] == [
        ("get_weather", {"city": "Rome 😀"}),
        ("get_weather", {"city": "Oslo"}),
    ]
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "content": f"seen {use.input['city']}"} for use in uses
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = claude.messages.create(messages=messages, **common)
    assert last.content[-1].text == "Sun in Rome, snow in Oslo."
    seen = recorded_blocks(standin.messages.last, 2)
    assert [block["content"][0]["text"] for block in seen] == ["seen Rome 😀", "seen Oslo"]


@pytest.mark.parametrize("stop", ["END", "\n\n"])  # the gateway enforces the second one
def test_answer_names_the_stop_sequence(claude: Any, standin: StandIn, stop: str) -> None:
    standin.default(text(f"one{stop}two"))
    answer = claude.messages.create(
        model=MODEL, max_tokens=LIMIT, messages=HELLO, stop_sequences=["NEVER", stop]
    )
    assert (answer.content[0].text, answer.stop_reason, answer.stop_sequence) == (
        "one",
        "stop_sequence",
        stop,
    )


@pytest.mark.parametrize("off", [{}, {"thinking": {"type": "disabled"}}], ids=["absent", "disabled"])
@pytest.mark.parametrize("model", [MODEL, "claude-opus-4-6"])
def test_thinking_is_off_unless_the_client_asks_for_it(
    claude: Any, standin: StandIn, model: str, off: Body
) -> None:
    sampling = {"temperature": 0.5}  # allowed without thinking only
    answer = claude.messages.create(model=model, max_tokens=LIMIT, messages=HELLO, extra_body=sampling, **off)
    assert [block.type for block in answer.content] == ["text"]
    assert standin.messages.last.body["thinking"] == {"type": "disabled"}
    assert standin.messages.last.body["temperature"] == 0.5


def test_thinking_that_the_client_did_not_ask_for_stays_between_the_gateway_and_the_model(
    claude: Any, standin: StandIn
) -> None:
    """Some models always think. The client gets no thinking, and the waiting process keeps it for the next round."""
    standin.default(text("Sun.", usage={"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}}))
    calls = thinking("Rome.", tool_calls([CALL_ROME], text="Let me look."))
    standin.reply(calls, when=lambda body: "tool_result" not in json.dumps(body["messages"]))
    messages: list[Any] = [{"role": "user", "content": "Weather in Rome?"}]
    common = {"model": ALWAYS_THINKS, "max_tokens": LIMIT, "tools": [WEATHER]}
    with claude.messages.stream(messages=messages, **common) as stream:
        starts = [event for event in stream if event.type == "content_block_start"]
        first = stream.get_final_message()
    assert [(start.index, start.content_block.type) for start in starts] == [(0, "text"), (1, "tool_use")]
    result = {"type": "tool_result", "tool_use_id": first.content[1].id, "content": "sun"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = claude.messages.create(messages=messages, **common)
    assert [block.type for block in last.content] == ["text"]
    assert last.usage.output_tokens_details.thinking_tokens == 6
    recorded = standin.messages.last
    assert recorded.body["thinking"]["type"] == "adaptive"
    kept = recorded_blocks(recorded, 1)
    assert [block["type"] for block in kept] == ["thinking", "text", "tool_use"]
    assert kept[0]["signature"] == sign("Rome.")


def test_thinking_budget_reaches_the_model(claude: Any, standin: StandIn) -> None:
    claude.messages.create(
        model=MODEL, max_tokens=LIMIT, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 2000}
    )
    assert standin.messages.last.body["thinking"]["budget_tokens"] == 2000


def test_ignored_parameters_are_named(claude: Any, standin: StandIn) -> None:
    answer = claude.messages.with_raw_response.create(
        model="sonnet",
        max_tokens=LIMIT,
        messages=HELLO,
        metadata={"user_id": "u"},
        thinking={"type": "enabled", "budget_tokens": 2000},
        extra_body={"top_k": 5},
        extra_query={"beta": "true"},
        extra_headers={"anthropic-beta": "some-beta-2026-01-01"},
    )
    assert answer.headers["x-ignored-parameters"] == "metadata, thinking.budget_tokens, top_k"


def test_tool_search_and_context_edits_of_claude_code_reach_the_model(
    gateway: Gateway, standin: StandIn
) -> None:
    schema = {"type": "object", "properties": {}}
    search = {"name": "ToolSearch", "description": "Finds tools.", "input_schema": schema}
    fetch = {"name": "Fetch", "description": "Fetches.", "input_schema": schema, "defer_loading": True}
    call = {"type": "tool_use", "id": "toolu_1", "name": "ToolSearch", "input": {}}
    found = {"type": "tool_reference", "tool_name": "Fetch"}
    body = {
        "model": "claude-opus-4-6",
        "max_tokens": LIMIT,
        "thinking": {"type": "adaptive"},
        "tools": [search, fetch],
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "messages": [
            {"role": "user", "content": "Fetch it."},
            {"role": "assistant", "content": [call]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [found]}],
            },
        ],
    }
    answer = gateway.api.post("/v1/messages", json=body)
    assert answer.status_code == 200
    assert "x-ignored-parameters" not in answer.headers
    assert "x-repaired" not in answer.headers
    sent = standin.messages.last.body
    assert sent["tools"] == [search, fetch]
    assert sent["context_management"] == body["context_management"]
    (result,) = sent["messages"][-1]["content"]
    (part,) = result["content"]
    assert '"description":"Fetches.","name":"Fetch"' in part["text"]


# Counting


def test_counting_tokens_runs_no_model(claude: Any, standin: StandIn) -> None:
    def counted(words: int, **fields: Any) -> int:
        messages = [
            *HELLO,
            {"role": "assistant", "content": "ho"},
            {"role": "user", "content": "look " * words},
        ]
        answer = claude.messages.with_raw_response.count_tokens(model=MODEL, messages=messages, **fields)
        assert answer.headers["x-estimated"] == "true"
        tokens: int = answer.parse().input_tokens
        return tokens

    few = counted(10)
    assert few > 0
    assert counted(2000, system="Be brief. " * 100) > few + 2000
    schema = {"type": "object", "properties": {"place": {"type": "string", "description": "Where. " * 1000}}}
    tool = {"name": "look", "description": "Looks.\n\n" + "At once. " * 1000, "input_schema": schema}
    assert counted(10, tools=[tool]) > few + 4000
    assert not standin.messages
    assert {record.path.partition("?")[0] for record in standin.requests if record.method == "POST"} == {
        "/v1/messages/count_tokens"
    }


def test_counting_tokens_rejects_an_unknown_model(claude: Any) -> None:
    refused = error_from(lambda: claude.messages.count_tokens(model="gpt-4", messages=HELLO))
    assert refused.status_code == 400
    assert "gpt-4" in refused.message


# Models


def test_models_are_listed_and_retrieved(claude: Any, gateway: Gateway) -> None:
    listed = {model.id: model for model in claude.models.list()}
    names = {entry["id"] for entry in gateway.api.get("/v1/models").json()["data"]}
    assert set(listed) == names
    assert listed["sonnet"].display_name
    assert all(model.type == "model" for model in listed.values())
    assert claude.models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5-20251001"
    assert error_from(lambda: claude.models.retrieve("gpt-4")).body["error"]["type"] == "not_found_error"  # type: ignore[index]


# Errors


def test_gateway_errors_have_the_shape_of_anthropic(gateway: Gateway) -> None:
    def error_for(method: str, path: str, **options: Any) -> tuple[int, str, str]:
        answer = gateway.api.request(method, path, **options)
        body = answer.json()
        assert set(body) == {"type", "error", "request_id"}
        assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
        return answer.status_code, body["error"]["type"], body["error"]["message"]

    invalid = "invalid_request_error"
    assert error_for("POST", "/v1/messages", json={"messages": HELLO})[:2] == (400, invalid)
    assert "max_tokens" in error_for("POST", "/v1/messages", json={"messages": HELLO})[2]
    assert error_for("POST", "/v1/messages?beta=true", content="{no json")[:2] == (400, invalid)
    assert error_for("GET", "/v1/messages")[:2] == (405, invalid)
    assert error_for("POST", "/v1/messages/nothing")[:2] == (404, "not_found_error")
    assert error_for("POST", "/v1/messages/batches")[:2] == (400, invalid)
    anthropic_client = {"anthropic-version": "2023-06-01"}
    assert error_for("GET", "/v1/nothing", headers=anthropic_client)[:2] == (404, "not_found_error")
    # Chat completions keep the shape of OpenAI, even with the header of an Anthropic client.
    chat = gateway.api.post("/v1/chat/completions", json={}, headers=anthropic_client)
    assert chat.json()["error"]["code"] == "missing_messages"
    assert "request-id" not in chat.headers


def test_authentication_and_size_errors_have_the_shape_of_anthropic(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(
        REQUIRE_AUTH="true", API_KEYS="right", MAX_REQUEST_BYTES="2000", WARM_PROCESSES="0"
    )
    with sdk(gateway.url) as client:
        wrong = error_from(lambda: client.messages.create(model=MODEL, max_tokens=9, messages=HELLO))
        assert (wrong.status_code, wrong.type) == (401, "authentication_error")
        assert gateway.api.get("/v1/models", headers={"x-api-key": "right"}).status_code == 200
    large = {"max_tokens": 9, "messages": [{"role": "user", "content": "x" * 3000}]}
    answer = gateway.api.post("/v1/messages", json=large, headers={"x-api-key": "right"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
    for path in ("/v1/embeddings", "/v1/completions"):
        assert gateway.api.post(path, json={}).status_code == 401


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (429, (429, "rate_limit_error")),
        (529, (529, "overloaded_error")),
        (401, (503, "api_error")),
        (500, (502, "api_error")),
    ],
)
def test_model_errors_have_status_and_type_of_anthropic(
    claude: Any, standin: StandIn, status: int, expected: tuple[int, str]
) -> None:
    standin.default(error(status))
    refused = error_from(lambda: claude.messages.create(model=MODEL, max_tokens=LIMIT, messages=HELLO))
    assert (refused.status_code, refused.type) == expected


def test_too_long_prompt_is_reported(claude: Any, standin: StandIn) -> None:
    standin.default(error(400, message="prompt is too long: 250000 tokens > 200000 maximum"))
    refused = error_from(lambda: claude.messages.create(model=MODEL, max_tokens=LIMIT, messages=HELLO))
    assert "prompt is too long" in refused.message


def test_failure_in_mid_stream_is_an_error_event(claude: Any, standin: StandIn) -> None:
    standin.default(stream_error(3, reply=text(chunks=["one ", "two ", "three ", "four"], delay=0.2)))
    received: list[str] = []
    events = claude.messages.create(model=MODEL, max_tokens=LIMIT, messages=HELLO, stream=True)
    with pytest.raises(APIStatusError) as raised:
        received.extend(event.type for event in events)
    assert raised.value.body["type"] == "error"  # type: ignore[index]
    assert "content_block_delta" in received
    assert "message_stop" not in received


def test_chat_and_messages_send_the_model_the_same_request(gateway: Gateway, standin: StandIn) -> None:
    chat, messages = CHAT_AND_MESSAGES["a tool round"]
    requests = []
    chat = {"thinking": {"type": "disabled"}, **chat}  # the default of the Messages API only
    for path, body in (("/v1/chat/completions", chat), ("/v1/messages", messages)):
        standin.begin()  # the last request of a process that is ending must not get in between
        answer = gateway.api.post(path, json={"model": MODEL, "max_tokens": LIMIT, **body})
        assert answer.status_code == 200, answer.text
        requests.append(comparable_body(standin.messages.last))
    assert requests[0] == requests[1]


def test_document_reaches_the_model(claude: Any, standin: StandIn) -> None:
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
        "title": "T",
        "context": "C",
    }
    claude.messages.create(
        model=MODEL,
        max_tokens=LIMIT,
        messages=[{"role": "user", "content": [document, {"type": "text", "text": "?"}]}],
    )
    assert recorded_blocks(standin.messages.last, 0)[0] == document

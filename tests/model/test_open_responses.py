"""The compliance suite of Open Responses, which its website runs, written again for this test's stand-in.

The names are the suite's (https://github.com/openresponses/openresponses, src/lib/compliance-tests.ts, of 2026-04-24).
It has 17 cases. One of them, `response-output-phase-schema`, tests only the suite. Every response and event has to fit
the specification's schemas.
"""

from typing import Any

import pytest

from tests.standin import StandIn, text, tool_calls
from tests.support import open_responses, pictures
from tests.support.gateway import Gateway
from tests.support.response_client import MODEL, connect
from tests.support.responses_shapes import check_stream

Body = dict[str, Any]

PATH = "/v1/responses"
WEATHER: Body = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}
OUTPUT_OF_NO_CALL: Body = {
    "type": "function_call_output",
    "call_id": "call_openresponses_missing",
    "output": "?",
}


def message(role: str, content: Any, **fields: Any) -> Body:
    return {"type": "message", "role": role, "content": content, **fields}


PICTURE: Body = {"type": "input_image", "image_url": pictures.data_url(pictures.plain(32, 32))}
REQUESTS: dict[str, Body] = {
    "basic-response": {"input": [message("user", "Say hello in exactly 3 words.")]},
    "assistant-phase": {
        "input": [
            message("assistant", "I should answer with the saved number.", phase="commentary"),
            message("assistant", "The number is four.", phase="final_answer"),
            message("user", "Repeat only the number."),
        ]
    },
    "system-prompt": {"input": [message("system", "You are a pirate."), message("user", "Say hello.")]},
    "image-input": {
        "input": [message("user", [{"type": "input_text", "text": "What do you see?"}, PICTURE])]
    },
    "multi-turn": {
        "input": [
            message("user", "My name is Alice."),
            message("assistant", "Hello Alice!"),
            message("user", "What is my name?"),
        ]
    },
}
CONVERSATION = [
    message("user", "We agreed to launch on Tuesday."),
    message("assistant", [{"type": "output_text", "text": "Understood."}]),
]


@pytest.fixture(autouse=True)
def _answers(standin: StandIn) -> None:
    standin.default(text("Ahoy, dear friend!", chunks=3))


def post(gateway: Gateway, path: str = PATH, **fields: Any) -> Body:
    answer = gateway.api.post(path, json={"model": MODEL, **fields})
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


def assert_completed(events: list[Body]) -> str:
    """Return the id of the response."""
    response = events[-1]["response"]
    open_responses.check_response(response)
    assert response["status"] == "completed"
    return str(response["id"])


@pytest.mark.parametrize("case", REQUESTS)
def test_request_gets_a_complete_response(gateway: Gateway, case: str) -> None:
    response = post(gateway, **REQUESTS[case])
    open_responses.check_response(response)
    assert response["output"]
    assert response["status"] == "completed"


def test_streaming_response(gateway: Gateway) -> None:
    answer = gateway.api.post(PATH, json={"model": MODEL, "input": "Count from 1 to 5.", "stream": True})
    assert_completed(check_stream(answer.content))


def test_tool_calling(gateway: Gateway, standin: StandIn) -> None:
    standin.reply(tool_calls([("get_weather", {"location": "San Francisco, CA"})]))
    response = post(gateway, input=[message("user", "What's the weather like?")], tools=[WEATHER])
    open_responses.check_response(response)
    assert "function_call" in [item["type"] for item in response["output"]]


def test_compact_response(gateway: Gateway) -> None:
    body = post(gateway, f"{PATH}/compact", input=CONVERSATION, prompt_cache_key="openresponses-compact-test")
    open_responses.check(body, "CompactResource")
    assert "compaction" in [item["type"] for item in body["output"]]


def test_compact_missing_model(gateway: Gateway) -> None:
    answer = gateway.api.post(f"{PATH}/compact", json={"input": CONVERSATION})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["param"] == "model"


def test_websocket_response_and_sequential_responses(gateway: Gateway) -> None:
    with connect(gateway) as client:
        assert_completed(client.create([message("user", "Count from 1 to 3.")]))
        assert_completed(client.create("Reply with exactly: first", store=False))
        assert_completed(client.create("Reply with exactly: second", store=False))


def test_websocket_continuation_and_reconnect_recovery(gateway: Gateway) -> None:
    with connect(gateway) as client:
        first = assert_completed(client.create("Remember the code word: cobalt.", store=False))
        assert_completed(client.create("What is the code word?", store=False, previous_response_id=first))
    with connect(gateway) as again:
        assert_forgotten(again.create("Continue.", store=False, previous_response_id=first))
        assert_completed(again.create([message("user", "Start a new response.")], store=False))


def test_websocket_previous_response_not_found(gateway: Gateway) -> None:
    with connect(gateway) as client:
        assert_forgotten(client.create("Fail.", store=False, previous_response_id="resp_missing"))


def test_websocket_failed_continuation_evicts_cache(gateway: Gateway) -> None:
    with connect(gateway) as client:
        first = assert_completed(client.create("Remember the code word: ember.", store=False))
        failed = client.create([OUTPUT_OF_NO_CALL], store=False, previous_response_id=first)
        assert failed[-1]["type"] in ("error", "response.failed")
        assert_forgotten(client.create("Continue.", store=False, previous_response_id=first))


def test_websocket_compact_new_chain(gateway: Gateway) -> None:
    compacted = post(gateway, f"{PATH}/compact", input=CONVERSATION)["output"]
    with connect(gateway) as client:
        events = client.create([*compacted, message("user", "Continue from here.")], store=False, tools=[])
        assert_completed(events)


def assert_forgotten(events: list[Body]) -> None:
    assert events[-1]["error"]["code"] == "previous_response_not_found"

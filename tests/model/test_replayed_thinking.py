"""Thinking that clients of the Messages API send back reaches the model with its signature, in a fresh process too."""

import itertools
import json
from typing import Any

import pytest

from tests.standin import StandIn, sign, text, thinking, tool_calls
from tests.support.gateway import Gateway
from tests.support.recorded import Body, messages_of, process_of

PATH = "/v1/messages"
STEP: Body = {"name": "step", "input_schema": {"type": "object", "properties": {}}}
THOUGHT: Body = {"type": "thinking", "thinking": "Let me see.", "signature": sign("Let me see.")}
CALL: Body = {"type": "tool_use", "id": "toolu_1", "name": "step", "input": {}}
RESULT: Body = {
    "type": "tool_result",
    "tool_use_id": "toolu_1",
    "content": [{"type": "text", "text": "RESULT"}],
}
ADAPTIVE = {"type": "adaptive"}
MODELS = ["claude-haiku-4-5", "claude-opus-4-6", "sonnet"]


def ask(gateway: Gateway, messages: list[Body], model: str, key: str = "one", **fields: Any) -> Body:
    """Send a conversation, which has to succeed, and return the answer. Each key has processes of its own."""
    body = {"model": model, "max_tokens": 9000, "thinking": ADAPTIVE, "messages": messages, **fields}
    answer = gateway.api.post(PATH, json=body, headers={"x-api-key": key})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def spoken(standin: StandIn) -> list[Body]:
    """Return the messages of the last request, without the empty ones that the CLI adds."""
    return [message for message in messages_of(standin.messages.last) if message["content"]]


@pytest.mark.parametrize("model", MODELS)
def test_signed_thinking_of_a_tool_round_comes_back_to_the_model(
    gateway: Gateway, standin: StandIn, model: str
) -> None:
    standin.default(thinking("Let me see.", tool_calls([("step", {}, "toolu_1")])))
    question = {"role": "user", "content": "Go."}
    answer = ask(gateway, [question], model, tools=[STEP])
    assert answer["content"] == [THOUGHT, CALL]
    standin.default(text("Done."))
    answered = [
        question,
        {"role": "assistant", "content": answer["content"]},
        {"role": "user", "content": [RESULT]},
    ]
    ask(gateway, answered, model, "another", tools=[STEP])
    first, second = list(standin.messages)[-2:]
    assert process_of(first) != process_of(second)
    assert spoken(standin)[1] == {"role": "assistant", "content": [THOUGHT, CALL]}
    assert second.body["thinking"]["type"] in ("enabled", "adaptive")


def test_stream_signs_the_thinking(gateway: Gateway, standin: StandIn) -> None:
    standin.default(thinking("Let me see.", text("Done.")))
    question = {"role": "user", "content": "Go."}
    body = {"model": "claude-opus-4-6", "max_tokens": 9000, "thinking": ADAPTIVE, "messages": [question]}
    with gateway.api.stream("POST", PATH, json={**body, "stream": True}) as answer:
        data = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    deltas = [event["delta"] for event in data if event["type"] == "content_block_delta"]
    kinds = [kind for kind, _ in itertools.groupby(deltas, key=lambda delta: delta["type"])]
    assert kinds == ["thinking_delta", "signature_delta", "text_delta"]
    assert [delta.get("signature") for delta in deltas if "signature" in delta] == [sign("Let me see.")]


def test_thinking_stays_in_a_long_conversation_between_texts(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Done."))
    redacted = {"type": "redacted_thinking", "data": "encrypted"}
    answer = [THOUGHT, {"type": "text", "text": "one"}, redacted, {"type": "text", "text": "two"}]
    turns: list[Body] = [{"role": "user", "content": "Go."}, {"role": "assistant", "content": answer}]
    ask(gateway, [*turns, *turns, {"role": "user", "content": "Go."}], "claude-opus-4-6")
    assert [message["content"] for message in spoken(standin)[1::2]] == [answer, answer]


@pytest.mark.parametrize(
    "thought",
    [{**THOUGHT, "signature": ""}, {"type": "thinking", "thinking": "hm"}, {"type": "redacted_thinking"}],
    ids=["unsigned", "no signature", "no data"],
)
def test_thinking_that_the_api_would_reject_is_left_out_and_named(
    gateway: Gateway, standin: StandIn, thought: Body
) -> None:
    standin.default(text("Done."))
    answer = {"role": "assistant", "content": [thought, {"type": "text", "text": "one"}]}
    messages = [{"role": "user", "content": "Go."}, answer, {"role": "user", "content": "On."}]
    body = {"model": "claude-opus-4-6", "max_tokens": 9000, "messages": messages}
    response = gateway.api.post(PATH, json=body)
    assert response.status_code == 200
    assert response.headers["x-ignored-parameters"] == "messages[1].content[0]"
    assert spoken(standin)[1]["content"] == [{"type": "text", "text": "one"}]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("is_tool_round", [False, True], ids=["texts", "a tool round"])
def test_thinking_with_a_foreign_signature_does_not_stop_a_conversation(
    gateway: Gateway, standin: StandIn, model: str, is_tool_round: bool
) -> None:
    standin.default(text("Done."))
    said = CALL if is_tool_round else {"type": "text", "text": "one"}
    next_content = RESULT if is_tool_round else {"type": "text", "text": "On."}
    messages: list[Body] = [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": [{**THOUGHT, "signature": "from another provider"}, said]},
        {"role": "user", "content": [next_content]},
    ]
    answer = ask(gateway, messages, model, "a third", tools=[STEP])
    assert answer["content"] == [{"type": "text", "text": "Done."}]
    assert spoken(standin)[1]["content"] == [said]


def test_thinking_that_the_gateway_drops_after_a_rejection_is_named(
    gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("Done."))
    called = [{**THOUGHT, "signature": "from another provider"}, CALL]
    messages: list[Body] = [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": called},
        {"role": "user", "content": [RESULT]},
    ]
    body = {"model": "claude-haiku-4-5", "max_tokens": 9000, "thinking": ADAPTIVE, "tools": [STEP]}
    response = gateway.api.post(PATH, json={**body, "messages": messages}, headers={"x-api-key": "a fourth"})
    assert response.status_code == 200
    assert response.headers["x-repaired"] == "thinking-rejected"

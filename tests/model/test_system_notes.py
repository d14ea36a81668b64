"""A client's system messages between turns reach the model in place, and its follow-ups find their process."""

from typing import Any

import pytest

from tests.model.test_parked_conversations import count_reuses
from tests.standin import Reply, StandIn, text, tool_calls
from tests.support.gateway import Gateway
from tests.support.recorded import Body, assert_prompts_grow, messages_of, process_of, system_texts_of
from tests.support.system_notes import DIALECTS, NOTED, call_id, note_text

ROUNDS = 6


def call_steps(body: Body) -> Reply:
    """Return one call after the other, and a text in the end."""
    done = sum(block["type"] == "tool_result" for message in body["messages"] for block in blocks_of(message))
    if done == ROUNDS:
        return text("Done.")
    return tool_calls([(body["tools"][0]["name"], {"n": done}, call_id(done))])


def blocks_of(message: Body) -> list[Body]:
    return message["content"] if isinstance(message["content"], list) else []


# https://github.com/ollama/ollama/issues/18431
# https://github.com/BerriAI/litellm/issues/36559
# https://github.com/lidge-jun/opencodex/issues/4148
@pytest.mark.parametrize("model", ["sonnet", "claude-opus-4-6"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_request_with_a_new_note_continues_in_the_kept_process(
    keeping_gateway: Gateway, standin: StandIn, dialect: str, model: str
) -> None:
    standin.default(call_steps)
    reuses = count_reuses(keeping_gateway)
    for rounds in range(ROUNDS + 1):
        body: dict[str, Any] = {**DIALECTS[dialect].body(rounds), "model": model}
        assert keeping_gateway.api.post(DIALECTS[dialect].path, json=body).status_code == 200
    records = list(standin.messages)
    assert len(records) == ROUNDS + 1
    assert len({process_of(record) for record in records}) == 1
    assert count_reuses(keeping_gateway) - reuses == ROUNDS
    assert_prompts_grow(records)
    assert system_texts_of(records[-1]) == ["Be brief."]
    spoken = [message for message in messages_of(records[-1]) if message["role"] != "system"]
    assert [block["text"] for block in spoken[0]["content"]] == ["Go on.", NOTED]
    results = [block for message in spoken[2::2] for block in message["content"]]
    assert [[part["text"] for part in result["content"]] for result in results] == [
        [f"RESULT {index}", f"<system-reminder>\n{note_text(index)}\n</system-reminder>"]
        for index in range(ROUNDS)
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_seeded_conversation_with_notes_has_the_same_prompt(
    gateway: Gateway, keeping_gateway: Gateway, standin: StandIn, dialect: str
) -> None:
    standin.default(call_steps)
    body = {**DIALECTS[dialect].body(ROUNDS), "model": "claude-opus-4-6"}
    for used in (keeping_gateway, gateway):
        if used is keeping_gateway:
            for rounds in range(ROUNDS):
                used.api.post(DIALECTS[dialect].path, json={**body, **DIALECTS[dialect].body(rounds)})
        assert used.api.post(DIALECTS[dialect].path, json=body).status_code == 200
    live, seeded = list(standin.messages)[-2:]
    assert process_of(live) != process_of(seeded)
    assert messages_of(seeded) == messages_of(live)
    assert seeded.body["tools"] == live.body["tools"]


def test_effort_of_a_system_message_counts(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Hello."))
    messages: list[Body] = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "", "output_config": {"effort": "low"}},
    ]
    body = {"model": "claude-opus-4-6", "messages": messages, "max_tokens": 5000}
    answer = gateway.api.post("/v1/messages", json={**body, "output_config": {"effort": "high"}})
    assert answer.status_code == 200
    assert standin.messages.last.body["output_config"]["effort"] == "low"
    assert "x-ignored-parameters" not in answer.headers

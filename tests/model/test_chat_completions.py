"""Chat completions through the real CLI: what reaches the model, and what comes back."""

from __future__ import annotations

import json

from tests.standin import StandIn, text
from tests.support.gateway import Gateway


def test_chat_completion_returns_the_text_and_the_resolved_model(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Hello there"))
    answer = gateway.api.chat("hi", model="claude-haiku-4-5")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "Hello there"
    assert body["model"] == "claude-haiku-4-5-20251001"


def test_stream_chunks_match_the_deltas_of_the_model(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text(chunks=["Hel", "lo"]))
    events = list(gateway.api.stream_chat("hi"))
    assert events[-1] == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    assert [delta.get("content") for delta in deltas] == ["", "Hel", "lo", None]

"""Usage and cost of an answer are the figures that the model reports."""

import pytest

from tests.standin import StandIn, text
from tests.support.gateway import Gateway
from tests.support.recorded import chunks_of
from tests.support.wide import wide_except

ALWAYS_THINKS = "claude-opus-5-5"
ADAPTIVE = "claude-opus-4-6-20260205"
BUDGET = "claude-haiku-4-5-20251001"
NO_THINKING = "claude-3-5-haiku-20241022"

WORDS = "one two three four five six seven"
COUNTED = {
    "input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 300,
    "output_tokens": 40,
}
# Haiku 4.5: 1 and 5 USD per million tokens; reading from the cache costs a tenth, writing a quarter more.
COST = (100 + 0.1 * 2000 + 1.25 * 300 + 5 * 40) / 1e6


@pytest.mark.parametrize("limit", [None, 3], ids=["complete", "truncated"])
def test_usage_and_cost_come_from_the_model(gateway: Gateway, standin: StandIn, limit: int | None) -> None:
    standin.default(text(WORDS, usage=COUNTED))
    usage = gateway.api.chat(model=BUDGET, max_tokens=limit).json()["usage"]
    assert usage.pop("cost") == pytest.approx(COST)
    assert usage == {
        "prompt_tokens": 2400,
        "completion_tokens": 40,
        "total_tokens": 2440,
        "prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


@pytest.mark.parametrize(
    "model", wide_except([ALWAYS_THINKS, "haiku", ADAPTIVE, NO_THINKING], ALWAYS_THINKS, NO_THINKING)
)
def test_truncated_answer_costs_as_much_as_a_complete_one(
    gateway: Gateway, standin: StandIn, model: str
) -> None:
    standin.default(text(WORDS, usage=COUNTED))
    complete, truncated = (
        gateway.api.chat(model=model, max_tokens=limit).json()["usage"]["cost"] for limit in (None, 3)
    )
    assert truncated == pytest.approx(complete)
    assert truncated > 0


@pytest.mark.parametrize("limit", [None, 3], ids=["complete", "truncated"])
def test_stream_usage_comes_once_in_the_last_chunk(
    gateway: Gateway, standin: StandIn, limit: int | None
) -> None:
    standin.default(text(WORDS, usage=COUNTED))
    options = {"include_usage": True, "include_obfuscation": False}
    *others, last = chunks_of(gateway.api.stream_chat(model=BUDGET, max_tokens=limit, stream_options=options))
    assert not any("usage" in chunk for chunk in others)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 2440
    assert last["usage"]["cost"] == pytest.approx(COST)
    assert others[-1]["choices"][0]["finish_reason"] == ("length" if limit else "stop")


def test_stream_has_no_usage_unless_requested(gateway: Gateway) -> None:
    answer = chunks_of(gateway.api.stream_chat())
    assert not any("usage" in chunk for chunk in answer)
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in answer} == {
        (answer[0]["id"], answer[0]["created"], ALWAYS_THINKS)
    }

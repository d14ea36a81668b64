"""Parameters of a request: the model receives them, or the gateway lists them as ignored or rejects them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standin import StandIn, blocks, text
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.recorded import chunks_of, streamed_text
from tests.support.single_answer import single_answer

ALWAYS_THINKS = "claude-opus-5-5"
ADAPTIVE = "claude-opus-4-6-20260205"
BUDGET = "claude-haiku-4-5-20251001"
TAKES_BOTH = "claude-sonnet-4-20250514"
NO_THINKING = "claude-3-5-haiku-20241022"
FALLBACK = "claude-opus-4-5-20251101"
OPERATORS_MODEL = "claude-opus-4-7"

WORDS = "one two three four five six seven"
PATH = "/v1/chat/completions"


def recorded(standin: StandIn, *names: str) -> dict[str, Any]:
    """Return these fields of the first request that reached the API, as far as it has them."""
    body = standin.messages[0].body
    return {name: body[name] for name in names if name in body}


# max_tokens


@pytest.mark.parametrize(
    ("model", "limit"),
    [(ALWAYS_THINKS, 1), (ADAPTIVE, 500), (BUDGET, 1), (BUDGET, 3000), (NO_THINKING, 500)],
)
def test_any_max_tokens_yields_an_answer(gateway: Gateway, standin: StandIn, model: str, limit: int) -> None:
    standin.default(text(WORDS))
    answer = gateway.api.chat(model=model, max_tokens=limit)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    is_truncated = limit == 1
    assert choice["finish_reason"] == ("length" if is_truncated else "stop")
    assert choice["message"]["content"] == ("one" if is_truncated else WORDS)
    assert recorded(standin, "model", "max_tokens") == {"model": model, "max_tokens": limit}
    assert "x-ignored-parameters" not in answer.headers


def test_max_tokens_is_capped_at_the_maximum_of_the_model(gateway: Gateway, standin: StandIn) -> None:
    assert gateway.api.chat(model=NO_THINKING, max_completion_tokens=1_000_000).status_code == 200
    assert recorded(standin, "max_tokens") == {"max_tokens": 8192}


@pytest.mark.parametrize(
    ("model", "stream"), [(ALWAYS_THINKS, False), (BUDGET, True)], ids=["complete", "stream"]
)
def test_cli_does_not_continue_after_max_tokens(
    gateway: Gateway, standin: StandIn, model: str, stream: bool
) -> None:
    with single_answer(gateway, standin, text(WORDS)):
        if stream:
            answer = chunks_of(gateway.api.stream_chat(model=model, max_tokens=3))
            assert streamed_text(answer) == "one two three"
            assert answer[-1]["choices"][0]["finish_reason"] == "length"
        else:
            choice = gateway.api.chat(model=model, max_tokens=3).json()["choices"][0]
            assert (choice["message"]["content"], choice["finish_reason"]) == ("one two three", "length")


def test_limit_used_up_by_thinking_yields_an_empty_answer(gateway: Gateway, standin: StandIn) -> None:
    standin.default(blocks(stop_reason="max_tokens"))
    answer = gateway.api.chat(max_tokens=16)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")


# temperature, top_p, stop


@pytest.mark.parametrize(
    ("model", "fields", "expected", "ignored"),
    # One row for each kind of model; tests/unit/claude/test_tuning.py has the table. The CLI adds temperature 1.
    [
        ("sonnet", {"temperature": 0.2, "top_p": 0.9}, {}, "temperature, top_p"),
        (ADAPTIVE, {"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2}, "top_p"),
        (BUDGET, {"temperature": 0.2}, {"temperature": 0.2}, None),
        (TAKES_BOTH, {"top_p": 0.9}, {"temperature": 1, "top_p": 0.9}, None),
        (NO_THINKING, {"temperature": 2, "top_p": 0.5}, {"top_p": 0.5}, None),
    ],
)
def test_sampling_parameters_reach_models_that_support_them(
    gateway: Gateway,
    standin: StandIn,
    model: str,
    fields: dict[str, Any],
    expected: dict[str, Any],
    ignored: str | None,
) -> None:
    answer = gateway.api.chat(model=model, **fields)
    assert answer.status_code == 200, answer.text
    assert recorded(standin, "temperature", "top_p") == expected
    assert answer.headers.get("x-ignored-parameters") == ignored


def test_budget_and_limit_of_chat_reach_the_model_as_far_as_it_allows(
    gateway: Gateway, standin: StandIn
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 5000}
    answer = gateway.api.chat(model=BUDGET, max_tokens="1000000", thinking=thinking)
    assert answer.status_code == 200, answer.text
    sent = recorded(standin, "max_tokens", "thinking")
    assert (sent["max_tokens"], sent["thinking"]["budget_tokens"]) == (64_000, 5000)
    assert answer.headers["x-ignored-parameters"] == "max_tokens"
    assert answer.headers["x-repaired"] == "parameter-adjusted"


def test_ignored_top_p_does_not_turn_thinking_off(gateway: Gateway, standin: StandIn) -> None:
    answer = gateway.api.chat(model=BUDGET, top_p=0.5)
    assert answer.headers["x-ignored-parameters"] == "top_p"
    assert recorded(standin, "thinking")["thinking"]["type"] == "enabled"


@pytest.mark.parametrize("model", [ADAPTIVE, BUDGET])
def test_high_top_p_is_sent_together_with_thinking(gateway: Gateway, standin: StandIn, model: str) -> None:
    answer = gateway.api.chat(model=model, top_p=0.97)
    assert answer.status_code == 200, answer.text
    assert recorded(standin, "top_p", "temperature") == {"top_p": 0.97}
    assert "x-ignored-parameters" not in answer.headers


@pytest.mark.parametrize(
    ("model", "stop"),
    [(ALWAYS_THINKS, "three"), (BUDGET, ["STOP", "three", "five"])],
    ids=["string", "list"],
)
def test_stop_sequences_end_the_answer(
    gateway: Gateway, standin: StandIn, model: str, stop: str | list[str]
) -> None:
    standin.default(text(WORDS))
    choice = gateway.api.chat(model=model, stop=stop).json()["choices"][0]
    assert (choice["message"]["content"].rstrip(), choice["finish_reason"]) == ("one two", "stop")
    expected = [stop] if isinstance(stop, str) else stop
    assert recorded(standin, "stop_sequences") == {"stop_sequences": expected}


def test_all_parameters_at_once_reach_an_older_model(gateway: Gateway, standin: StandIn) -> None:
    fields = {"max_tokens": 200, "temperature": 0.3, "top_p": 0.8}
    assert gateway.api.chat(model=TAKES_BOTH, stop="END", **fields).status_code == 200
    expected = {**fields, "stop_sequences": ["END"]}
    assert recorded(standin, *expected) == expected


def test_parameters_do_not_carry_over_to_the_next_request(gateway: Gateway, standin: StandIn) -> None:
    gateway.api.chat(model=NO_THINKING, temperature=0.1, stop="x", max_tokens=5)
    standin.reset()
    assert gateway.api.chat(model=NO_THINKING).status_code == 200
    assert recorded(standin, "temperature", "stop_sequences", "max_tokens") == {"max_tokens": 8192}


def test_gateway_learns_that_an_unlisted_model_rejects_temperature(
    gateway: Gateway, standin: StandIn
) -> None:
    for first in (True, False):
        answer = gateway.api.chat(model="claude-opus-4-8", temperature=0.2)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ignored-parameters"] == "temperature"
        assert any("temperature" in record.body for record in standin.messages) == first
        assert standin.messages.last.status == 200
        standin.reset()


# Ignored and rejected parameters


def test_parameters_without_effect_are_listed_as_ignored(gateway: Gateway, standin: StandIn) -> None:
    fields = {"seed": 3, "logit_bias": {"1": 1}, "user": "me", "frequency_penalty": 1, "foo_bar": True}
    answer = gateway.api.chat(**fields, presence_penalty=0, n=1, metadata=None)
    assert answer.headers["x-ignored-parameters"] == ", ".join(sorted(fields))
    assert not {*fields, "presence_penalty", "n"} & standin.messages.last.body.keys()


def test_stream_lists_ignored_parameters(gateway: Gateway) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": True, "seed": 1, "temperature": 0}
    answer = gateway.api.post(PATH, json=body)
    assert answer.headers["x-ignored-parameters"] == "seed, temperature"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"content": [{"type": "input_audio", "input_audio": {}}]}, "messages[0].content[0].input_audio"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unsupported_parameters_are_rejected(
    gateway: Gateway, standin: StandIn, fields: dict[str, Any], param: str
) -> None:
    for stream in (False, True):
        answer = gateway.api.chat(**fields, stream=stream)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("unsupported_parameter", param)
        assert error["type"] == "invalid_request_error"
    assert not standin.messages


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"content": 5}, "messages[0].content"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_value_names_its_field(
    gateway: Gateway, standin: StandIn, fields: dict[str, Any], param: str
) -> None:
    answer = gateway.api.chat(**fields)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("invalid_request", param)
    assert not standin.messages


# Models


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-opus-4-6", ADAPTIVE),
        ("claude-opus-latest", "claude-opus-5-5"),
        ("claude-opus-7-1", "claude-opus-7-1"),
    ],
)
def test_model_name_resolves_to_its_id(gateway: Gateway, standin: StandIn, name: str, model: str) -> None:
    answer = gateway.api.chat(model=name)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model
    assert recorded(standin, "model") == {"model": model}


@pytest.mark.parametrize("stream", [False, True], ids=["complete", "stream"])
def test_unknown_model_is_rejected_with_the_list_of_models(
    gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    answer = gateway.api.chat(model="gpt-4o", stream=stream)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_supported", "model")
    assert all(name in error["message"] for name in ("gpt-4o", "sonnet", ADAPTIVE))
    assert not standin.messages


def test_unlisted_claude_model_is_tried(gateway: Gateway, standin: StandIn) -> None:
    answer = gateway.api.chat(model="claude-nonexistent-9", stream=True)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_supported", "model")
    assert "claude-nonexistent-9" in error["message"]
    assert {record.body["model"] for record in standin.messages} == {"claude-nonexistent-9"}


def test_rejected_model_is_replaced_by_its_fallback(
    gateway: Gateway, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standin, "unknown_models", {ADAPTIVE})
    standin.default(text(WORDS))
    answer = chunks_of(gateway.api.stream_chat(model=ADAPTIVE, temperature=0.3))
    assert streamed_text(answer) == WORDS
    assert {chunk["model"] for chunk in answer} == {FALLBACK}
    assert [record.body["model"] for record in standin.messages if record.status == 200] == [FALLBACK]
    assert standin.messages.last.body["temperature"] == 0.3


def test_error_names_every_model_that_was_rejected(
    gateway: Gateway, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = [ADAPTIVE, FALLBACK]
    monkeypatch.setattr(standin, "unknown_models", set(tried))
    answer = gateway.api.chat(model="claude-opus-4-6")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "model_not_supported"
    assert all(model in answer.json()["error"]["message"] for model in tried)
    models = [record.body["model"] for record in standin.messages]
    assert list(dict.fromkeys(models)) == tried


def test_models_and_default_of_the_operator_are_used(
    start_gateway: Callable[..., Gateway], standin: StandIn, tmp_path: Path
) -> None:
    file = tmp_path / "models.json"
    model = {
        "id": OPERATORS_MODEL,
        "aliases": ["mine", "opus"],
        "input_cost_per_1k": 1,
        "output_cost_per_1k": 2,
    }
    file.write_text(json.dumps({"aliases": {"gpt-4o": "mine"}, "models": [model]}))
    gateway = start_gateway(
        CLAUDE_CODE_API_MODELS_PATH=str(file), DEFAULT_MODEL="mine", **NOTHING_KEPT, WARM_PROCESSES="1"
    )
    for name in (None, "gpt-4o", "opus"):
        standin.reset()
        answer = gateway.api.chat(model=name)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == OPERATORS_MODEL
        assert recorded(standin, "model") == {"model": OPERATORS_MODEL}
    listed = gateway.api.get("/v1/models/capabilities").json()["models"]
    mine = next(entry for entry in listed if entry["id"] == OPERATORS_MODEL)
    assert mine["aliases"] == ["gpt-4o", "mine", "opus"]
    assert mine["pricing"]["output_cost_per_1k_tokens"] == 2

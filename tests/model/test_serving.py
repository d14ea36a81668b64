"""Wishes about how the API serves a turn, through the real CLI: fast mode, context window, cache, tier, thinking.

What the CLI sends for each was seen on 2.1.332.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.standin import StandIn, error, text, thinking
from tests.support.gateway import Gateway
from tests.support.wide import wide

FAST = "claude-opus-5-5"
NOT_FAST = "claude-sonnet-5-5"
NARROW = "claude-haiku-4-5-20251001"
WIDE = "claude-sonnet-4-5-20250929"
FAST_BETA = "fast-mode-2026-02-01"
WIDE_BETA = "context-1m-2025-08-07"

USED = {"input_tokens": 1000, "output_tokens": 100}


def ask(gateway: Gateway, betas: str = "", **fields: Any) -> Any:
    """Send a request of the Messages API."""
    body = {"max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"anthropic-beta": betas} if betas else {}
    answer = gateway.api.post("/v1/messages", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def marks(value: Any) -> list[Any]:
    """Return all cache marks of a request."""
    if isinstance(value, list):
        return [mark for item in value for mark in marks(item)]
    if not isinstance(value, dict):
        return []
    own = [value["cache_control"]] if value.get("cache_control") else []
    return own + [mark for item in value.values() for mark in marks(item)]


def test_fast_mode_is_asked_for_and_priced(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Hello", usage=USED))
    slow, fast = (gateway.api.chat(model=FAST, service_tier=tier).json() for tier in ("default", "priority"))
    sent = [record.body.get("speed") for record in standin.messages]
    assert (sent, FAST_BETA in standin.messages.last.betas) == ([None, "fast"], True)
    assert ("service_tier" in slow, fast["service_tier"]) == (False, "priority")
    # https://platform.claude.com/docs/en/build-with-claude/fast-mode
    assert fast["usage"]["cost"] == pytest.approx(2 * slow["usage"]["cost"])
    cut = gateway.api.chat(model=FAST, service_tier="fast", max_tokens=1).json()["usage"]["cost"]
    assert cut == pytest.approx(fast["usage"]["cost"])


def test_kept_process_forgets_the_wishes_of_an_earlier_turn(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("Hello"))
    messages: list[dict[str, Any]] = [{"role": "user", "content": "one"}]
    wishes: dict[str, Any] = {
        "speed": "fast",
        "service_tier": "standard_only",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    for fields in (wishes, {}):
        answer = ask(keeping_gateway, model=FAST, messages=messages, **fields)
        messages += [
            {"role": "assistant", "content": answer.json()["content"]},
            {"role": "user", "content": "two"},
        ]
    first, second = standin.messages
    assert first.headers["x-claude-code-session-id"] == second.headers["x-claude-code-session-id"]
    assert (first.body["speed"], first.body["service_tier"]) == ("fast", "standard_only")
    assert not {"speed", "service_tier"} & second.body.keys()
    assert {mark.get("ttl") for mark in marks(first.body)} == {"1h"}
    assert {mark.get("ttl") for mark in marks(second.body)} == {None}


def test_wishes_that_a_model_does_not_take_are_named(gateway: Gateway, standin: StandIn) -> None:
    answer = ask(
        gateway,
        WIDE_BETA,
        model=NARROW,
        speed="fast",
        thinking={"type": "enabled", "budget_tokens": 1024},
        top_k=40,
    )
    assert answer.headers["x-ignored-parameters"] == "anthropic-beta, speed, top_k"
    assert not {"speed", "top_k"} & standin.messages.last.body.keys()
    assert WIDE_BETA not in standin.messages.last.betas


@wide
def test_standard_speed_is_named_when_the_account_has_no_fast_mode(
    gateway: Gateway, standin: StandIn
) -> None:
    problem = "Fast mode is not enabled for your organization"
    standin.reply(error(400, "invalid_request_error", problem), times=1)
    standin.default(text("Hello", usage={"speed": "standard"}))
    answer = gateway.api.chat(model=FAST, service_tier="priority")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ignored-parameters"] == "service_tier"
    assert [record.body.get("speed") for record in standin.messages] == ["fast", None]


def test_rejected_service_tier_is_left_out(gateway: Gateway, standin: StandIn) -> None:
    rejected = error(400, "invalid_request_error", "service_tier: not available for this model")
    standin.reply(rejected, when=lambda body: "service_tier" in body)
    for is_first in (True, False):
        answer = ask(gateway, model=NOT_FAST, service_tier="standard_only")
        assert answer.headers["x-ignored-parameters"] == "service_tier"
        assert (standin.messages[0].status == 400) is is_first  # the CLI itself tries twice more
        assert standin.messages.last.status == 200
        standin.reset()
        standin.reply(rejected, when=lambda body: "service_tier" in body)


@wide
def test_beta_widens_the_context_window(gateway: Gateway, standin: StandIn) -> None:
    answer = ask(gateway, WIDE_BETA, model=WIDE)
    assert WIDE_BETA in standin.messages.last.betas
    assert (answer.json()["model"], standin.messages.last.body["model"]) == (WIDE, WIDE)
    assert "x-ignored-parameters" not in answer.headers


@wide
def test_explicit_mode_without_breakpoints_turns_the_cache_off(gateway: Gateway, standin: StandIn) -> None:
    gateway.api.chat(prompt_cache_options={"mode": "explicit"})
    assert marks(standin.messages.last.body) == []
    ignored = gateway.api.chat(prompt_cache_retention="24h").headers["x-ignored-parameters"]
    assert (ignored, {mark.get("ttl") for mark in marks(standin.messages.last.body)}) == (
        "prompt_cache_retention",
        {None},
    )


@wide
def test_operator_allows_openai_clients_a_longer_cache(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    gateway = start_gateway(LONG_PROMPT_CACHE="true")
    wish = {"prompt_cache_retention": "24h"}
    for is_chat in (True, False):
        response = {"input": "Hi", **wish}
        answer = gateway.api.chat(**wish) if is_chat else gateway.api.post("/v1/responses", json=response)
        assert answer.headers["x-repaired"] == "parameter-adjusted"
        assert {mark.get("ttl") for mark in marks(standin.messages.last.body)} == {"1h"}


@wide
def test_omitted_thinking_comes_as_a_signature(gateway: Gateway, standin: StandIn) -> None:
    standin.default(thinking("Let me see.", text("Hello")))
    shown, omitted = (
        ask(gateway, model=FAST, thinking={"type": "adaptive", "display": display}).json()["content"]
        for display in ("summarized", "omitted")
    )
    assert shown[0]["thinking"] == "Let me see."
    assert (omitted[0]["thinking"], omitted[0]["signature"] != "") == ("", True)
    assert standin.messages.last.body["thinking"]["display"] == "omitted"

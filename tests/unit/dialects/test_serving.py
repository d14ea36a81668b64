"""The wishes of clients about how they are served, in the words of each API."""

from typing import Any

import pytest

from gateway.dialects.chat.cursor import as_chat
from gateway.dialects.chat.request import parse_plain_body
from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.messages.request import parse_request as parse_messages
from gateway.dialects.responses.request import parse_request as parse_responses
from gateway.serving import Serving

MESSAGES = [{"role": "user", "content": "hi"}]
ADJUSTED = ["parameter-adjusted"]

OPENAI: list[tuple[dict[str, Any], Serving, tuple[str, ...], list[str]]] = [
    ({}, Serving(), (), []),
    # https://developers.openai.com/api/docs/guides/fast-mode: both words mean the same.
    ({"service_tier": "priority"}, Serving(fast=True), (), []),
    ({"service_tier": "fast"}, Serving(fast=True), (), []),
    ({"service_tier": "default"}, Serving(), (), []),
    ({"service_tier": "flex"}, Serving(), ("service_tier",), []),
    ({"service_tier": 7}, Serving(), ("service_tier",), []),
    ({"prompt_cache_retention": "24h"}, Serving(cache="1h"), (), ADJUSTED),
    ({"prompt_cache_retention": "in_memory"}, Serving(), (), []),
    ({"prompt_cache_retention": "forever"}, Serving(), ("prompt_cache_retention",), []),
    ({"prompt_cache_options": {"ttl": "30m"}}, Serving(cache="1h"), (), ADJUSTED),
    ({"prompt_cache_options": {"mode": "implicit"}}, Serving(), (), []),
    ({"prompt_cache_options": {"mode": "explicit"}}, Serving(cache="off"), (), []),
    ({"prompt_cache_options": "explicit"}, Serving(), ("prompt_cache_options",), []),
    ({"reasoning": {"exclude": True}}, Serving(hides_thinking=True), (), []),
    ({"reasoning": {"exclude": "yes"}}, Serving(), ("reasoning.exclude",), []),
]


@pytest.mark.parametrize(("fields", "serving", "ignored", "repaired"), OPENAI)
def test_wishes_of_openai_clients_are_read(
    fields: dict[str, Any], serving: Serving, ignored: tuple[str, ...], repaired: list[str]
) -> None:
    for parsed in (
        parse_plain_body(as_chat({"messages": MESSAGES, **fields}, long_cache=True)),
        parse_responses(fields, [{"type": "message", "role": "user", "content": "hi"}], long_cache=True),
    ):
        assert (parsed.turn.serving, parsed.ignored) == (serving, ignored)
        assert [repair.code for repair in parsed.repaired] == repaired


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
        ({"prompt_cache_options": {"ttl": "30m"}}, "prompt_cache_options.ttl"),
    ],
)
def test_longer_cache_of_openai_clients_needs_the_operator(fields: dict[str, Any], ignored: str) -> None:
    for parsed in (
        parse_chat({"messages": MESSAGES, **fields}),
        parse_responses(fields, [{"type": "message", "role": "user", "content": "hi"}]),
    ):
        assert (parsed.turn.serving.cache, parsed.ignored, parsed.repaired) == (None, (ignored,), ())


def test_breakpoints_of_the_client_leave_the_cache_on() -> None:
    part = {"type": "text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit"}}
    parsed = parse_chat(
        {
            "messages": [{"role": "user", "content": [part]}],
            "prompt_cache_options": {"mode": "explicit"},
        }
    )
    assert parsed.turn.serving.cache is None
    assert "prompt_cache_options.mode" in parsed.ignored


def test_display_of_thinking_is_read_in_chat() -> None:
    parsed = parse_chat({"messages": MESSAGES, "thinking": {"type": "adaptive", "display": "omitted"}})
    assert (parsed.turn.serving.hides_thinking, parsed.ignored) == (True, ())


@pytest.mark.parametrize(
    ("fields", "serving", "ignored"),
    [
        ({}, Serving(), ()),
        ({"speed": "fast"}, Serving(fast=True), ()),
        ({"speed": "standard"}, Serving(), ()),
        ({"speed": "ludicrous"}, Serving(), ("speed",)),
        ({"service_tier": "auto"}, Serving(), ()),
        ({"service_tier": "standard_only"}, Serving(tier="standard_only"), ()),
        ({"service_tier": "priority"}, Serving(), ("service_tier",)),
        ({"cache_control": {"type": "ephemeral"}}, Serving(), ()),
        ({"cache_control": {"type": "ephemeral", "ttl": "5m"}}, Serving(cache="5m"), ()),
        ({"cache_control": {"type": "ephemeral", "ttl": ["1h"]}}, Serving(), ()),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Serving(hides_thinking=True), ()),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Serving(), ()),
        ({"thinking": {"type": "adaptive", "display": "updates"}}, Serving(), ("thinking.display",)),
    ],
)
def test_wishes_of_anthropic_clients_are_read(
    fields: dict[str, Any], serving: Serving, ignored: tuple[str, ...]
) -> None:
    parsed = parse_messages({"messages": MESSAGES, "max_tokens": 9, **fields})
    assert (parsed.turn.serving, parsed.ignored) == (serving, ignored)


def test_beta_asks_for_a_wide_context() -> None:
    parsed = parse_messages({"messages": MESSAGES, "max_tokens": 9}, ["context-1m-2025-08-07"])
    assert parsed.turn.serving == Serving(wide_context=True)


@pytest.mark.parametrize(("given", "sent"), [(40, 40), ("40", 40), (0, None), (-1, None), (9999, 500)])
def test_top_k_is_read(given: Any, sent: int | None) -> None:
    chat = parse_chat({"messages": MESSAGES, "top_k": given})
    messages = parse_messages({"messages": MESSAGES, "max_tokens": 9, "top_k": given})
    assert (chat.turn.sampling.top_k, messages.turn.sampling.top_k) == (sent, sent)
    assert not {"top_k"} & {*chat.ignored, *messages.ignored}

"""What the stand-in Messages API refuses, as the real one does."""

from __future__ import annotations

import pytest

from tests.standin import (
    describe,
    refusal,
)
from tests.support.standin_client import (
    ADAPTIVE,
    ALWAYS,
    AUTO,
    BUDGET,
    NEW,
    OFF,
    OLD,
    ON,
    PNG,
    Body,
    ask,
    assistant,
    image,
    result,
    round_of,
    system,
    t,
    thought,
    tool,
    use,
    user,
)

SAMPLING = [
    (ask(OLD, temperature=0.2, top_p=0.9), None),
    (ask(OLD, top_k=5), None),
    (ask(BUDGET, temperature=0), None),
    (ask(ADAPTIVE, temperature=0.2), None),
    (ask(NEW, temperature=1), "`temperature` is deprecated for this model."),
    (ask(NEW, top_p=1), "`top_p` is deprecated"),
    (ask(NEW, top_k=1), "`top_k` is deprecated"),
    (ask("claude-opus-4-7", temperature=0), "deprecated"),
    (ask("claude-sonnet-5", temperature=0), "deprecated"),
    (ask("claude-haiku-5-5", temperature=0), "deprecated"),
    (ask(ALWAYS, temperature=0), "deprecated"),
    (ask("claude-of-tomorrow", temperature=0), "deprecated"),
    (ask(BUDGET, temperature=0.2, top_p=0.9), "cannot both be specified"),
    (ask(ADAPTIVE, temperature=0.2, top_p=0.9), "cannot both be specified"),
    (ask("claude-opus-4-1-20250805", temperature=1, top_p=1), "cannot both be specified"),
    (ask("claude-sonnet-4-5", temperature=1, top_p=1), "cannot both be specified"),
    (ask("claude-sonnet-4-20250514", temperature=1, top_p=1), None),
    (ask(BUDGET, temperature=1, thinking=ON), None),
    (ask(BUDGET, temperature=0.5, thinking=ON), "may only be set to 1"),
    (ask(ADAPTIVE, temperature=0.5, thinking=AUTO), "may only be set to 1"),
    (ask(ADAPTIVE, temperature=0.5, thinking=OFF), None),
    (ask(BUDGET, top_p=0.95, thinking=ON), None),
    (ask(BUDGET, top_p=0.94, thinking=ON), "0.95"),
    (ask(BUDGET, top_k=5, thinking=ON), "top_k"),
    (ask(BUDGET, temperature=1.5), "range"),
    (ask(BUDGET, temperature="hot"), "valid number"),
]

THINKING = [
    (ask(BUDGET, thinking=ON), None),
    (ask(BUDGET, thinking=ON, max_tokens=1024), "greater than `thinking.budget_tokens`"),
    (ask(BUDGET, thinking=ON, max_tokens=500), "greater than `thinking.budget_tokens`"),
    (ask(BUDGET, thinking=ON, max_tokens=1025), None),
    (ask(BUDGET, thinking={"type": "enabled", "budget_tokens": 1023}), "greater than or equal to 1024"),
    (ask(BUDGET, thinking={"type": "enabled"}), "budget_tokens: Field required"),
    (ask(BUDGET, thinking={"type": "often"}), "Input tag"),
    (ask(BUDGET, thinking=AUTO), "not supported"),
    (ask(BUDGET, thinking=OFF), None),
    (ask("claude-3-5-haiku-20241022", thinking=ON), "not supported"),
    (ask("claude-3-7-sonnet-20250219", thinking=ON), None),
    (ask(ADAPTIVE, thinking=ON), None),
    (ask(ADAPTIVE, thinking=AUTO), None),
    (ask(NEW, thinking=ON), '"thinking.type.enabled" is not supported'),
    (ask("claude-opus-4-7", thinking=ON), "not supported"),
    (ask("claude-sonnet-5", thinking=ON), "not supported"),
    (ask(NEW, thinking=AUTO), None),
    (ask(NEW, thinking={"type": "adaptive", "display": "summarized"}), None),
    (ask(NEW, thinking={"type": "adaptive", "display": "loud"}), "display"),
    (ask(NEW, thinking={"type": "adaptive", "budget_tokens": 2000}), "Extra inputs"),
    (ask(NEW, thinking=OFF), None),
    (ask("claude-opus-5", thinking=OFF), None),
    (ask(ALWAYS, thinking=OFF), '"thinking.type.disabled" is not supported'),
    (ask("claude-opus-5-5", thinking=OFF), "not supported"),
    (ask("claude-sonnet-5-5", thinking=OFF), "not supported"),
    (ask("claude-haiku-5-5", thinking=OFF), "not supported"),
    (ask(NEW, output_config={"effort": "xhigh"}), None),
    (ask(NEW, output_config={"effort": "huge"}), "output_config.effort"),
    (ask(ADAPTIVE, output_config={"effort": "xhigh"}), "output_config.effort"),
    (ask(BUDGET, output_config={"effort": "low"}), "does not support the effort"),
    (ask("claude-opus-5", thinking=OFF, output_config={"effort": "max"}), "when thinking is disabled"),
]

TOOLS = [
    (ask(tools=[tool()]), None),
    (ask(tools=[tool("mcp__client__look-up_2")]), None),
    (ask(tools=[tool("a" * 128)]), None),
    (ask(tools=[tool("a" * 129)]), "should match pattern"),
    (ask(tools=[tool("look.up")]), "should match pattern"),
    (ask(tools=[tool("")]), "should match pattern"),
    (ask(tools=[{"input_schema": {"type": "object"}}]), "name: Field required"),
    (ask(tools=[{"name": "look"}]), "input_schema: Field required"),
    (ask(tools=[{"name": "look", "input_schema": {}}]), "should be 'object'"),
    (ask(tools=[tool(anyOf=[{}])]), "at the top level"),
    (ask(tools=[tool(properties={"a b": {}})]), "Property keys"),
    (ask(tools=[tool(properties=["a"])]), "properties"),
    (ask(tools=[{"type": "web_search_20250305", "name": "web_search"}]), None),
    (ask(tools=[tool(), tool()]), "unique"),
    (ask(tools="look"), "valid list"),
    (ask(tools=[tool()], tool_choice={"type": "auto"}), None),
    (ask(tools=[tool()], tool_choice={"type": "tool", "name": "look"}), None),
    (ask(tools=[tool()], tool_choice={"type": "tool", "name": "touch"}), "not found"),
    (ask(tools=[tool()], tool_choice={"type": "maybe"}), "tool_choice.type"),
    (ask(tool_choice={"type": "auto"}), "while providing tools"),
    (ask(tools=[], tool_choice={"type": "any"}), "while providing tools"),
    (ask(BUDGET, tools=[tool()], thinking=ON, tool_choice={"type": "any"}), "forces tool use"),
    (ask(BUDGET, tools=[tool()], thinking=ON, tool_choice={"type": "tool", "name": "look"}), "forces"),
    (ask(BUDGET, tools=[tool()], thinking=ON, tool_choice={"type": "auto"}), None),
    (ask(NEW, tools=[tool()], thinking=AUTO, tool_choice={"type": "any"}), None),
]

TOOL_ROUNDS = [
    (ask(messages=round_of()), None),
    (ask(messages=[user("go"), assistant([use()]), user("well?")]), "without `tool_result`"),
    (ask(OLD, messages=[user("go"), assistant([use()])]), "without `tool_result`"),
    (ask(messages=[user("go"), assistant([use()]), user("a"), user([result()])]), "without `tool_result`"),
    (ask(messages=[user("go"), assistant([use(), use("b")]), user([result()])]), "after: b."),
    (ask(messages=[user("go"), assistant([use(), use("b")]), user([result("b"), result()])]), None),
    (ask(messages=[user([result()])]), "unexpected `tool_use_id`"),
    (ask(messages=[user("go"), assistant("ok"), user([result()])]), "unexpected `tool_use_id`"),
    (ask(messages=[user("go"), assistant([use()]), user([result(), result("b")])]), "unexpected"),
    (ask(messages=[user("go"), assistant([use()]), user([result(), result()])]), "single result"),
    (ask(messages=[user("go"), assistant([use()]), user([t("so"), result()])]), "must come before"),
    (ask(messages=[user("go"), assistant([use()]), user([result(), t("so")])]), None),
    (ask(messages=[*round_of(), assistant([use()]), user([result()])]), "must be unique"),
    (ask(messages=[user("go"), assistant([use("a b")]), user([result("a b")])]), "tool_use.id"),
    (ask(messages=[user("go"), assistant([{**use(), "input": "x"}]), user([result()])]), "valid dictionary"),
    (ask(messages=[user("go"), assistant([{**use(), "name": ""}]), user([result()])]), "tool_use.name"),
    (ask(messages=[user("go"), assistant([use()]), user([result(content=7)])]), "string or a list"),
    (ask(messages=[user("go"), assistant([use()]), user([result(content=[t("")])])]), "non-empty"),
    (
        ask(messages=[user("go"), assistant([use()]), user([{**result(content=""), "is_error": True}])]),
        "empty",
    ),
    (ask(messages=[user("go"), assistant([use()]), user([result(content=[image()])])]), None),
    (ask(messages=[user("go"), assistant([use()]), user([result()]), system("noted")]), None),
    (ask(BUDGET, thinking=ON, messages=round_of()), "Expected `thinking` or `redacted_thinking`, but found"),
    (ask(BUDGET, thinking=ON, messages=round_of(t("so"))), "but found `text`"),
    (ask(BUDGET, thinking=ON, messages=round_of(thought())), None),
    (ask(BUDGET, thinking=ON, messages=round_of({"type": "redacted_thinking", "data": "x"})), None),
    (ask(BUDGET, thinking=ON, messages=[*round_of(), assistant("ok"), user("next")]), None),
    (ask(BUDGET, thinking=OFF, messages=round_of()), None),
    (ask(ADAPTIVE, thinking=AUTO, messages=round_of()), None),
    (ask(BUDGET, thinking=ON, messages=round_of(thought("made up"))), "Invalid `signature`"),
    (ask(messages=[user("go"), assistant([t("a"), thought()]), user("b")]), "cannot be `thinking`"),
]

MESSAGES = [
    (ask(), None),
    (ask(messages=None), "messages: Field required"),
    (ask(messages=[]), "at least one message"),
    (ask(messages=["hi"]), "valid dictionary"),
    (ask(messages=[{"role": "tool", "content": "x"}]), "role"),
    (ask(messages=[assistant("hi"), user("hi")]), "first message"),
    (ask(messages=[{**user("hi"), "name": "Ann"}]), "Extra inputs"),
    (ask(messages=[user("a"), user("b")]), None),
    (ask(messages=[user("a"), system("be brief")]), None),
    (ask(messages=[user("a"), system([])]), None),
    (ask(BUDGET, messages=[user("a"), system("be brief")]), "'user' or 'assistant'"),
    (ask(messages=[system("be brief"), user("a")]), "first message"),
    (ask(messages=[user("a"), assistant("b")]), "prefill"),
    (ask(ADAPTIVE, messages=[user("a"), assistant("b")]), "prefill"),
    (ask(messages=[user("a"), assistant("b"), system("c")]), "prefill"),
    (ask(BUDGET, messages=[user("a"), assistant("b")]), None),
    (ask(BUDGET, thinking=ON, messages=[user("a"), assistant("b")]), "prefill"),
    (ask(BUDGET, messages=[user("a"), assistant("b ")]), "trailing whitespace"),
    (ask(said=""), "must be non-empty"),
    (ask(said=" \n"), "non-whitespace"),
    (ask(said=[t("")]), "must be non-empty"),
    (ask(said=[t("a"), t(" ")]), "non-whitespace"),
    (ask(said=[]), "non-empty content"),
    (ask(said=7), "content: Field required"),
    (ask(said=[{"text": "a"}]), "type: Field required"),
    (ask(said=[{"type": "text"}]), "text: Field required"),
    (ask(said=[{"type": "input_audio"}]), "not allowed"),
    (ask(said=[thought()]), "not allowed"),
    (ask(messages=[user("a"), assistant([image()]), user("b")]), "not allowed"),
    (ask(messages=[user("a"), assistant(""), user("b")]), "must be non-empty"),
    (ask(said=[t("look"), image()]), None),
    (ask(said=[image(b"\xff\xd8\xff", "image/jpeg")]), None),
    (ask(said=[image(b"GIF89a", "image/gif"), image(b"RIFF....WEBP", "image/webp")]), None),
    (ask(said=[image(media_type="image/bmp")]), "media_type"),
    (ask(said=[image(b"GIF89a", "image/png")]), "appears to be image/gif"),
    (ask(said=[image(PNG + bytes(5 * 1024 * 1024 - len(PNG)))]), None),
    (ask(said=[image(PNG + bytes(5 * 1024 * 1024))]), "exceeds 5 MB maximum"),
    (ask(said=[image(b"")]), "Invalid base64"),
    (ask(said=[{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]), None),
    (ask(said=[{"type": "image", "source": {"type": "disk"}}]), "image.source"),
    (ask(said=[{"type": "document", "source": image(b"%PDF", "application/pdf")["source"]}]), None),
    (ask(said=[{"type": "document", "source": image(b"%PDF", "text/html")["source"]}]), "application/pdf"),
    (ask(said=[{"type": "document", "source": {}}]), "document.source"),
    (ask(system="be brief"), None),
    (ask(system=[t("be brief")]), None),
    (ask(system=[t("")]), "must be non-empty"),
    (ask(system=7), "system"),
    (ask(system=[image()]), "system.0.type"),
    (ask(said=[{**t("a"), "cache_control": {"type": "ephemeral"}}] * 4), None),
    (ask(said=[{**t("a"), "cache_control": {"type": "ephemeral"}}] * 5), "maximum of 4"),
]

LIMITS = [
    (ask(max_tokens=None), "max_tokens: Field required"),
    (ask(max_tokens="9"), "valid integer"),
    (ask(max_tokens=0), "greater than or equal to 1"),
    (ask(max_tokens=1), None),
    (ask(NEW, max_tokens=128_000), None),
    (ask(NEW, max_tokens=128_001), "128001 > 128000"),
    (ask(BUDGET, max_tokens=64_001), "64001 > 64000"),
    (ask(OLD, max_tokens=32_001), "32001 > 32000"),
    (ask("claude-3-5-haiku-20241022", max_tokens=8_193), "8193 > 8192"),
    (ask("claude-3-haiku-20240307", max_tokens=4_097), "4097 > 4096"),
    (ask(stop_sequences=["END", "\n\nHuman:"]), None),
    (ask(stop_sequences=[" \n"]), "non-whitespace"),
    (ask(stop_sequences=[""]), "non-whitespace"),
    (ask(stop_sequences="END"), "list of strings"),
    (ask(stop_sequences=["x"] * 8192), "at most 8191"),
    (ask(BUDGET, said="word " * 150_000), None),
    (ask(BUDGET, said="word " * 170_000), "prompt is too long: 2125"),
    (ask(NEW, said="word " * 170_000), None),
    (ask(NEW, said="word " * 810_000), "> 1000000 maximum"),
    (ask("claude-sonnet-4-6[1m]", said="word " * 170_000), None),
    (ask("claude-sonnet-4-6", said="word " * 170_000), "> 200000 maximum"),
    (ask("claude-haiku-4-5[1m]", said="word " * 170_000), "> 200000 maximum"),
    (ask(frequency_penalty=1), "frequency_penalty: Extra inputs"),
    (ask(stream="yes"), "valid boolean"),
    (ask(""), "model: Field required"),
]

RULES = {
    "sampling": SAMPLING,
    "thinking": THINKING,
    "tools": TOOLS,
    "tool rounds": TOOL_ROUNDS,
    "messages": MESSAGES,
    "limits": LIMITS,
}
CASES = [
    pytest.param(body, expected, id=f"{group} {number}: {(expected or 'accepted')[:40]}")
    for group, cases in RULES.items()
    for number, (body, expected) in enumerate(cases)
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_request_is_accepted_or_rejected_as_the_api_does(body: Body, expected: str | None) -> None:
    said = refusal(body)
    if expected is None:
        assert said is None
    else:
        assert said is not None
        assert expected in said


def test_body_that_is_not_an_object_is_rejected() -> None:
    assert refusal(["hi"])


def test_long_context_beta_widens_the_window() -> None:
    body = ask("claude-sonnet-4-5", said="word " * 170_000)
    assert refusal(body)
    assert refusal(body, ["context-1m-2025-08-07"]) is None


@pytest.mark.parametrize(
    ("model", "family", "version"),
    [
        ("claude-opus-4-8", "opus", (4, 8)),
        ("claude-sonnet-5", "sonnet", (5, 0)),
        ("claude-haiku-4-5-20251001", "haiku", (4, 5)),
        ("claude-sonnet-4-20250514", "sonnet", (4, 0)),
        ("claude-fable-5", "fable", (5, 0)),
        ("claude-3-5-haiku-20241022", "haiku", (3, 5)),
        ("claude-3-7-sonnet-20250219", "sonnet", (3, 7)),
        ("claude-3-7-sonnet-latest", "sonnet", (3, 7)),
        ("claude-3-opus-20240229", "opus", (3, 0)),
        ("sonnet[1m]", "sonnet", (5, 5)),
    ],
)
def test_model_id_is_parsed(model: str, family: str, version: tuple[int, int]) -> None:
    known = describe(model)
    assert (known.family, known.version) == (family, version)

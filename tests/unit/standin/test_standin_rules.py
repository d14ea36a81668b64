"""The stand-in rejects the requests that the real Messages API rejects, and no others."""

from __future__ import annotations

import pytest

from tests.standin import (
    describe,
    rejection,
)
from tests.support.pictures import plain
from tests.support.recorded import Body, assistant, system, user
from tests.support.standin_client import (
    AUTO,
    FABLE_5,
    HAIKU_4_5,
    OFF,
    ON,
    OPUS_4_0,
    OPUS_4_6,
    OPUS_4_8,
    PNG,
    image,
    request,
    text_part,
    thinking_part,
    tool,
    tool_result,
    tool_round,
    tool_use,
)

LARGEST_IMAGE = 5 * 1024 * 1024 * 3 // 4  # bytes, without the growth by base64

SAMPLING = [
    (request(OPUS_4_0, temperature=0.2, top_p=0.9), None),
    (request(OPUS_4_0, top_k=5), None),
    (request(HAIKU_4_5, temperature=0), None),
    (request(OPUS_4_6, temperature=0.2), None),
    (request(OPUS_4_8, temperature=1), "`temperature` is deprecated for this model."),
    (request(OPUS_4_8, top_p=1), "`top_p` is deprecated"),
    (request(OPUS_4_8, top_k=1), "`top_k` is deprecated"),
    (request("claude-opus-4-7", temperature=0), "deprecated"),
    (request("claude-sonnet-5", temperature=0), "deprecated"),
    (request("claude-haiku-5-5", temperature=0), "deprecated"),
    (request(FABLE_5, temperature=0), "deprecated"),
    (request("claude-of-tomorrow", temperature=0), "deprecated"),
    (request(HAIKU_4_5, temperature=0.2, top_p=0.9), "cannot both be specified"),
    (request(OPUS_4_6, temperature=0.2, top_p=0.9), "cannot both be specified"),
    (request("claude-opus-4-1-20250805", temperature=1, top_p=1), "cannot both be specified"),
    (request("claude-sonnet-4-5", temperature=1, top_p=1), "cannot both be specified"),
    (request("claude-sonnet-4-20250514", temperature=1, top_p=1), None),
    (request(HAIKU_4_5, temperature=1, thinking=ON), None),
    (request(HAIKU_4_5, temperature=0.5, thinking=ON), "may only be set to 1"),
    (request(OPUS_4_6, temperature=0.5, thinking=AUTO), "may only be set to 1"),
    (request(OPUS_4_6, temperature=0.5, thinking=OFF), None),
    (request(HAIKU_4_5, top_p=0.95, thinking=ON), None),
    (request(HAIKU_4_5, top_p=0.94, thinking=ON), "0.95"),
    (request(HAIKU_4_5, top_k=5, thinking=ON), "top_k"),
    (request(HAIKU_4_5, temperature=1.5), "range"),
    (request(HAIKU_4_5, temperature="hot"), "valid number"),
]

THINKING = [
    (request(HAIKU_4_5, thinking=ON), None),
    (request(HAIKU_4_5, thinking=ON, max_tokens=1024), "greater than `thinking.budget_tokens`"),
    (request(HAIKU_4_5, thinking=ON, max_tokens=500), "greater than `thinking.budget_tokens`"),
    (request(HAIKU_4_5, thinking=ON, max_tokens=1025), None),
    (
        request(HAIKU_4_5, thinking={"type": "enabled", "budget_tokens": 1023}),
        "greater than or equal to 1024",
    ),
    (request(HAIKU_4_5, thinking={"type": "enabled"}), "budget_tokens: Field required"),
    (request(HAIKU_4_5, thinking={"type": "often"}), "Input tag"),
    (request(HAIKU_4_5, thinking=AUTO), "not supported"),
    (request(HAIKU_4_5, thinking=OFF), None),
    (request("claude-3-5-haiku-20241022", thinking=ON), "not supported"),
    (request("claude-3-7-sonnet-20250219", thinking=ON), None),
    (request(OPUS_4_6, thinking=ON), None),
    (request(OPUS_4_6, thinking=AUTO), None),
    (request(OPUS_4_8, thinking=ON), '"thinking.type.enabled" is not supported'),
    (request("claude-opus-4-7", thinking=ON), "not supported"),
    (request("claude-sonnet-5", thinking=ON), "not supported"),
    (request(OPUS_4_8, thinking=AUTO), None),
    (request(OPUS_4_8, thinking={"type": "adaptive", "display": "summarized"}), None),
    (request(OPUS_4_8, thinking={"type": "adaptive", "display": "loud"}), "display"),
    (request(OPUS_4_8, thinking={"type": "adaptive", "budget_tokens": 2000}), "Extra inputs"),
    (request(OPUS_4_8, thinking=OFF), None),
    (request("claude-opus-5", thinking=OFF), None),
    (request(FABLE_5, thinking=OFF), '"thinking.type.disabled" is not supported'),
    (request("claude-opus-5-5", thinking=OFF), "not supported"),
    (request("claude-sonnet-5-5", thinking=OFF), "not supported"),
    (request("claude-haiku-5-5", thinking=OFF), "not supported"),
    (request(OPUS_4_8, output_config={"effort": "xhigh"}), None),
    (request(OPUS_4_8, output_config={"effort": "huge"}), "output_config.effort"),
    (request(OPUS_4_6, output_config={"effort": "xhigh"}), "output_config.effort"),
    (request(HAIKU_4_5, output_config={"effort": "low"}), "does not support the effort"),
    (request("claude-opus-5", thinking=OFF, output_config={"effort": "max"}), "when thinking is disabled"),
]

TOOLS = [
    (request(tools=[tool()]), None),
    (request(tools=[tool("look-up_2")]), None),
    (request(tools=[tool("a" * 128)]), None),
    (request(tools=[tool("a" * 129)]), "should match pattern"),
    (request(tools=[tool("look.up")]), "should match pattern"),
    (request(tools=[tool("")]), "should match pattern"),
    (request(tools=[{"input_schema": {"type": "object"}}]), "name: Field required"),
    (request(tools=[{"name": "look"}]), "input_schema: Field required"),
    (request(tools=[{"name": "look", "input_schema": {}}]), "should be 'object'"),
    (request(tools=[tool(anyOf=[{}])]), "at the top level"),
    (request(tools=[tool(properties={"a b": {}})]), "Property keys"),
    (request(tools=[tool(properties=["a"])]), "properties"),
    (request(tools=[tool(properties={"a": {"type": "int"}})]), "draft 2020-12"),
    (request(tools=[tool(required=["a", "a"])]), "draft 2020-12"),
    (request(tools=[{**tool(), "description": None}]), "description"),
    (request(tools=[{**tool(), "parameters": {}}]), "Extra inputs"),
    (request(tools=[{**tool(), "defer_loading": True, "input_examples": [{}]}]), None),
    (request(tools=[{**tool(additionalProperties=False), "strict": True}]), None),
    (request(tools=[{**tool(), "strict": True}]), "must be explicitly set to false"),
    (request(OPUS_4_0, tools=[{**tool(additionalProperties=False), "strict": True}]), "not support strict"),
    (
        request(
            tools=[{**tool(f"t{index}", additionalProperties=False), "strict": True} for index in range(21)]
        ),
        "Too many strict tools",
    ),
    (request(tools=[{**tool(), "cache_control": {"type": "ephemeral"}}]), None),
    (
        request(
            tools=[{**tool(), "cache_control": {"type": "ephemeral"}}],
            system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        ),
        "must not come after",
    ),
    (request(tools=[{"type": "web_search_20250305", "name": "web_search"}]), None),
    (request(tools=[tool(), tool()]), "unique"),
    (request(tools="look"), "valid list"),
    (request(tools=[tool()], tool_choice={"type": "auto"}), None),
    (request(tools=[tool()], tool_choice={"type": "tool", "name": "look"}), None),
    (request(tools=[tool()], tool_choice={"type": "tool", "name": "touch"}), "not found"),
    (request(tools=[tool()], tool_choice={"type": "maybe"}), "tool_choice.type"),
    (request(tool_choice={"type": "auto"}), "while providing tools"),
    (request(tools=[], tool_choice={"type": "any"}), "while providing tools"),
    (request(HAIKU_4_5, tools=[tool()], thinking=ON, tool_choice={"type": "any"}), "forces tool use"),
    (request(HAIKU_4_5, tools=[tool()], thinking=ON, tool_choice={"type": "tool", "name": "look"}), "forces"),
    (request(HAIKU_4_5, tools=[tool()], thinking=ON, tool_choice={"type": "auto"}), None),
    (request(OPUS_4_8, tools=[tool()], thinking=AUTO, tool_choice={"type": "any"}), None),
]

TOOL_ROUNDS = [
    (request(messages=tool_round()), None),
    (request(messages=[user("go"), assistant([tool_use()]), user("well?")]), "without `tool_result`"),
    (request(OPUS_4_0, messages=[user("go"), assistant([tool_use()])]), "without `tool_result`"),
    (
        request(messages=[user("go"), assistant([tool_use()]), user("a"), user([tool_result()])]),
        "without `tool_result`",
    ),
    (
        request(messages=[user("go"), assistant([tool_use(), tool_use("b")]), user([tool_result()])]),
        "after: b.",
    ),
    (
        request(
            messages=[
                user("go"),
                assistant([tool_use(), tool_use("b")]),
                user([tool_result("b"), tool_result()]),
            ]
        ),
        None,
    ),
    (request(messages=[user([tool_result()])]), "unexpected `tool_use_id`"),
    (request(messages=[user("go"), assistant("ok"), user([tool_result()])]), "unexpected `tool_use_id`"),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(), tool_result("b")])]),
        "unexpected",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(), tool_result()])]),
        "single result",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([text_part("so"), tool_result()])]),
        "must come before",
    ),
    (request(messages=[user("go"), assistant([tool_use()]), user([tool_result(), text_part("so")])]), None),
    (request(messages=[*tool_round(), assistant([tool_use()]), user([tool_result()])]), "must be unique"),
    (request(messages=[user("go"), assistant([tool_use("a b")]), user([tool_result("a b")])]), "tool_use.id"),
    (
        request(messages=[user("go"), assistant([{**tool_use(), "input": "x"}]), user([tool_result()])]),
        "valid dictionary",
    ),
    (
        request(messages=[user("go"), assistant([{**tool_use(), "name": ""}]), user([tool_result()])]),
        "tool_use.name",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(content=7)])]),
        "string or a list",
    ),
    (
        request(messages=[user("go"), assistant([tool_use()]), user([tool_result(content=[text_part("")])])]),
        "non-empty",
    ),
    (
        request(
            messages=[
                user("go"),
                assistant([tool_use()]),
                user([{**tool_result(content=""), "is_error": True}]),
            ]
        ),
        "empty",
    ),
    (request(messages=[user("go"), assistant([tool_use()]), user([tool_result(content=[image()])])]), None),
    (request(messages=[user("go"), assistant([tool_use()]), user([tool_result()]), system("noted")]), None),
    (
        request(HAIKU_4_5, thinking=ON, messages=tool_round()),
        "Expected `thinking` or `redacted_thinking`, but found",
    ),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round(text_part("so"))), "but found `text`"),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round(thinking_part())), None),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round({"type": "redacted_thinking", "data": "x"})), None),
    (request(HAIKU_4_5, thinking=ON, messages=[*tool_round(), assistant("ok"), user("next")]), None),
    (request(HAIKU_4_5, thinking=OFF, messages=tool_round()), None),
    (request(OPUS_4_6, thinking=AUTO, messages=tool_round()), None),
    (request(HAIKU_4_5, thinking=ON, messages=tool_round(thinking_part("made up"))), "Invalid `signature`"),
    (
        request(messages=[user("go"), assistant([text_part("a"), thinking_part()]), user("b")]),
        "cannot be `thinking`",
    ),
]

MESSAGES = [
    (request(), None),
    (request(messages=None), "messages: Field required"),
    (request(messages=[]), "at least one message"),
    (request(messages=["hi"]), "valid dictionary"),
    (request(messages=[{"role": "tool", "content": "x"}]), "role"),
    (request(messages=[assistant("hi"), user("hi")]), "first message"),
    (request(messages=[{**user("hi"), "name": "Ann"}]), "Extra inputs"),
    (request(messages=[user("a"), user("b")]), None),
    (request(messages=[user("a"), system("be brief")]), None),
    (request(messages=[user("a"), system([])]), None),
    (request(HAIKU_4_5, messages=[user("a"), system("be brief")]), "'user' or 'assistant'"),
    (request(messages=[system("be brief"), user("a")]), "first message"),
    (request(messages=[user("a"), assistant("b")]), "prefill"),
    (request(OPUS_4_6, messages=[user("a"), assistant("b")]), "prefill"),
    (request(messages=[user("a"), assistant("b"), system("c")]), "prefill"),
    (request(HAIKU_4_5, messages=[user("a"), assistant("b")]), None),
    (request(HAIKU_4_5, thinking=ON, messages=[user("a"), assistant("b")]), "prefill"),
    (request(HAIKU_4_5, messages=[user("a"), assistant("b ")]), "trailing whitespace"),
    (request(content=""), "must be non-empty"),
    (request(content=" \n"), "non-whitespace"),
    (request(content=[text_part("")]), "must be non-empty"),
    (request(content=[text_part("a"), text_part(" ")]), "non-whitespace"),
    (request(content=[]), "non-empty content"),
    (request(content=7), "content: Field required"),
    (request(content=[{"text": "a"}]), "type: Field required"),
    (request(content=[{"type": "text"}]), "text: Field required"),
    (request(content=[{"type": "input_audio"}]), "not allowed"),
    (request(content=[thinking_part()]), "not allowed"),
    (request(messages=[user("a"), assistant([image()]), user("b")]), "not allowed"),
    (request(messages=[user("a"), assistant(""), user("b")]), "must be non-empty"),
    (request(content=[text_part("look"), image()]), None),
    (request(content=[image(plain(8, 8, "JPEG"), "image/jpeg")]), None),
    (request(content=[image(plain(8, 8, kind), f"image/{kind.lower()}") for kind in ("GIF", "WEBP")]), None),
    (request(content=[image(media_type="image/bmp")]), "media_type"),
    (request(content=[image(plain(8, 8, "GIF"), "image/png")]), "appears to be image/gif"),
    (request(content=[image(PNG[:50])]), "Could not process image"),
    (request(content=[image(PNG + bytes(LARGEST_IMAGE - len(PNG)))]), None),
    (request(content=[image(PNG + bytes(LARGEST_IMAGE))]), "exceeds 5 MB maximum"),
    (request(content=[image(plain(8000, 9))] * 20), None),
    (request(content=[image(plain(8001, 9))]), "max allowed size: 8000 pixels"),
    (request(content=[image(plain(9, 2000))] * 21), None),
    (request(content=[*[image()] * 20, image(plain(9, 2001))]), "for many-image requests: 2000 pixels"),
    (
        request(messages=[*tool_round(), assistant("a"), user([*[image()] * 20, image(plain(9, 2001))])]),
        "messages.4.content.20.image.source.base64.data: At least one",
    ),
    (request(content=[image()] * 600), None),
    (request(content=[image()] * 601), "Too many images"),
    (request(HAIKU_4_5, content=[image()] * 101), "Too many images"),
    (request(content=[image(b"")]), "Invalid base64"),
    (request(content=[{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]), None),
    (request(content=[{"type": "image", "source": {"type": "disk"}}]), "image.source"),
    (request(content=[{"type": "document", "source": image(b"%PDF", "application/pdf")["source"]}]), None),
    (
        request(content=[{"type": "document", "source": image(b"%PDF", "text/html")["source"]}]),
        "application/pdf",
    ),
    (request(content=[{"type": "document", "source": {}}]), "document.source"),
    (request(system="be brief"), None),
    (request(system=[text_part("be brief")]), None),
    (request(system=[text_part("")]), "must be non-empty"),
    (request(system=7), "system"),
    (request(system=[image()]), "system.0.type"),
    (request(content=[{**text_part("a"), "cache_control": {"type": "ephemeral"}}] * 4), None),
    (request(content=[{**text_part("a"), "cache_control": {"type": "ephemeral"}}] * 5), "maximum of 4"),
]

LIMITS = [
    (request(max_tokens=None), "max_tokens: Field required"),
    (request(max_tokens="9"), "valid integer"),
    (request(max_tokens=0), "greater than or equal to 1"),
    (request(max_tokens=1), None),
    (request(OPUS_4_8, max_tokens=128_000), None),
    (request(OPUS_4_8, max_tokens=128_001), "128001 > 128000"),
    (request(HAIKU_4_5, max_tokens=64_001), "64001 > 64000"),
    (request(OPUS_4_0, max_tokens=32_001), "32001 > 32000"),
    (request("claude-3-5-haiku-20241022", max_tokens=8_193), "8193 > 8192"),
    (request("claude-3-haiku-20240307", max_tokens=4_097), "4097 > 4096"),
    (request(stop_sequences=["END", "\n\nHuman:"]), None),
    (request(stop_sequences=[" \n"]), "non-whitespace"),
    (request(stop_sequences=[""]), "non-whitespace"),
    (request(stop_sequences="END"), "list of strings"),
    (request(stop_sequences=["x"] * 8192), "at most 8191"),
    (request(HAIKU_4_5, content="word " * 150_000), None),
    (request(HAIKU_4_5, content="word " * 170_000), "prompt is too long: 2125"),
    (request(OPUS_4_8, content="word " * 170_000), None),
    (request(OPUS_4_8, content="word " * 810_000), "> 1000000 maximum"),
    (request("claude-sonnet-4-6[1m]", content="word " * 170_000), None),
    (request("claude-sonnet-4-6", content="word " * 170_000), "> 200000 maximum"),
    (request("claude-haiku-4-5[1m]", content="word " * 170_000), "> 200000 maximum"),
    (request(frequency_penalty=1), "frequency_penalty: Extra inputs"),
    (request(stream="yes"), "valid boolean"),
    (request(""), "model: Field required"),
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
    message = rejection(body)
    if expected is None:
        assert message is None
    else:
        assert message is not None
        assert expected in message


def test_body_that_is_not_an_object_is_rejected() -> None:
    assert rejection(["hi"])


def test_long_context_beta_widens_the_window() -> None:
    body = request("claude-sonnet-4-5", content="word " * 170_000)
    assert rejection(body)
    assert rejection(body, ["context-1m-2025-08-07"]) is None


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

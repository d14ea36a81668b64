"""The stand-in rejects the messages that the real Messages API rejects, and no others."""

from typing import Any

import pytest

from tests.support.pictures import plain
from tests.support.recorded import Body, assistant, system, user
from tests.support.rule_tables import Row, assert_ruled, rule_cases
from tests.support.standin_client import (
    FABLE_5,
    HAIKU_4_5,
    ON,
    OPUS_4_6,
    PNG,
    image,
    request,
    text_part,
    thinking_part,
    tool,
    tool_round,
)

LARGEST_IMAGE = 5 * 1024 * 1024 * 3 // 4  # bytes, without the growth by base64
BRIEF = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}
CITED = {"citations": {"enabled": True}}
FORMAT = {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}
SEARCH_RESULT = {"type": "search_result", "source": "x", "title": "X", "content": [text_part("x")]}
SEARCHED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
DIRECTIVE = {"role": "system", "content": [], "output_config": {"effort": "low"}}
DIRECTIVE_ONLY = "the directive-only form (content: [] with output_config) is accepted at any position"
FLEETING = {"role": "system", "content": "x", "clear_at": "next_user_message"}
EFFORT_BETA = ["mid-conversation-output-config-2026-07-01"]
ANSWER = [assistant("c"), user("d")]


def document(source: Body, **fields: Any) -> Body:
    return {"type": "document", "source": source, **fields}


def marked(control: Body) -> Body:
    return {**text_part("a"), "cache_control": control}


def _answered(*blocks: Body) -> list[Body]:
    return [user("a"), assistant(list(blocks)), user("next")]


MESSAGES: list[Row] = [
    (request(), None),
    (request(messages=None), "messages: Field required"),
    (request(messages=[]), "at least one message"),
    (request(messages=["hi"]), "messages.0: Input should be an object"),
    (
        request(messages=[{"role": "tool", "content": "x"}]),
        'messages: Unexpected role "tool". Allowed roles are "user" or "assistant"',
    ),
    (request(messages=[{"content": "x"}]), "messages.0.role: Field required"),
    (request(messages=[{"role": "user"}]), "messages.0.content: Field required"),
    (request(messages=[assistant("hi"), user("hi")]), "first message"),
    (request(messages=[{**user("hi"), "name": "Ann"}]), "messages.0.name: Extra inputs are not permitted"),
    (request(messages=[user("a"), user("b")]), None),
    (request(messages=[user("a"), assistant("b")]), "prefill"),
    (request(OPUS_4_6, messages=[user("a"), assistant("b")]), "prefill"),
    (request(HAIKU_4_5, messages=[user("a"), assistant("b")]), None),
    (request(HAIKU_4_5, thinking=ON, messages=[user("a"), assistant("b")]), "prefill"),
    (request(HAIKU_4_5, messages=[user("a"), assistant("b ")]), "trailing whitespace"),
    (request(content=""), "messages.0: user messages must have non-empty content"),
    (request(messages=[user([]), user("a")]), None),
    (
        request(messages=[user("a"), assistant("b"), user([]), user([])]),
        "messages.2: user messages must have",
    ),
    (request(content=" \n"), "non-whitespace"),
    (request(content=[text_part("")]), "messages: text content blocks must be non-empty"),
    (
        request(content=[{**text_part(""), "cache_control": BRIEF}]),
        "cache_control cannot be set for empty text blocks",
    ),
    (request(content=[text_part("a"), text_part(" ")]), "non-whitespace"),
    (request(content=[]), "non-empty content"),
    (request(content=7), "messages.0.content: Input should be a valid array"),
    (request(content=["a"]), "messages.0.content.0: Input should be an object"),
    (request(content=[{"text": "a"}]), "messages.0.content.0.type: Field required"),
    (request(content=[{"type": "text"}]), "messages.0.content.0.text.text: Field required"),
    (request(content=[{**text_part("a"), "id": "1"}]), "messages.0.content.0.text.id: Extra inputs"),
    (request(content=[{"type": "input_audio"}]), "Input tag 'input_audio' found using 'type'"),
    (request(content=[thinking_part()]), "`thinking` blocks can only be in `assistant` messages"),
    (
        request(messages=[user("a"), assistant([image()]), user("b")]),
        "`image` blocks can only be in `user` messages",
    ),
    (request(messages=[user("a"), assistant(""), user("b")]), "messages.1: assistant messages must have"),
    (request(system="be brief"), None),
    (request(system=[text_part("be brief")]), None),
    (request(system=[text_part("")]), "must be non-empty"),
    (request(system=7), "system: Input should be a valid array"),
    (request(system=[image()]), "system.0.text: Field required"),
]

MEDIA: list[Row] = [
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
    (request(content=[document({"type": "text", "media_type": "text/plain", "data": "x"})]), None),
    (request(content=[document({"type": "text", "media_type": "text/csv", "data": "x"})]), "text/plain"),
    (
        request(content=[document({"type": "content", "content": [text_part("x")]}, title="T", context="C")]),
        None,
    ),
    (request(content=[document({"type": "content", "content": [thinking_part()]})]), "Input tag 'thinking'"),
    (request(content=[SEARCH_RESULT]), None),
    (
        request(content=[{**SEARCH_RESULT, "content": []}]),
        "search_result.content: List should have at least 1 item",
    ),
    (
        request(content=[{**SEARCH_RESULT, "content": "x"}]),
        "search_result.content: Input should be a valid array",
    ),
    (request(content=[{**SEARCH_RESULT, **CITED}, SEARCH_RESULT]), "all or none of the documents"),
    (request(content=[{**SEARCH_RESULT, **CITED}] * 2), None),
    (
        request(content=[{**SEARCH_RESULT, **CITED}], output_config={"format": FORMAT}),
        "Citations are not supported",
    ),
]

SYSTEM: list[Row] = [
    (request(messages=[user("a"), system("x")]), None),
    (request(messages=[user("a"), system("x"), assistant("b"), user("c")]), None),
    (request(messages=[user("a"), system("x"), system("y"), system("z")]), None),
    (request(messages=[user("a"), system([text_part("x")]), system("y"), assistant("b"), user("c")]), None),
    *((request(model, messages=[user("a"), system("x")]), None) for model in ("claude-sonnet-5-5", FABLE_5)),
    *(
        (request(model, messages=[user("a"), system("x")]), "role 'system' is not supported on this model")
        for model in (HAIKU_4_5, OPUS_4_6, "claude-opus-4-7", "claude-sonnet-4-6")
    ),
    (
        request(messages=[system("x"), user("a")]),
        "messages.0: use the top-level 'system' parameter for the initial system prompt",
    ),
    (
        request(messages=[user("a"), assistant("b"), system("x"), user("c")]),
        "messages.2: role 'system' must follow a 'user' message or an 'assistant' message ending in a server tool"
        f" result; {DIRECTIVE_ONLY}",
    ),
    (
        request(messages=[user("a"), assistant("b"), system("x"), assistant("c"), user("d")]),
        "must follow a 'user'",
    ),
    (
        request(messages=[user("a"), assistant([SEARCHED, FOUND]), system("x"), assistant("c"), user("d")]),
        None,
    ),
    (
        request(messages=[user("a"), system("x"), system("y"), user("c")]),
        f"messages.2: role 'system' must precede an 'assistant' message or end the array; {DIRECTIVE_ONLY}",
    ),
    (request(messages=[*tool_round()[:2], system("x"), tool_round()[2]]), "must follow a 'user' message"),
    (request(messages=[*tool_round(), system("x")]), None),
    (request(messages=[user("a"), system([])]), "messages.1: system content must contain at least one block"),
    (request(messages=[user("a"), system("")]), "messages.1: system content must contain at least one block"),
    (request(messages=[user("a"), system(" ")]), "system text blocks must contain non-whitespace text"),
    (
        request(messages=[user("a"), system([image()])]),
        "messages.1: role 'system' supports text, tool_addition, and tool_removal blocks only",
    ),
    (request(messages=[user("a"), {"role": "system"}]), "messages.1.content: Field required"),
    (request(messages=[user("a"), {**system("x"), "name": "y"}]), "messages.1.name: Extra inputs"),
    # A directive, which only sets the effort, may stand anywhere.
    (request(messages=[user("a"), DIRECTIVE]), "messages.1.output_config: Extra inputs are not permitted"),
    (request(messages=[DIRECTIVE, user("a"), DIRECTIVE, user("b")]), None, EFFORT_BETA),
    (
        request(messages=[user("a"), assistant("b"), DIRECTIVE, user("c")]),
        None,
        ["per-turn-control-2026-07-01"],
    ),
    (request(messages=[user("a"), {**DIRECTIVE, "output_config": {}}]), "at least one block", EFFORT_BETA),
    (
        request(messages=[user("a"), {**DIRECTIVE, "output_config": {"format": FORMAT}}]),
        "Extra inputs",
        EFFORT_BETA,
    ),
    (request(messages=[user("a"), FLEETING]), "messages.1.clear_at: Extra inputs"),
    (request(messages=[user("a"), FLEETING]), None, ["mid-conversation-system-clear-at-2026-08-21"]),
    (request(messages=[user("a"), assistant("b"), DIRECTIVE]), "prefill", EFFORT_BETA),
]

THOUGHTS: list[Row] = [
    (request(HAIKU_4_5, thinking=ON, messages=_answered(thinking_part(), text_part("b"))), None),
    (request(messages=_answered({**thinking_part(), "thinking": ""}, text_part("b"))), None),
    (
        request(messages=_answered({**thinking_part(), "thinking": "other"}, text_part("b"))),
        "cannot be modified",
    ),
    (
        request(messages=[*_answered({**thinking_part(), "thinking": "other"}, text_part("b")), *ANSWER]),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    (request(messages=_answered(thinking_part("made up"), text_part("b"))), "Invalid `signature`"),
    (
        request(messages=_answered({"type": "thinking", "thinking": "x"}, text_part("b"))),
        "signature: Field required",
    ),
    (
        request(messages=_answered({**thinking_part(), "cache_control": BRIEF}, text_part("b"))),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    (request(messages=_answered({"type": "redacted_thinking", "data": "x"}, text_part("b"))), None),
    (request(messages=_answered({"type": "redacted_thinking"}, text_part("b"))), "data: Field required"),
    (request(messages=_answered(text_part("b"), thinking_part())), "The final block in an assistant message"),
]

CACHE: list[Row] = [
    (request(content=[marked(BRIEF)] * 4), None),
    (
        request(content=[marked(BRIEF)] * 5),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    (request(content=[marked(BRIEF)] * 4, cache_control=BRIEF), "Found 5."),
    (
        request(
            content=[marked(BRIEF)] * 2, system=[marked(BRIEF)], tools=[{**tool(), "cache_control": BRIEF}]
        ),
        None,
    ),
    (
        request(
            content=[marked(BRIEF)] * 3, system=[marked(BRIEF)], tools=[{**tool(), "cache_control": BRIEF}]
        ),
        "Found 5.",
    ),
    (request(content=[marked(LONG), marked(BRIEF), marked({**BRIEF, "ttl": "5m"})]), None),
    (
        request(content=[marked(BRIEF), marked(LONG)]),
        "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m'",
    ),
    (request(content=[marked(LONG)], system=[marked(BRIEF)]), "messages.0.content.0.cache_control.ttl"),
    (
        request(content=[marked(LONG)], tools=[{**tool(), "cache_control": BRIEF}]),
        "in the following order: `tools`",
    ),
    (request(content=[marked({"type": "forever"})]), "cache_control: Input tag 'forever'"),
    (
        request(content=[marked({**BRIEF, "ttl": "2h"})]),
        "cache_control.ephemeral.ttl: Input should be '1h' or '5m'",
    ),
    (request(content=[marked({**BRIEF, "scope": "x"})]), "cache_control.ephemeral.scope: Extra inputs"),
    (request(content=[{**text_part("a"), "cache_control": None}]), None),
]


@pytest.mark.parametrize(
    ("body", "expected", "betas"),
    rule_cases(messages=MESSAGES, media=MEDIA, system=SYSTEM, thoughts=THOUGHTS, cache=CACHE),
)
def test_messages_are_accepted_or_rejected_as_the_api_does(
    body: Body, expected: str | None, betas: list[str]
) -> None:
    assert_ruled(body, expected, betas)

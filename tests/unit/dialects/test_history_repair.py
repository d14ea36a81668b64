"""A conversation is never refused because of its past: what the API would not accept there is repaired."""

from typing import Any

import pytest

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.common.conversation import NUDGE, OPENING
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.request import parse_request as parse_responses
from gateway.repairs import Repair
from tests.support.client_bodies import PNG, PNG_URL, tool_call
from tests.unit.dialects.histories import (
    CHAT,
    GO_ON,
    HELLO,
    IMAGE,
    RESPONSES,
    Body,
    calls,
    chat,
    interrupted,
    messages,
    output,
    responses,
    result,
    text,
    use,
)

# Content


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ("plain", text("plain")),
        ({"text": "no type"}, text("no type")),
        ({"type": "input_audio", "input_audio": {"data": "A" * 2000, "format": "wav"}},
         text('[input_audio: {"input_audio": {"data": "(2000 characters left out)", "format": "wav"}}]')),
        ({"type": "container_upload", "file_id": "f"}, text('[container_upload: {"file_id": "f"}]')),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_read_become_text_in_the_past(part: Any, block: Body) -> None:
    old = {"role": "user", "content": [text("see"), part]}
    answer = {"role": "assistant", "content": "ok"}
    for parsed in (chat(old, answer, GO_ON), messages(old, answer, GO_ON), responses(old, answer, GO_ON)):
        assert parsed.blocks[0][0] == text("see")
        assert parsed.blocks[0][1]["type"] == "text"
        assert parsed.codes == {"part-as-text"}
    assert chat(old, answer, GO_ON).blocks[0][1] == block


def test_server_tools_of_other_providers_become_text() -> None:
    answer = {
        "role": "assistant",
        "content": [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [
                    {"type": "web_search_result", "title": "X", "url": "https://x", "encrypted_content": "E"}
                ],
            },
            text("Found."),
        ],
    }
    parsed = messages(HELLO, answer, GO_ON)

    assert [block["text"] for block in parsed.blocks[1]] == [
        '[server_tool_use: {"name": "web_search", "input": {"query": "x"}}]',
        '[web_search_tool_result: {"tool_use_id": "s", "content": [{"title": "X", "url": "https://x"}]}]',
        "Found.",
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "image", "data": PNG, "mimeType": "image/png"}, IMAGE),
        ({"type": "resource", "resource": {"uri": "file:///a", "mimeType": "image/png", "blob": PNG}}, IMAGE),
        ({"type": "audio", "data": "A" * 3000, "mimeType": "audio/wav"},
         text('[audio: {"data": "(3000 characters left out)", "mimeType": "audio/wav"}]')),
        ({"type": "tool_reference", "tool_name": "f"}, text('[tool_reference: {"tool_name": "f"}]')),
        ({"type": "search_result", "source": "s", "title": "t", "content": [text("x")], "citations": {}},
         {"type": "search_result", "source": "s", "title": "t", "content": [text("x")]}),
        ({"temperature": 20}, text('{"temperature": 20}')),
    ],
)  # fmt: skip
def test_parts_of_new_results_are_never_refused(part: Any, block: Body) -> None:
    assert chat(HELLO, calls("a"), output("a", [part])).blocks[2] == [result("a", block)]
    answer = {"role": "assistant", "content": [use("a")]}
    new = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [part]}]}
    assert messages(HELLO, answer, new).blocks[2] == [result("a", block)]
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    item = {"type": "function_call_output", "call_id": "a", "output": [part]}
    assert responses(HELLO, call, item).blocks[2] == [result("a", block)]


# Beginnings, speakers, images


def test_conversation_of_system_text_begins_with_the_model() -> None:
    for role in ("system", "developer"):
        assert chat({"role": role, "content": "Greet."}).blocks == [[text(OPENING)]]
    assert responses(instructions="Greet.").blocks == [[text(OPENING)]]
    assert messages({"role": "system", "content": "Greet."}).blocks == [[text(OPENING)]]
    later = chat({"role": "system", "content": "Greet."}, {"role": "assistant", "content": "Hi."}, GO_ON)
    assert later.blocks[0] == [text(OPENING)]
    assert later.codes == {"user-message-added"}
    assert chat(HELLO, {"role": "assistant", "content": "Hi."}).blocks[2] == [text(NUDGE)]


def test_speakers_are_named_before_their_text() -> None:
    parsed = chat({**HELLO, "name": "ann"}, {**GO_ON, "name": "bob"})

    assert parsed.blocks == [[text("ann:"), text("hello"), text("bob:"), text("go on")]]
    assert chat({"role": "user", "content": "", "name": "ann"}, HELLO).blocks == [[text("hello")]]


def test_images_of_ollama_are_delivered() -> None:
    # https://github.com/ollama/ollama/blob/main/docs/api.md
    parsed = chat({**HELLO, "images": [PNG, "?", PNG_URL]})

    assert parsed.blocks == [[text("hello"), IMAGE, IMAGE]]
    assert parsed.ignored == ("messages[0].images[1]",)


def test_unknown_fields_of_messages_are_named_once() -> None:
    answer = {"role": "assistant", "content": "a", "mood": "", "name": "bot", "images": [PNG]}
    parsed = chat({**HELLO, "mood": "good"}, answer, {**GO_ON, "mood": "x"})
    assert parsed.ignored == ("messages[0].mood", "messages[1].images", "messages[1].name")


# Stored conversations


def test_damaged_session_goes_on() -> None:
    stored = [HELLO, {"role": "assistant", "tool_calls": [tool_call("a", "f", '{"path":"a.p')]}]
    parsed = parse_chat(CHAT.load({"messages": [GO_ON]}), stored)

    assert list(parsed.turn.messages[1].content) == [use("a", {"path": "a.p"})]
    assert list(parsed.turn.messages[2].content) == [interrupted("a"), text("go on")]
    assert parsed.repaired[0] == Repair("tool-arguments", "session[1].tool_calls[0].function.arguments")


def test_damaged_chain_of_responses_goes_on() -> None:
    stored = complete_items(
        [HELLO, {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":[1,'}]
    )
    stored += complete_items(
        [{"type": "unheard_of", "note": "hm"}, "bare", {"type": "item_reference", "id": "x"}]
    )
    parsed = parse_responses(RESPONSES.load({"input": "go on"}), [GO_ON], stored)

    assert [list(message.content) for message in parsed.turn.messages] == [
        [text("hello")],
        [text('[unheard_of: {"note": "hm"}]'), use("a", {"x": [1]})],
        [interrupted("a"), text("bare"), text("go on")],
    ]

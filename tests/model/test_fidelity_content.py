"""Images, files, reasoning, choices and stops through the real CLI."""

import base64
import json
import random
import struct
import time
import zlib
from typing import Any

import pytest

from tests.standin import StandIn, blocks, text, text_block, thinking, thinking_block, tool_calls
from tests.support.api_client import error_of
from tests.support.gateway import Gateway
from tests.support.pictures import content_of, opened
from tests.support.tool_bodies import (
    ASKED,
    CLOCK,
    Body,
    assistant_calls,
    recorded_blocks,
    tool_call,
    tool_result,
)

PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n").decode()


def png(width: int, height: int, noise: int = 0) -> str:
    """Return a PNG image in base64. `noise` other than 0 seeds pixels that do not compress."""
    pixels = random.Random(noise).randbytes(width * height * 3) if noise else bytes(width * height * 3)
    rows = b"".join(b"\0" + pixels[row * width * 3 : (row + 1) * width * 3] for row in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows, 1)), chunk(b"IEND", b""))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


SMALL = png(8, 8)
DATA_URL = f"data:image/png;base64,{SMALL}"
BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": SMALL}}


def user(*parts: Any) -> list[Body]:
    return [{"role": "user", "content": list(parts)}]


def streamed(events: list[str], name: str) -> str:
    """Return the joined values of a field of the deltas."""
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    return "".join(c["delta"].get(name) or "" for chunk in chunks for c in chunk["choices"])


# Images and files


def test_image_reaches_the_model(gateway: Gateway, standin: StandIn) -> None:
    mislabeled = {"type": "image_url", "image_url": {"url": DATA_URL.replace("image/png", "image/jpeg")}}
    answer = gateway.api.chat(messages=user({"type": "text", "text": "What is this?"}, mislabeled))
    assert answer.status_code == 200, answer.text
    assert recorded_blocks(standin.messages.last, 0) == [{"type": "text", "text": "What is this?"}, BLOCK]


def test_image_url_is_passed_on_without_being_fetched(gateway: Gateway, standin: StandIn) -> None:
    url = "https://example.com/cat.png"
    gateway.api.chat(messages=user({"type": "image_url", "image_url": {"url": url}}))
    assert recorded_blocks(standin.messages.last, 0) == [
        {"type": "image", "source": {"type": "url", "url": url}}
    ]


def test_images_in_history_and_tool_results_reach_the_model(gateway: Gateway, standin: StandIn) -> None:
    image = {"type": "image_url", "image_url": {"url": DATA_URL}}
    messages = [
        *user(image),
        assistant_calls(tool_call("now", {}, "a")),
        tool_result("a", [{"type": "text", "text": "see"}, image]),
    ]
    assert gateway.api.chat(messages=messages, tools=[CLOCK]).status_code == 200
    assert recorded_blocks(standin.messages.last, 0) == [BLOCK]
    (result_block,) = recorded_blocks(standin.messages.last, 2)
    assert result_block["content"] == [{"type": "text", "text": "see"}, BLOCK]


def test_image_in_a_tool_result_reaches_the_waiting_process(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("ok"))
    standin.reply(tool_calls([("now", {}, "toolu_i")]), times=1)
    gateway.api.chat(messages=ASKED, tools=[CLOCK])
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png(2400, 40)}"}}
    messages = [*ASKED, assistant_calls(tool_call("now", {}, "toolu_i")), tool_result("toolu_i", [image])]
    assert gateway.api.chat(messages=messages, tools=[CLOCK]).status_code == 200
    (result_block,) = recorded_blocks(standin.messages.last, 2)
    assert opened(content_of(result_block["content"][0])).size == (2000, 33)


def test_image_of_almost_5_mb_is_accepted(gateway: Gateway, standin: StandIn) -> None:
    data = png(1100, 1100, noise=1)
    assert 4_700_000 < len(data) < 5_242_880
    url = f"data:image/png;base64,{data}"
    answer = gateway.api.chat(messages=user({"type": "image_url", "image_url": {"url": url}}))
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-repaired"] == "image-scaled"
    (block,) = recorded_blocks(standin.messages.last, 0)  # the CLI has added no text
    assert len(content_of(block)) <= 512_000


def test_files_reach_the_model_as_documents(gateway: Gateway, standin: StandIn) -> None:
    pdf = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    plain = {"filename": "a.txt", "file_data": base64.b64encode("grüß".encode()).decode()}
    parts = [{"type": "file", "file": file} for file in (pdf, plain)]
    answer = gateway.api.chat(messages=user(*parts, {"type": "text", "text": "Read."}))
    assert answer.status_code == 200, answer.text
    *documents, _ = recorded_blocks(standin.messages.last, 0)
    assert [(document["type"], document["source"]) for document in documents] == [
        ("document", {"type": "base64", "media_type": "application/pdf", "data": PDF}),
        ("document", {"type": "text", "media_type": "text/plain", "data": "grüß"}),
    ]


def test_unusable_image_or_file_is_rejected_and_named(gateway: Gateway, standin: StandIn) -> None:
    answer = gateway.api.chat(
        messages=user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 9_000_000}"}})
    )
    assert error_of(answer)[:3] == (400, "invalid_request", "messages[0].content[0].image_url.url")
    assert not standin.messages


# Reasoning


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        # One row per way in which the CLI passes it on; tests/unit/claude/test_tuning.py has the table.
        (None, "high", {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "high"}),
        ("claude-opus-4-6", "none", {"thinking": {"type": "disabled"}, "effort": "low"}),
        ("claude-haiku-4-5", "none", {"thinking": {"type": "disabled"}, "effort": None}),
        ("claude-3-5-haiku-20241022", "high", {"thinking": None, "effort": None}),
    ],
)
def test_reasoning_effort_reaches_the_model(
    gateway: Gateway, standin: StandIn, model: str | None, effort: str, sent: Body
) -> None:
    assert gateway.api.chat(model=model, reasoning_effort=effort).status_code == 200
    body = standin.messages.last.body
    got = {"thinking": body.get("thinking"), "effort": (body.get("output_config") or {}).get("effort")}
    assert got == sent


def test_effort_becomes_a_thinking_budget_for_older_models(gateway: Gateway, standin: StandIn) -> None:
    gateway.api.chat(model="claude-haiku-4-5", reasoning={"effort": "low"})
    assert standin.messages.last.body["thinking"]["budget_tokens"] == 4096


def test_thinking_is_returned_as_reasoning_content(gateway: Gateway, standin: StandIn) -> None:
    standin.default(
        blocks(
            thinking_block("Let me think about it.", 4),
            text_block("42", 1),
            usage={"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}},
        )
    )
    events = list(gateway.api.stream_chat(reasoning_effort="high", stream_options={"include_usage": True}))
    assert streamed(events, "reasoning_content") == "Let me think about it."
    assert streamed(events, "content") == "42"
    assert json.loads(events[-2])["usage"]["completion_tokens_details"] == {"reasoning_tokens": 6}
    message = gateway.api.chat(reasoning_effort="high").json()["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Let me think about it.", "42")


def test_disabled_thinking_returns_no_reasoning_content(gateway: Gateway, standin: StandIn) -> None:
    standin.default(thinking("hm", text("42")))
    answer = gateway.api.chat(model="claude-opus-4-6", thinking={"type": "disabled"})
    assert "reasoning_content" not in answer.json()["choices"][0]["message"]


# Several choices


def test_n_choices_are_parallel_turns(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("one two three", delay=0.05))
    body = gateway.api.chat(n=3, model="claude-haiku-4-5").json()
    assert [(c["index"], c["message"]["content"]) for c in body["choices"]] == [
        (i, "one two three") for i in range(3)
    ]
    assert len(standin.messages) == 3
    assert body["usage"]["completion_tokens"] == 9
    single = gateway.api.chat(model="claude-haiku-4-5").json()["usage"]
    assert body["usage"]["prompt_tokens"] == 3 * single["prompt_tokens"]


def test_n_choices_share_one_stream(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("one two three", delay=0.05))
    events = list(gateway.api.stream_chat(n=2, stream_options={"include_usage": True}))
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    written = {0: "", 1: ""}
    for chunk in chunks[:-1]:
        for choice in chunk["choices"]:
            written[choice["index"]] += choice["delta"].get("content") or ""
    assert written == {0: "one two three", 1: "one two three"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 6


# Stop sequences that the API does not support


@pytest.mark.parametrize("stream", [False, True])
def test_whitespace_stop_sequence_is_enforced_by_the_gateway(
    gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    standin.default(text(chunks=["first", " line", "\n", "\nsecond", " more"]))
    if stream:
        events = list(gateway.api.stream_chat(stop="\n\n"))
        assert streamed(events, "content") == "first line"
        assert json.loads(events[-2])["choices"][0]["finish_reason"] == "stop"
    else:
        body = gateway.api.chat(stop="\n\n", model="claude-haiku-4-5").json()
        assert body["choices"][0]["message"]["content"] == "first line"
        assert body["usage"]["cost"] > 0
    assert "stop_sequences" not in standin.messages.last.body


# Long conversations


def test_conversation_of_200_messages_starts_soon(gateway: Gateway, standin: StandIn) -> None:
    messages = [{"role": ("user", "assistant")[i % 2], "content": f"message {i}"} for i in range(199)]
    began = time.monotonic()
    events = gateway.api.stream_chat(messages=messages)
    next(events)
    first = time.monotonic() - began
    list(events)
    sent = [m for m in standin.messages.last.body["messages"] if m["role"] != "system"]
    assert len(sent) == 199
    assert first < 30, "seconds to the first delta"


def test_prompt_that_the_cli_would_refuse_reaches_the_api(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("I see 95 images."))
    images: Any = [{"type": "text", "text": "What is this?"}, *([BLOCK] * 95)]
    long_text: Any = "word " * 190_000
    for content in (images, long_text):
        body = {"model": "haiku", "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
        assert gateway.api.post("/v1/messages", json=body).status_code == 200
    assert len(standin.messages) == 2
    sent = standin.messages[0].body["messages"][0]
    assert [block["type"] for block in sent["content"]].count("image") == 95
    assert len(standin.messages[1].text) > 900_000

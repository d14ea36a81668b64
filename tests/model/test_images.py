"""Images and files reach the model within the limits of the CLI and of the API."""

import base64
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin import Recorded, StandIn, text, tool_calls
from tests.support.gateway import Gateway
from tests.support.pictures import content_of, data_url, noise, opened, plain, screenshot
from tests.support.recorded import Body, assistant, process_of, user
from tests.support.tool_bodies import CLOCK, assistant_calls, tool_call, tool_result

HEIC = data_url(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic")
CSV = "Größe;Preis\n5 µm;3 €\n"


def image(content: bytes) -> Body:
    """Return an image as chat clients send it."""
    return {"type": "image_url", "image_url": {"url": data_url(content)}}


def source(content: bytes, media_type: str) -> Body:
    """Return a base64 source of the Messages API."""
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(content).decode()}


def blocks_of(record: Recorded) -> Iterator[Body]:
    """Return all blocks that reached the model, in order, and those inside tool results too."""
    for message in record.body["messages"]:
        for block in message["content"]:
            yield block
            inner = block.get("content")
            yield from inner if isinstance(inner, list) else ()


def images_of(record: Recorded) -> list[bytes]:
    return [content_of(block) for block in blocks_of(record) if block["type"] == "image"]


def texts_of(record: Recorded) -> list[str]:
    return [block["text"] for block in blocks_of(record) if block["type"] == "text"]


def call(number: int) -> tuple[Body, str]:
    return assistant_calls(tool_call("now", {}, f"call_{number}")), f"call_{number}"


# https://github.com/anthropics/claude-code/issues/49720
@pytest.mark.wide
def test_many_large_screenshots_in_tool_results_reach_the_model(gateway: Gateway, standin: StandIn) -> None:
    shots = [screenshot(2400, 1350, seed) for seed in range(5)]
    messages: list[Body] = [user("Click through the page.")]
    for number, shot in zip(range(25), itertools.cycle(shots), strict=False):
        message, id_ = call(number)
        messages += [message, tool_result(id_, [{"type": "text", "text": f"shot {number}"}, image(shot)])]
    answer = gateway.api.chat(messages=messages, tools=[CLOCK])
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-repaired"] == "image-scaled"
    assert [opened(shot).size for shot in images_of(standin.messages.last)] == [(2000, 1125)] * 25
    before = images_of(standin.messages.last)
    again = gateway.api.chat(messages=messages, tools=[CLOCK])
    assert again.status_code == 200
    assert images_of(standin.messages.last) == before  # byte for byte, so that the prompt cache holds


# https://github.com/anthropics/claude-code/issues/19631
@pytest.mark.parametrize("stream", [False, True])
def test_image_over_the_limit_of_the_api_is_scaled(gateway: Gateway, standin: StandIn, stream: bool) -> None:
    huge = noise(1200, 1170, compress_level=0)
    assert len(huge) > 4_200_000
    message, id_ = call(1)
    messages = [
        user([image(huge)]),
        assistant("I see."),
        user("Go."),
        message,
        tool_result(id_, [image(huge)]),
    ]
    answer = gateway.api.chat(messages=messages, tools=[CLOCK], stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-repaired"] == "image-scaled"
    sent = images_of(standin.messages.last)
    assert len(sent) == 2
    assert all(len(content) <= 512_000 for content in sent)
    assert texts_of(standin.messages.last) == ["I see.", "Go."]  # the CLI adds a line when it scales itself


def test_image_within_the_limits_is_passed_on_byte_for_byte(gateway: Gateway, standin: StandIn) -> None:
    largest = [plain(2000, 1848), noise(400, 420, compress_level=0), plain(9, 9, "GIF"), plain(9, 9, "WEBP")]
    message, id_ = call(1)
    images = [image(content) for content in largest]
    answer = gateway.api.chat(messages=[user(images), message, tool_result(id_, images)], tools=[CLOCK])
    assert answer.status_code == 200, answer.text
    assert images_of(standin.messages.last) == largest * 2


def test_images_in_a_tool_result_go_to_the_waiting_process(
    keeping_gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("ok"))
    standin.reply(tool_calls([("now", {}, "toolu_i")]), times=1)
    asked = [user("What is on the screen?")]
    keeping_gateway.api.chat(messages=asked, tools=[CLOCK])
    parts = [{"type": "text", "text": "t" * 240_000}, image(plain(1932, 1932)), image(screenshot(2400, 1350))]
    messages = [*asked, assistant_calls(tool_call("now", {}, "toolu_i")), tool_result("toolu_i", parts)]
    assert keeping_gateway.api.chat(messages=messages, tools=[CLOCK]).status_code == 200
    first, second = standin.messages
    assert process_of(first) == process_of(second)
    small, scaled = images_of(second)
    assert small == plain(1932, 1932)
    assert opened(scaled).size == (2000, 1125)
    assert "t" * 240_000 in texts_of(second)


BAD_PAST: dict[str, Any] = {
    "/v1/chat/completions": {
        "messages": [
            user([{"type": "image_url", "image_url": {"url": HEIC}}, {"type": "text", "text": "What?"}]),
            assistant("A cat."),
            user("Sure?"),
        ]
    },
    "/v1/responses": {
        "input": [
            user([{"type": "input_image", "image_url": HEIC}, {"type": "input_text", "text": "What?"}]),
            assistant("A cat."),
            user("Sure?"),
        ]
    },
    "/v1/messages": {
        "max_tokens": 4096,
        "messages": [
            user(
                [
                    {"type": "image", "source": source(b"<svg/>", "image/png")},
                    {"type": "text", "text": "What?"},
                ]
            ),
            assistant("A cat."),
            user("Sure?"),
        ],
    },
}


# https://github.com/anthropics/claude-code/issues/10395
# https://github.com/github/copilot-cli/issues/3767
@pytest.mark.parametrize("path", BAD_PAST)
def test_unreadable_file_of_the_past_becomes_a_line_of_text(
    gateway: Gateway, standin: StandIn, path: str
) -> None:
    body = {"model": "claude-haiku-4-5", **BAD_PAST[path]}
    answer = gateway.api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-repaired"] == "unreadable-file"
    line, question, *_ = texts_of(standin.messages.last)
    assert line.startswith("[A file was left out of this conversation. The image is ")
    assert question == "What?"

    field = "input" if "input" in body else "messages"
    refused = gateway.api.post(path, json={**body, field: body[field][:1]})
    assert refused.status_code == 400
    assert "Convert it to PNG or JPEG." in refused.text


def test_text_in_another_encoding_reaches_the_model(gateway: Gateway, standin: StandIn) -> None:
    file = {"filename": "a.csv", "file_data": base64.b64encode(CSV.encode("cp1252")).decode()}
    answer = gateway.api.chat([{"type": "file", "file": file}, {"type": "text", "text": "Sum up."}])
    assert answer.headers["x-repaired"] == "text-decoded"
    (document,) = (block for block in blocks_of(standin.messages.last) if block["type"] == "document")
    assert document["source"]["data"] == CSV


# The CLI would refuse these prompts by its own estimate, without asking the API.


def test_more_images_than_the_cli_estimates_reach_the_model(gateway: Gateway, standin: StandIn) -> None:
    images = [image(plain(9, 9 + number)) for number in range(95)]
    answer = gateway.api.chat(images, model="claude-haiku-4-5")
    assert answer.status_code == 200, answer.text
    assert len(images_of(standin.messages.last)) == 95


def test_prompt_longer_than_the_cli_estimates_reaches_the_api(gateway: Gateway, standin: StandIn) -> None:
    standin.strict = False
    try:
        answer = gateway.api.chat("words " * 150_000, model="claude-haiku-4-5")
    finally:
        standin.strict = True
    assert answer.status_code == 200, answer.text
    assert len(texts_of(standin.messages.last)[0]) == 900_000

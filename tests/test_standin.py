"""The stand-in Messages API is itself tested: what it refuses, how it streams, what it notices."""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.standin import (
    Recorded,
    StandIn,
    blocks,
    cut,
    describe,
    error,
    hang,
    raw,
    refusal,
    sign,
    stream_error,
    text,
    text_block,
    thinking,
    thinking_block,
    tool_calls,
)

OLD = "claude-opus-4-0"  # takes temperature and top_p together
BUDGET = "claude-haiku-4-5-20251001"  # thinks with a budget
ADAPTIVE = "claude-opus-4-6"  # thinks either way
NEW = "claude-opus-4-8"  # takes no sampling parameters
ALWAYS = "claude-fable-5"  # cannot stop thinking

ON = {"type": "enabled", "budget_tokens": 1024}
AUTO = {"type": "adaptive"}
OFF = {"type": "disabled"}
PNG = b"\x89PNG\r\n\x1a\n"

Body = dict[str, Any]
Events = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def ask(model: str = NEW, said: Any = "hi", **fields: Any) -> Body:
    """A request body; fields set to None are left out."""
    base = {"model": model, "max_tokens": 4096, "messages": [user(said)]}
    return {name: value for name, value in {**base, **fields}.items() if value is not None}


def user(content: Any) -> Body:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Body:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Body:
    return {"role": "system", "content": content}


def t(said: str) -> Body:
    return {"type": "text", "text": said}


def use(id: str = "toolu_1", name: str = "look") -> Body:
    return {"type": "tool_use", "id": id, "name": name, "input": {}}


def result(id: str = "toolu_1", content: Any = "seen") -> Body:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def thought(signature: str | None = None) -> Body:
    return {"type": "thinking", "thinking": "hm", "signature": signature or sign("hm")}


def tool(name: str = "look", **schema: Any) -> Body:
    return {"name": name, "input_schema": {"type": "object", **schema}}


def image(data: bytes = PNG, media_type: str = "image/png") -> Body:
    encoded = base64.b64encode(data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def round_of(*parts: Body) -> list[Body]:
    """A tool round whose assistant message has those blocks before its `tool_use`."""
    return [user("go"), assistant([*parts, use()]), user([result()])]


# --- what is refused ---------------------------------------------------------------------------------------

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
def test_rules(body: Body, expected: str | None) -> None:
    said = refusal(body)
    if expected is None:
        assert said is None
    else:
        assert said is not None
        assert expected in said


def test_body_that_is_no_object_is_refused() -> None:
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
def test_model_ids(model: str, family: str, version: tuple[int, int]) -> None:
    known = describe(model)
    assert (known.family, known.version) == (family, version)


# --- over HTTP ---------------------------------------------------------------------------------------------


def connect(standin: StandIn) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(standin.url.removeprefix("http://"), timeout=5)


def post(standin: StandIn, body: Any, path: str = "/v1/messages?beta=true") -> tuple[int, Any]:
    """Status and body: a JSON value, or the events of a stream."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(standin.url + path, data)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, read(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def read(response: Any) -> Any:
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    return parse(response.read()) if is_stream else json.load(response)


def parse(stream: bytes) -> Events:
    """The events of a stream, each with exactly one `event:` and one `data:` line."""
    parsed = []
    for part in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = part.split("\n")
        parsed.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return parsed


def stream(standin: StandIn, model: str = NEW, said: Any = "hi", **fields: Any) -> Events:
    status, events = post(standin, ask(model, said, stream=True, **fields))
    assert status == 200
    return list(events)


def written(events: Events, kind: str = "text") -> str:
    deltas = (data["delta"] for name, data in events if name == "content_block_delta")
    return "".join(delta.get(kind, "") for delta in deltas)


def ended(events: Events) -> Body:
    return next(data for name, data in events if name == "message_delta")


def open_stream(standin: StandIn, said: str = "hi") -> socket.socket:
    """A raw connection on which a streaming request has been sent."""
    host, port = standin.url.removeprefix("http://").split(":")
    data = json.dumps(ask(said=said, stream=True)).encode()
    sock = socket.create_connection((host, int(port)), timeout=5)
    sock.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
    return sock


def receive_until(sock: socket.socket, mark: bytes) -> bytes:
    got = b""
    while mark not in got:
        data = sock.recv(65536)
        assert data, f"closed after {got!r}"
        got += data
    return got


def receive_all(sock: socket.socket) -> bytes:
    got = b""
    while data := sock.recv(65536):
        got += data
    return got


def test_stream_has_the_shape_of_the_api(standin: StandIn) -> None:
    standin.default(text("Good day to you", usage={"cache_read_input_tokens": 7}))
    events = stream(standin)
    assert [name for name, _ in events] == [
        *("message_start", "ping", "content_block_start"),
        *["content_block_delta"] * 4,
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert all(data["type"] == name for name, data in events)
    start = events[0][1]["message"]
    assert (start["type"], start["role"], start["model"], start["content"]) == (
        "message",
        "assistant",
        NEW,
        [],
    )
    assert start["usage"]["input_tokens"] > 0
    assert start["usage"]["output_tokens"] == 1
    assert start["usage"]["cache_read_input_tokens"] == 7
    assert events[2][1] == {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    assert written(events) == "Good day to you"
    assert ended(events)["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert ended(events)["usage"]["output_tokens"] == 4


def test_default_reply_is_streamed_in_pieces(standin: StandIn) -> None:
    deltas = [name for name, _ in stream(standin) if name == "content_block_delta"]
    assert len(deltas) > 2


def test_message_without_streaming(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {"at": "it"})], text="I look."))
    status, message = post(standin, ask())
    assert status == 200
    assert message["type"] == "message"
    assert message["content"][0] == {"type": "text", "text": "I look."}
    assert message["content"][1]["name"] == "look"
    assert message["content"][1]["input"] == {"at": "it"}
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["output_tokens"] > 1


@pytest.mark.parametrize(
    ("chunks", "pieces"),
    [(None, ["a", " b", " c "]), (2, ["a ", "b c "]), (["a b", " c "], ["a b", " c "])],
)
def test_chunks(chunks: Any, pieces: list[str]) -> None:
    block = text_block("a b c ", chunks)
    assert "".join(block.deltas) == "a b c "
    assert list(block.deltas) in (pieces, ["a b", " c "])


def test_chunks_must_add_up() -> None:
    with pytest.raises(ValueError, match="add up"):
        text("abc", chunks=["a", "b"])


def test_tool_calls_stream_their_json_in_fragments(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {"at": "this"}), ("touch", {}, "toolu_mine")], fragments=4))
    events = stream(standin, tools=[tool("look"), tool("touch")])
    starts = [data["content_block"] for name, data in events if name == "content_block_start"]
    assert [start["name"] for start in starts] == ["look", "touch"]
    assert starts[0]["input"] == {}
    assert starts[0]["id"].startswith("toolu_")
    assert starts[1]["id"] == "toolu_mine"
    first = [
        data["delta"]["partial_json"] for _, data in events if data.get("index") == 0 and "delta" in data
    ]
    assert len(first) == 4
    assert json.loads("".join(first)) == {"at": "this"}
    assert ended(events)["delta"]["stop_reason"] == "tool_use"


def test_tool_ids_are_new_each_time(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {})]))
    ids = {
        data["content_block"]["id"]
        for _ in range(3)
        for name, data in stream(standin)
        if name == "content_block_start"
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("model", "asked", "shown"),
    [
        (BUDGET, ON, "so it is"),
        (ADAPTIVE, AUTO, "so it is"),
        (NEW, AUTO, ""),
        (NEW, {"type": "adaptive", "display": "summarized"}, "so it is"),
        (ALWAYS, None, ""),
        (BUDGET, OFF, None),
        (NEW, None, None),
    ],
)
def test_thinking_is_sent_as_the_request_asks(
    standin: StandIn, model: str, asked: Body | None, shown: str | None
) -> None:
    standin.default(thinking("so it is", text("Yes.")))
    events = stream(standin, model, thinking=asked)
    kinds = [data["content_block"]["type"] for name, data in events if name == "content_block_start"]
    assert kinds == (["text"] if shown is None else ["thinking", "text"])
    assert written(events, "thinking") == (shown or "")
    assert written(events, "signature") == ("" if shown is None else sign("so it is"))
    assert written(events) == "Yes."


def test_thinking_is_accepted_back(standin: StandIn) -> None:
    standin.reply(thinking("hm", tool_calls([("look", {}, "toolu_1")])), times=1)
    _, first = post(standin, ask(BUDGET, thinking=ON, tools=[tool()]))
    history = [user("hi"), assistant(first["content"]), user([result()])]
    status, _ = post(standin, ask(BUDGET, thinking=ON, tools=[tool()], messages=history))
    assert status == 200


@pytest.mark.parametrize("streaming", [True, False])
def test_stop_sequence_cuts_the_text(standin: StandIn, streaming: bool) -> None:
    standin.default(blocks(text_block("one two END three"), text_block("four")))
    _, got = post(standin, ask(stop_sequences=["three", "o EN"], stream=streaming))
    end = ended(got)["delta"] if streaming else got
    assert end["stop_reason"] == "stop_sequence"
    assert end["stop_sequence"] == "o EN"
    assert (written(got) if streaming else got["content"][0]["text"]) == "one tw"


def test_stop_sequence_does_not_apply_to_thinking(standin: StandIn) -> None:
    standin.default(thinking("END", text("well")))
    assert written(stream(standin, BUDGET, thinking=ON, stop_sequences=["END"])) == "well"


@pytest.mark.parametrize("streaming", [True, False])
def test_max_tokens_cuts_the_reply(standin: StandIn, streaming: bool) -> None:
    standin.default(text("one two three four"))
    _, got = post(standin, ask(max_tokens=2, stream=streaming))
    end = ended(got) if streaming else {"delta": got, "usage": got["usage"]}
    assert end["delta"]["stop_reason"] == "max_tokens"
    assert end["usage"]["output_tokens"] == 2
    assert (written(got) if streaming else got["content"][0]["text"]) == "one two"


def test_max_tokens_counts_thinking(standin: StandIn) -> None:
    standin.default(thinking("a b c", text("d e")))
    events = stream(standin, NEW, thinking=AUTO, max_tokens=3)
    assert written(events) == ""
    assert ended(events)["delta"]["stop_reason"] == "max_tokens"


def test_max_tokens_in_a_tool_call_leaves_no_input(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {"at": "this"}), ("touch", {})]))
    _, message = post(standin, ask(max_tokens=1))
    assert [block["input"] for block in message["content"]] == [{}]


def test_deltas_are_spread_over_time(standin: StandIn) -> None:
    standin.default(text("a b c d e", delay=0.04, first_delay=0.1))
    began = time.monotonic()
    arrivals: list[float] = []
    with open_stream(standin) as sock:
        while b"message_stop" not in (data := sock.recv(65536)):
            arrivals += [time.monotonic() - began] * data.count(b"event: content_block_delta")
        arrivals += [time.monotonic() - began] * data.count(b"event: content_block_delta")
    assert len(arrivals) == 5
    assert arrivals[0] >= 0.1
    assert arrivals[-1] - arrivals[0] >= 0.75 * 4 * 0.04
    assert len(set(arrivals)) > 2  # and not at once
    record = standin.messages.last
    assert record.first_byte is not None
    assert record.first_byte - record.arrived < 0.2
    assert record.deltas == 5


def test_head_delay_holds_the_response_back(standin: StandIn) -> None:
    standin.default(text("ok", head_delay=0.1))
    stream(standin)
    record = standin.messages.last
    assert record.first_byte is not None
    assert record.first_byte - record.arrived >= 0.1


def test_message_without_streaming_takes_as_long(standin: StandIn) -> None:
    standin.default(text("a b c", delay=0.05, first_delay=0.05))
    began = time.monotonic()
    post(standin, ask())
    assert time.monotonic() - began >= 0.15


def test_it_is_fast(standin: StandIn) -> None:
    standin.default(text(chunks=["word "] * 5000))
    began = time.monotonic()
    assert len(written(stream(standin, max_tokens=9000))) == 25_000
    assert time.monotonic() - began < 2
    record = standin.messages.last
    assert record.first_byte is not None
    assert record.first_byte - record.arrived < 0.2


@pytest.mark.parametrize(
    ("reply", "deltas"), [(hang(0), 0), (hang(3), 3), (hang(-1), 0), (text("a b", first_delay=60), 0)]
)
def test_hang_up_is_noticed_during_silence(standin: StandIn, reply: Any, deltas: int) -> None:
    standin.default(reply)
    with open_stream(standin) as sock:
        record = standin.wait_for(lambda: standin.messages and standin.messages.last)
        assert isinstance(record, Recorded)
        standin.wait_for(lambda: record.deltas == deltas)
        time.sleep(0.05)
        assert not record.aborted
        if hasattr(select, "POLLRDHUP"):
            sock.sendall(b"bytes sent ahead")
    left = time.monotonic()
    standin.wait_for(lambda: record.aborted)
    assert record.finished is not None
    assert record.finished - left < 0.5
    assert record.deltas == deltas


def test_hang_up_is_noticed_while_writing(standin: StandIn) -> None:
    standin.default(text(chunks=["word " * 1000] * 4000))
    with open_stream(standin) as sock:
        receive_until(sock, b"message_start")
    standin.wait_for(lambda: standin.messages.last.aborted)


def test_complete_stream_is_not_aborted(standin: StandIn) -> None:
    stream(standin)
    record = standin.messages.last
    standin.wait_for(lambda: record.finished)
    assert not record.aborted


@pytest.mark.parametrize("after", [0, 2])
def test_cut_drops_the_connection_after_some_deltas(standin: StandIn, after: int) -> None:
    standin.default(cut(after, text("a b c d")))
    with open_stream(standin) as sock:
        got = receive_all(sock)
    assert got.count(b"event: content_block_delta") == after
    assert b"event: message_start" in got
    assert not got.endswith(b"0\r\n\r\n")


def test_cut_before_the_response(standin: StandIn) -> None:
    standin.default(cut(-1))
    with open_stream(standin) as sock:
        assert receive_all(sock) == b""
    with pytest.raises(http.client.RemoteDisconnected):
        post(standin, ask())


def test_stream_error(standin: StandIn) -> None:
    standin.default(stream_error(2))
    events = stream(standin)
    assert [name for name, _ in events].count("content_block_delta") == 2
    assert events[-1] == (
        "error",
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    )
    assert post(standin, ask())[0] == 529


def test_raw_events(standin: StandIn) -> None:
    standin.default(raw([("message_start", {"odd": 1}), b"event: x\ndata: 1\n\n"]))
    assert stream(standin) == [("message_start", {"odd": 1}), ("x", 1)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_http_errors(standin: StandIn, status: int, kind: str) -> None:
    standin.default(error(status))
    got, body = post(standin, ask(stream=True))
    assert got == status
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert body["error"]["message"]


def test_http_error_with_its_own_words(standin: StandIn) -> None:
    standin.default(error(429, "odd_error", "Not now", {"retry-after": "3"}))
    connection = connect(standin)
    connection.request("POST", "/v1/messages", json.dumps(ask()))
    response = connection.getresponse()
    assert response.getheader("retry-after") == "3"
    assert json.load(response)["error"] == {"type": "odd_error", "message": "Not now"}
    connection.close()


def test_refused_request_is_answered_and_recorded(standin: StandIn) -> None:
    status, body = post(standin, ask(temperature=0.2))
    assert status == 400
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "`temperature` is deprecated for this model.",
    }
    assert standin.messages.last.status == 400


def test_refusals_can_be_turned_off() -> None:
    with StandIn(strict=False) as standin:
        assert post(standin, ask(temperature=0.2))[0] == 200
        assert post(standin, {"messages": []})[0] == 200
        assert post(standin, b"{nonsense")[0] == 400


def test_request_over_32_mb_is_too_large(standin: StandIn) -> None:
    status, body = post(standin, ask(said="x" * (32 << 20)))
    assert (status, body["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize("model", ["claude-retired", "claude-nonexistent-1"])
def test_unknown_models(model: str) -> None:
    with StandIn(unknown_models={"claude-retired"}) as standin:
        status, body = post(standin, ask(model))
    assert (status, body["error"]) == (404, {"type": "not_found_error", "message": f"model: {model}"})


def test_newest_rule_wins_and_is_used_up(standin: StandIn) -> None:
    standin.default(text("default"))
    standin.reply(text("old"), when="hi")
    standin.reply(text("new"), when="hi", times=2)
    standin.reply(text("haiku"), when=lambda body: body["model"] == BUDGET)
    assert [written(stream(standin)) for _ in range(3)] == ["new", "new", "old"]
    assert written(stream(standin, said="ho")) == "default"
    assert written(stream(standin, BUDGET)) == "haiku"
    standin.reset()
    assert standin.requests == []
    assert written(stream(standin)) not in ("old", "default")


def test_rule_looks_at_the_last_user_message_only(standin: StandIn) -> None:
    standin.reply(text("yes"), when="apple")
    history = [user("apple"), assistant("ok"), user("pear")]
    assert written(stream(standin, messages=history)) != "yes"
    assert written(stream(standin, messages=[*round_of()[:2], user([result(content="apple")])])) == "yes"


def test_reply_from_a_function(standin: StandIn) -> None:
    standin.reply(lambda body: text(f"{body['model']}!"))
    assert written(stream(standin)) == f"{NEW}!"


def test_fault_in_a_function_is_loud(standin: StandIn) -> None:
    standin.default(lambda body: text(body["missing"]))
    status, body = post(standin, ask())
    assert status == 500
    assert "KeyError" in body["error"]["message"]
    assert "KeyError" in standin.faults[0]


def test_records(standin: StandIn) -> None:
    with pytest.raises(LookupError):
        _ = standin.messages.last
    post(standin, ask(said=[t("one"), t("two")]))
    post(standin, {"messages": [user("abcd" * 100)]}, "/v1/messages/count_tokens")
    record = standin.messages.last
    assert len(standin.requests) == 2
    assert len(standin.messages) == 1
    assert (record.method, record.path, record.text) == ("POST", "/v1/messages?beta=true", "one\ntwo")
    assert record.body == json.loads(record.raw)
    assert record.headers["content-length"] == str(len(record.raw))


def test_count_tokens(standin: StandIn) -> None:
    body = {"model": NEW, "messages": [user("abcd" * 1000)]}
    status, counted = post(standin, body, "/v1/messages/count_tokens?beta=true")
    assert status == 200
    assert 1000 <= counted["input_tokens"] < 1010


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("HEAD", "/", 200), ("GET", "/v1/x", 404), ("POST", "/v1/x", 404)],
)
def test_other_paths(standin: StandIn, method: str, path: str, status: int) -> None:
    connection = connect(standin)
    for _ in range(2):
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == status
        assert (response.read() == b"") == (method == "HEAD")
    connection.close()


def test_connection_is_kept(standin: StandIn) -> None:
    connection = connect(standin)
    for _ in range(3):
        connection.request("POST", "/v1/messages", json.dumps(ask(stream=True)))
        assert written(parse(connection.getresponse().read()))
    sock = connection.sock
    connection.request("POST", "/v1/messages", json.dumps(ask(temperature=1)))
    assert connection.getresponse().read()
    assert connection.sock is sock
    connection.close()


def test_wait_for_gives_up(standin: StandIn) -> None:
    with pytest.raises(TimeoutError):
        standin.wait_for(lambda: standin.messages, timeout=0.05)


def test_fifty_streams_at_once(standin: StandIn) -> None:
    standin.default(lambda body: text(f"{body['messages'][0]['content']} a b c d", delay=0.02))
    began = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: written(stream(standin, said=f"n{number}")), range(50)))
    assert answers == [f"n{number} a b c d" for number in range(50)]
    assert time.monotonic() - began < 3
    assert len(standin.messages) == 50


def test_stop_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    standin = StandIn().start()
    standin.default(hang(1))
    idle = connect(standin)
    idle.request("GET", "/")
    idle.getresponse().read()
    waiting = [open_stream(standin) for _ in range(3)]
    standin.wait_for(lambda: sum(record.deltas for record in standin.messages) == 3)
    began = time.monotonic()
    standin.stop()
    assert time.monotonic() - began < 1
    assert set(threading.enumerate()) == before
    assert not any(record.aborted for record in standin.messages)
    for sock in waiting:
        receive_all(sock)
        sock.close()
    idle.close()
    standin.stop()
    with pytest.raises(RuntimeError):
        _ = standin.url


def test_it_can_be_started_again() -> None:
    standin = StandIn()
    for _ in range(2):
        with standin:
            assert post(standin, ask())[0] == 200
            with pytest.raises(RuntimeError):
                standin.start()


def test_thinking_block_among_others(standin: StandIn) -> None:
    standin.default(blocks(thinking_block("a"), text_block("b"), thinking_block("c"), text_block("d")))
    assert written(stream(standin, BUDGET, thinking=ON)) == "bd"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_by_itself(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.standin", "--instant"]
    root = Path(__file__).parent.parent
    reminded = [t("<system-reminder>\nx\n</system-reminder>"), t("good day")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        data = json.dumps(ask(said=reminded, stream=True)).encode()
        with urllib.request.urlopen(f"{url}/v1/messages", data, timeout=5) as response:
            events = parse(response.read())
        process.send_signal(number)
        assert process.wait(5) == 0
    assert written(events).startswith("You said: good day ")
    assert [name for name, _ in events].count("content_block_delta") == 20

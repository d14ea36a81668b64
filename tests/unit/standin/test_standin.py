"""The stand-in Messages API sends replies as the real API does, and at the scripted pace."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standin import (
    StandIn,
    blocks,
    sign,
    text,
    text_block,
    thinking,
    tool_calls,
)
from tests.support.recorded import Body, assistant, user
from tests.support.standin_client import (
    AUTO,
    FABLE_5,
    HAIKU_4_5,
    OFF,
    ON,
    OPUS_4_6,
    OPUS_4_8,
    joined_deltas,
    message_delta,
    open_stream,
    post,
    request,
    stream,
    tool,
    tool_result,
)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def test_stream_has_the_events_of_the_api(standin: StandIn) -> None:
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
        OPUS_4_8,
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
    assert joined_deltas(events) == "Good day to you"
    assert message_delta(events)["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert message_delta(events)["usage"]["output_tokens"] == 4


def test_default_reply_is_streamed_in_several_deltas(standin: StandIn) -> None:
    deltas = [name for name, _ in stream(standin) if name == "content_block_delta"]
    assert len(deltas) > 2


def test_message_without_streaming_has_the_shape_of_the_api(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {"at": "it"})], text="I look."))
    status, message = post(standin, request())
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
def test_text_is_split_into_the_requested_chunks(chunks: Any, pieces: list[str]) -> None:
    block = text_block("a b c ", chunks)
    assert "".join(block.deltas) == "a b c "
    assert list(block.deltas) in (pieces, ["a b", " c "])


def test_chunks_must_add_up_to_the_text() -> None:
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
    assert message_delta(events)["delta"]["stop_reason"] == "tool_use"


def test_tool_call_ids_are_new_in_every_reply(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {})]))
    ids = {
        data["content_block"]["id"]
        for _ in range(3)
        for name, data in stream(standin)
        if name == "content_block_start"
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("model", "requested", "shown"),
    [
        (HAIKU_4_5, ON, "so it is"),
        (OPUS_4_6, AUTO, "so it is"),
        (OPUS_4_8, AUTO, ""),
        (OPUS_4_8, {"type": "adaptive", "display": "summarized"}, "so it is"),
        (FABLE_5, None, ""),
        (HAIKU_4_5, OFF, None),
        (OPUS_4_8, None, None),
    ],
)
def test_thinking_is_sent_as_the_request_asks(
    standin: StandIn, model: str, requested: Body | None, shown: str | None
) -> None:
    standin.default(thinking("so it is", text("Yes.")))
    events = stream(standin, model, thinking=requested)
    kinds = [data["content_block"]["type"] for name, data in events if name == "content_block_start"]
    assert kinds == (["text"] if shown is None else ["thinking", "text"])
    assert joined_deltas(events, "thinking") == (shown or "")
    assert joined_deltas(events, "signature") == ("" if shown is None else sign("so it is"))
    assert joined_deltas(events) == "Yes."


def test_signed_thinking_is_accepted_in_the_history(standin: StandIn) -> None:
    standin.reply(thinking("hm", tool_calls([("look", {}, "toolu_1")])), times=1)
    _, first = post(standin, request(HAIKU_4_5, thinking=ON, tools=[tool()]))
    history = [user("hi"), assistant(first["content"]), user([tool_result()])]
    status, _ = post(standin, request(HAIKU_4_5, thinking=ON, tools=[tool()], messages=history))
    assert status == 200


@pytest.mark.parametrize("streaming", [True, False])
def test_stop_sequence_cuts_the_text(standin: StandIn, streaming: bool) -> None:
    standin.default(blocks(text_block("one two END three"), text_block("four")))
    _, got = post(standin, request(stop_sequences=["three", "o EN"], stream=streaming))
    end = message_delta(got)["delta"] if streaming else got
    assert end["stop_reason"] == "stop_sequence"
    assert end["stop_sequence"] == "o EN"
    assert (joined_deltas(got) if streaming else got["content"][0]["text"]) == "one tw"


def test_stop_sequence_does_not_apply_to_thinking(standin: StandIn) -> None:
    standin.default(thinking("END", text("well")))
    assert joined_deltas(stream(standin, HAIKU_4_5, thinking=ON, stop_sequences=["END"])) == "well"


@pytest.mark.parametrize("streaming", [True, False])
def test_max_tokens_truncates_the_reply(standin: StandIn, streaming: bool) -> None:
    standin.default(text("one two three four"))
    _, got = post(standin, request(max_tokens=2, stream=streaming))
    end = message_delta(got) if streaming else {"delta": got, "usage": got["usage"]}
    assert end["delta"]["stop_reason"] == "max_tokens"
    assert end["usage"]["output_tokens"] == 2
    assert (joined_deltas(got) if streaming else got["content"][0]["text"]) == "one two"


def test_max_tokens_counts_thinking(standin: StandIn) -> None:
    standin.default(thinking("a b c", text("d e")))
    events = stream(standin, OPUS_4_8, thinking=AUTO, max_tokens=3)
    assert joined_deltas(events) == ""
    assert message_delta(events)["delta"]["stop_reason"] == "max_tokens"


def test_tool_call_truncated_by_max_tokens_has_no_input(standin: StandIn) -> None:
    standin.default(tool_calls([("look", {"at": "this"}), ("touch", {})]))
    _, message = post(standin, request(max_tokens=1))
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
    assert len(set(arrivals)) > 2  # not all at the same time
    record = standin.messages.last
    assert record.first_byte is not None
    assert record.first_byte - record.arrived < 2
    assert record.deltas == 5


def test_head_delay_delays_the_response(standin: StandIn) -> None:
    standin.default(text("ok", head_delay=0.1))
    stream(standin)
    record = standin.messages.last
    assert record.first_byte is not None
    assert record.first_byte - record.arrived >= 0.1


def test_message_without_streaming_takes_as_long_as_a_stream(standin: StandIn) -> None:
    standin.default(text("a b c", delay=0.05, first_delay=0.05))
    began = time.monotonic()
    post(standin, request())
    assert time.monotonic() - began >= 0.15


def test_five_thousand_deltas_are_sent_quickly(standin: StandIn) -> None:
    standin.default(text(chunks=["word "] * 5000))
    began = time.monotonic()
    assert len(joined_deltas(stream(standin, max_tokens=9000))) == 25_000
    assert time.monotonic() - began < 10
    record = standin.messages.last
    assert record.first_byte is not None
    assert record.first_byte - record.arrived < 2

"""The stand-in Messages API notices disconnects, sends errors, records requests, starts and stops."""

import http.client
import json
import os
import select
import signal
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
    Reply,
    StandIn,
    blocks,
    cut,
    error,
    hang,
    raw,
    stream_error,
    text,
    text_block,
    thinking_block,
)
from tests.support.recorded import Body, assistant, user
from tests.support.standin_client import (
    HAIKU_4_5,
    ON,
    OPUS_4_8,
    connect,
    joined_deltas,
    open_stream,
    parse_events,
    post,
    receive_all,
    receive_until,
    request,
    stream,
    text_part,
    tool_result,
    tool_round,
)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.mark.parametrize(
    ("reply", "deltas"), [(hang(0), 0), (hang(3), 3), (hang(-1), 0), (text("a b", first_delay=60), 0)]
)
def test_disconnect_is_noticed_during_silence(standin: StandIn, reply: Any, deltas: int) -> None:
    standin.default(reply)
    with open_stream(standin) as sock:
        record = standin.wait_for(lambda: standin.messages and standin.messages.last)
        assert isinstance(record, Recorded)
        standin.wait_for(lambda: record.deltas == deltas)
        assert post(standin, {}, "/v1/messages/count_tokens")[0] == 200  # the stand-in had time to notice
        assert not record.aborted
        if hasattr(select, "POLLRDHUP"):
            sock.sendall(b"bytes sent ahead")
    disconnected = time.monotonic()
    standin.wait_for(lambda: record.aborted)
    assert record.finished is not None
    assert record.finished - disconnected < 10
    assert record.deltas == deltas


def test_disconnect_is_noticed_while_writing(standin: StandIn) -> None:
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


def test_cut_before_the_response_sends_nothing(standin: StandIn) -> None:
    standin.default(cut(-1))
    with open_stream(standin) as sock:
        assert receive_all(sock) == b""
    with pytest.raises(http.client.RemoteDisconnected):
        post(standin, request())


def test_stream_error_is_an_event_or_an_http_error(standin: StandIn) -> None:
    standin.default(stream_error(2))
    events = stream(standin)
    assert [name for name, _ in events].count("content_block_delta") == 2
    assert events[-1] == (
        "error",
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    )
    assert post(standin, request())[0] == 529


def test_raw_events_are_sent_unchanged(standin: StandIn) -> None:
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
def test_http_error_has_the_type_of_its_status(standin: StandIn, status: int, kind: str) -> None:
    standin.default(error(status))
    got, body = post(standin, request(stream=True))
    assert got == status
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert body["error"]["message"]


def test_http_error_may_set_type_message_and_headers(standin: StandIn) -> None:
    standin.default(error(429, "odd_error", "Not now", {"retry-after": "3"}))
    connection = connect(standin)
    connection.request("POST", "/v1/messages", json.dumps(request()))
    response = connection.getresponse()
    assert response.getheader("retry-after") == "3"
    assert json.load(response)["error"] == {"type": "odd_error", "message": "Not now"}
    connection.close()


def test_rejected_request_is_answered_and_recorded(standin: StandIn) -> None:
    status, body = post(standin, request(temperature=0.2))
    assert status == 400
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "`temperature` is deprecated for this model.",
    }
    assert standin.messages.last.status == 400


def test_strict_rules_can_be_turned_off() -> None:
    with StandIn(strict=False) as standin:
        assert post(standin, request(temperature=0.2))[0] == 200
        assert post(standin, {"messages": []})[0] == 200
        assert post(standin, b"{nonsense")[0] == 400


def test_request_over_32_mb_is_too_large(standin: StandIn) -> None:
    status, body = post(standin, request(content="x" * (32 << 20)))
    assert (status, body["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize("model", ["claude-retired", "claude-nonexistent-1"])
def test_unknown_model_is_not_found(model: str) -> None:
    with StandIn(unknown_models={"claude-retired"}) as standin:
        status, body = post(standin, request(model))
    assert (status, body["error"]) == (404, {"type": "not_found_error", "message": f"model: {model}"})


def test_newest_rule_wins_and_is_used_up(standin: StandIn) -> None:
    standin.default(text("default"))
    standin.reply(text("old"), when="hi")
    standin.reply(text("new"), when="hi", times=2)
    standin.reply(text("haiku"), when=lambda body: body["model"] == HAIKU_4_5)
    assert [joined_deltas(stream(standin)) for _ in range(3)] == ["new", "new", "old"]
    assert joined_deltas(stream(standin, content="ho")) == "default"
    assert joined_deltas(stream(standin, HAIKU_4_5)) == "haiku"
    standin.reset()
    assert standin.requests == []
    assert joined_deltas(stream(standin)) not in ("old", "default")


def test_rule_looks_at_the_last_user_message_only(standin: StandIn) -> None:
    standin.reply(text("yes"), when="apple")
    history = [user("apple"), assistant("ok"), user("pear")]
    assert joined_deltas(stream(standin, messages=history)) != "yes"
    assert (
        joined_deltas(stream(standin, messages=[*tool_round()[:2], user([tool_result(content="apple")])]))
        == "yes"
    )


def test_reply_may_come_from_a_function(standin: StandIn) -> None:
    standin.reply(lambda body: text(f"{body['model']}!"))
    assert joined_deltas(stream(standin)) == f"{OPUS_4_8}!"


def test_exception_in_a_reply_function_is_reported(standin: StandIn) -> None:
    standin.default(lambda body: text(body["missing"]))
    status, body = post(standin, request())
    assert status == 500
    assert "KeyError" in body["error"]["message"]
    assert "KeyError" in standin.script_errors[0]


def test_every_request_is_recorded(standin: StandIn) -> None:
    with pytest.raises(LookupError):
        _ = standin.messages.last
    post(standin, request(content=[text_part("one"), text_part("two")]))
    post(standin, {"messages": [user("abcd" * 100)]}, "/v1/messages/count_tokens")
    record = standin.messages.last
    assert len(standin.requests) == 2
    assert len(standin.messages) == 1
    assert (record.method, record.path, record.text) == ("POST", "/v1/messages?beta=true", "one\ntwo")
    assert record.body == json.loads(record.raw)
    assert record.headers["content-length"] == str(len(record.raw))


def test_prompt_tokens_are_estimated(standin: StandIn) -> None:
    body = {"model": OPUS_4_8, "messages": [user("abcd" * 1000)]}
    status, counted = post(standin, body, "/v1/messages/count_tokens?beta=true")
    assert status == 200
    assert 1000 <= counted["input_tokens"] < 1010


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("HEAD", "/", 200), ("GET", "/v1/x", 404), ("POST", "/v1/x", 404)],
)
def test_other_paths_are_answered_or_not_found(standin: StandIn, method: str, path: str, status: int) -> None:
    connection = connect(standin)
    for _ in range(2):
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == status
        assert (response.read() == b"") == (method == "HEAD")
    connection.close()


def test_connection_is_reused(standin: StandIn) -> None:
    connection = connect(standin)
    for _ in range(3):
        connection.request("POST", "/v1/messages", json.dumps(request(stream=True)))
        assert joined_deltas(parse_events(connection.getresponse().read()))
    sock = connection.sock
    connection.request("POST", "/v1/messages", json.dumps(request(temperature=1)))
    assert connection.getresponse().read()
    assert connection.sock is sock
    connection.close()


def test_wait_for_times_out(standin: StandIn) -> None:
    with pytest.raises(TimeoutError):
        standin.wait_for(lambda: standin.messages, timeout=0.05)


def test_fifty_streams_run_in_parallel(standin: StandIn) -> None:
    all_here = threading.Barrier(50)

    def reply(body: Body) -> Reply:
        all_here.wait(20)
        return text(f"{body['messages'][0]['content']} a b c d")

    standin.default(reply)
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda number: joined_deltas(stream(standin, content=f"n{number}")), range(50))
        )
    assert answers == [f"n{number} a b c d" for number in range(50)]
    assert len(standin.messages) == 50


def test_stop_leaves_no_thread_behind() -> None:
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
    assert time.monotonic() - began < 5
    assert set(threading.enumerate()) == before
    assert not any(record.aborted for record in standin.messages)
    for sock in waiting:
        receive_all(sock)
        sock.close()
    idle.close()
    standin.stop()
    with pytest.raises(RuntimeError):
        _ = standin.url


def test_standin_can_be_started_again() -> None:
    standin = StandIn()
    for _ in range(2):
        with standin:
            assert post(standin, request())[0] == 200
            with pytest.raises(RuntimeError):
                standin.start()


def test_thinking_blocks_may_stand_between_texts(standin: StandIn) -> None:
    standin.default(blocks(thinking_block("a"), text_block("b"), thinking_block("c"), text_block("d")))
    assert joined_deltas(stream(standin, HAIKU_4_5, thinking=ON)) == "bd"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_standin_runs_as_a_program(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.standin", "--instant"]
    root = Path(__file__).parents[3]
    reminded = [text_part("<system-reminder>\nx\n</system-reminder>"), text_part("good day")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        data = json.dumps(request(content=reminded, stream=True)).encode()
        with urllib.request.urlopen(f"{url}/v1/messages", data, timeout=5) as response:
            events = parse_events(response.read())
        process.send_signal(number)
        assert process.wait(5) == 0
    assert joined_deltas(events).startswith("You said: good day ")
    assert [name for name, _ in events].count("content_block_delta") == 20

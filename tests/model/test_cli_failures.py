"""What a CLI may do wrong: each has its error, and the next request works."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.standin import StandIn, text
from tests.support.fake_cli import GREETING
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, are_reaped, cli_figures, cli_pids, hanging_up, wait_until_idle
from tests.support.wide import wide


@pytest.fixture(scope="module")
def shared_cli(tmp_path_factory: pytest.TempPathFactory) -> ScriptedCli:
    """The scripted CLI behind the gateway of all tests here."""
    return ScriptedCli(tmp_path_factory.mktemp("scripted"))


@pytest.fixture(scope="module")
def _scripted(shared_cli: ScriptedCli, cli_environ: dict[str, str]) -> Iterator[Gateway]:
    environ = {**cli_environ, **NOTHING_KEPT, **shared_cli.environ, "STREAMING_TIMEOUT_SECONDS": "2"}
    gateway = Gateway(environ, "tests.support.pulse_wsgi:app")
    yield gateway
    gateway.close()


@pytest.fixture
def scripted(_scripted: Gateway) -> Iterator[Gateway]:
    """A gateway in front of the scripted CLI; after each test it has to work as if nothing had happened."""
    yield _scripted
    answer = _scripted.api.chat("hello")
    assert answer.status_code == 200, answer.text
    assert content(answer) == "You said: hello"
    wait_until_idle(_scripted, 2)


@pytest.fixture
def cli(tmp_path: Path) -> ScriptedCli:
    """The scripted CLI, for a gateway of the test's own."""
    return ScriptedCli(tmp_path)


def content(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def fault(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


def texts(events: list[str]) -> str:
    """The text of a stream's chunks."""
    bodies: list[dict[str, Any]] = [json.loads(event) for event in events if event != "[DONE]"]
    choices = [choice for body in bodies for choice in body.get("choices", [])]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_scripted_cli_answers(scripted: Gateway) -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    asked = {"role": "user", "content": "c"}
    assert content(scripted.api.chat(messages=[*history, asked])) == "You said: c"
    assert texts(list(scripted.api.stream_chat("hi"))) == "You said: hi"


def test_garbage_between_lines_is_skipped(scripted: Gateway) -> None:
    assert content(scripted.api.chat("GARBAGE")) == "clean"
    events = list(scripted.api.stream_chat("GARBAGE"))
    assert (texts(events), events[-1]) == ("clean", "[DONE]")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("CRASHFIRST", 502, "upstream_error"),
        ("EXIT", 502, "upstream_error"),
        ("BROKENFIRST", 500, "internal_error"),
    ],
)
def test_failure_before_any_text_has_a_real_status(
    scripted: Gateway, word: str, status: int, code: str
) -> None:
    assert fault(scripted.api.chat(word)) == (status, code)
    assert fault(scripted.api.chat(word, stream=True)) == (status, code)


def test_silence_before_any_text_is_a_timeout(scripted: Gateway) -> None:
    assert fault(scripted.api.chat("HANGFIRST", stream=True)) == (504, "timeout")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("CRASHLATER", 502, "upstream_error"),
        ("HANGLATER", 504, "timeout"),
        ("HALFLINE", 504, "timeout"),
        ("BROKENLATER", 500, "internal_error"),
    ],
)
def test_stream_ends_with_an_error_when_the_cli_fails_in_mid_answer(
    scripted: Gateway, word: str, status: int, code: str
) -> None:
    """A stream ends with the error in place of `[DONE]`, and never as if the answer were complete."""
    *chunks, last = scripted.api.stream_chat(word)
    assert texts(chunks) == "so far"
    assert all('"finish_reason":null' in chunk for chunk in chunks)
    assert json.loads(last)["error"]["code"] == code
    assert fault(scripted.api.chat(word)) == (status, code)


def test_silent_stream_gets_keep_alive_comments(scripted: Gateway, shared_cli: ScriptedCli) -> None:
    """Before its end, and for longer than the pulse."""
    caller = SocketClient(scripted, "WAIT", stream=True)
    with hanging_up(caller):
        caller.read_until(b"so far")
        caller.read_until(b"\n: keep-alive\n\n")
        shared_cli.go()
        caller.read_until(b"[DONE]")
    assert texts(caller.events) == "so far and on"


def test_line_of_five_megabytes_arrives_complete(scripted: Gateway) -> None:
    assert texts(list(scripted.api.stream_chat("HUGE"))) == "x" * 5_000_000
    assert content(scripted.api.chat("HUGE")) == "x" * 5_000_000


def test_characters_that_arrive_byte_by_byte_are_decoded(scripted: Gateway) -> None:
    assert texts(list(scripted.api.stream_chat("SPLIT"))) == GREETING


def test_unknown_control_request_is_rejected(scripted: Gateway) -> None:
    assert content(scripted.api.chat("ASK")) == "mine error"


def test_traceback_in_the_log_contains_no_message_text(scripted: Gateway) -> None:
    assert fault(scripted.api.chat("BROKENFIRST confidential")) == (500, "internal_error")
    wait_for(lambda: "KeyError" in scripted.log)
    assert "confidential" not in scripted.log


def test_stderr_of_the_cli_is_logged(scripted: Gateway) -> None:
    assert content(scripted.api.chat("STDERR")) == "said"
    wait_for(lambda: "a complaint of the CLI" in scripted.log)


def test_cli_that_does_not_exit_is_killed(cli: ScriptedCli, start_gateway: Callable[..., Gateway]) -> None:
    cli.set_mode("stubborn")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    warm = wait_until_idle(gateway, 2)
    caller = SocketClient(gateway, "HANGLATER", stream=True)
    caller.read_until(b"so far")
    caller.hang_up()
    wait_for(lambda: len([pid for pid in warm if are_reaped(pid)]) == 1, 20)
    assert content(gateway.api.chat("hello")) == "You said: hello"
    left = wait_until_idle(gateway, 2)
    assert gateway.stop() == 0
    assert are_reaped(*left)


def test_warm_processes_that_turn_out_dead_are_replaced(
    cli: ScriptedCli, start_gateway: Callable[..., Gateway]
) -> None:
    """They end in the very moment in which they are taken, one after the other."""
    cli.set_mode("frail")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    wait_until_idle(gateway, 2)
    cli.set_mode("")
    assert content(gateway.api.chat("hello")) == "You said: hello"
    wait_until_idle(gateway, 2)


def test_retries_end_when_every_process_dies(cli: ScriptedCli, start_gateway: Callable[..., Gateway]) -> None:
    cli.set_mode("frail")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    wait_until_idle(gateway, 2)
    before = cli.starts
    assert fault(gateway.api.chat("hello")) == (502, "upstream_error")
    assert cli.starts - before <= 4  # those that were tried are replaced, no more


def test_cli_that_cannot_start_is_reported_at_once(
    cli: ScriptedCli, start_gateway: Callable[..., Gateway]
) -> None:
    """Nobody waits for the start time-out, the operator reads why, and starts do not pile up."""
    cli.set_mode("never-start")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    answer = gateway.api.chat("hi")
    assert fault(answer) == (503, "claude_unavailable")
    assert "cannot start today" in answer.json()["error"]["message"]
    assert "cannot start today" in gateway.api.health()["error"]
    callers = [SocketClient(gateway, "hi") for _ in range(10)]
    with hanging_up(*callers):
        for caller in callers:
            caller.read_body()
        assert {caller.status for caller in callers} == {503}
    assert cli.starts < 10
    cli.set_mode("")
    wait_for(lambda: gateway.api.chat("hi").status_code == 200, 20)
    wait_until_idle(gateway, 2)


def test_cli_that_hangs_at_start_is_reported(cli: ScriptedCli, start_gateway: Callable[..., Gateway]) -> None:
    cli.set_mode("never-answer")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ, START_TIMEOUT_SECONDS="0.5")
    assert fault(gateway.api.chat("hi")) == (503, "claude_unavailable")
    assert len(cli_pids(gateway)) <= 3  # two that get warm, and one that is asked for the login
    cli.set_mode("")
    wait_for(lambda: gateway.api.chat("hi").status_code == 200, 20)
    wait_until_idle(gateway, 2)


@pytest.mark.parametrize("stream", [True, pytest.param(False, marks=wide)], ids=["stream", "whole"])
def test_killed_cli_ends_the_answer_with_an_error(
    start_gateway: Callable[..., Gateway], standin: StandIn, stream: bool
) -> None:
    gateway = start_gateway(**NOTHING_KEPT)
    before = wait_until_idle(gateway, 2)
    standin.reply(text("word " * 400, delay=0.02))
    caller = SocketClient(gateway, "hi", stream=stream)
    with hanging_up(caller):
        standin.wait_for(lambda: standin.messages and standin.messages.last.deltas >= 5, 10)
        for process in before:  # the one that answers, and one that waits
            os.kill(process, signal.SIGKILL)
        if stream:
            caller.read_until(b'"error"')
            caller.read_until(b"\r\n0\r\n\r\n")
            assert json.loads(caller.events[-1])["error"]["code"] == "upstream_error"
            assert "[DONE]" not in caller.events
        else:
            assert caller.read_body()["error"]["code"] == "upstream_error"
            assert caller.status == 502
    standin.reply(text("Still here"))
    assert content(gateway.api.chat("hi")) == "Still here"
    assert cli_figures(gateway)["running"] == 0

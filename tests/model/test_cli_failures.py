"""Each failure of the CLI has its own error, and the next request works."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.standin import StandIn, text
from tests.support.api_client import error_of, reply_of
from tests.support.fake_cli import GREETING
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.recorded import streamed_text
from tests.support.scripted import ScriptedCli
from tests.support.sockets import SocketClient, are_reaped, cli_figures, cli_pids, hanging_up, wait_until_idle
from tests.support.wide import wide


@pytest.fixture(scope="module")
def shared_cli(tmp_path_factory: pytest.TempPathFactory) -> ScriptedCli:
    """Return the scripted CLI of the gateway that the tests of this module share."""
    return ScriptedCli(tmp_path_factory.mktemp("scripted"))


@pytest.fixture(scope="module")
def _scripted(shared_cli: ScriptedCli, cli_environ: dict[str, str]) -> Iterator[Gateway]:
    environ = {**cli_environ, **NOTHING_KEPT, **shared_cli.environ, "STREAMING_TIMEOUT_SECONDS": "2"}
    gateway = Gateway(environ, "tests.support.pulse_wsgi:app")
    yield gateway
    gateway.close()


@pytest.fixture
def scripted_gateway(_scripted: Gateway) -> Iterator[Gateway]:
    """Yield a gateway with the scripted CLI. After each test it has to work as if nothing had happened."""
    yield _scripted
    assert reply_of(_scripted.api.chat("hello")) == "You said: hello"
    wait_until_idle(_scripted, 2)


@pytest.fixture
def cli(tmp_path: Path) -> ScriptedCli:
    """Return a scripted CLI for a gateway that the test starts."""
    return ScriptedCli(tmp_path)


def status_and_code(answer: httpx.Response) -> tuple[int, str]:
    return error_of(answer)[:2]


def text_of(events: list[str]) -> str:
    """Return the text of a stream, which need not be complete."""
    return streamed_text(json.loads(event) for event in events if event != "[DONE]")


def test_scripted_cli_answers(scripted_gateway: Gateway) -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    question = {"role": "user", "content": "c"}
    assert reply_of(scripted_gateway.api.chat(messages=[*history, question])) == "You said: c"
    assert text_of(list(scripted_gateway.api.stream_chat("hi"))) == "You said: hi"


def test_garbage_between_lines_is_skipped(scripted_gateway: Gateway) -> None:
    assert reply_of(scripted_gateway.api.chat("GARBAGE")) == "clean"
    events = list(scripted_gateway.api.stream_chat("GARBAGE"))
    assert (text_of(events), events[-1]) == ("clean", "[DONE]")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("CRASHFIRST", 503, "claude_unavailable"),
        ("EXIT", 503, "claude_unavailable"),
        ("BROKENFIRST", 502, "upstream_error"),
        ("ODDREQUEST", 502, "upstream_error"),
        ("ODDRPC", 502, "upstream_error"),
    ],
)
def test_failure_before_any_text_has_a_real_status(
    scripted_gateway: Gateway, word: str, status: int, code: str
) -> None:
    assert status_and_code(scripted_gateway.api.chat(word)) == (status, code)
    assert status_and_code(scripted_gateway.api.chat(word, stream=True)) == (status, code)


def test_result_without_its_fields_is_an_error_of_the_cli(scripted_gateway: Gateway) -> None:
    assert status_and_code(scripted_gateway.api.chat("ODDRESULT")) == (502, "upstream_error")


def test_half_a_surrogate_pair_loses_no_text(scripted_gateway: Gateway) -> None:
    """The whole delta was lost, and the answer was a 200 without a word."""
    api, kept = scripted_gateway.api, "before \ud83d after"
    assert reply_of(api.chat("SURROGATE")) == kept
    assert text_of(list(api.stream_chat("SURROGATE"))) == kept
    assert api.create_message("SURROGATE").json()["content"] == [{"type": "text", "text": kept}]
    response = api.create_response("SURROGATE").json()
    assert response["output"][-1]["content"][0]["text"] == kept
    stored = api.get(f"/v1/responses/{response['id']}").json()
    assert stored["output"] == response["output"]


def test_silence_before_any_text_is_a_timeout(scripted_gateway: Gateway) -> None:
    assert status_and_code(scripted_gateway.api.chat("HANGFIRST", stream=True)) == (504, "timeout")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("CRASHLATER", 502, "upstream_error"),
        ("HANGLATER", 504, "timeout"),
        ("HALFLINE", 504, "timeout"),
        ("BROKENLATER", 502, "upstream_error"),
    ],
)
def test_stream_ends_with_an_error_when_the_cli_fails_in_mid_answer(
    scripted_gateway: Gateway, word: str, status: int, code: str
) -> None:
    """A stream ends with the error in place of `[DONE]`, so that the answer does not look complete."""
    *chunks, last = scripted_gateway.api.stream_chat(word)
    assert text_of(chunks) == "so far"
    assert all('"finish_reason":null' in chunk for chunk in chunks)
    assert json.loads(last)["error"]["code"] == code
    assert status_and_code(scripted_gateway.api.chat(word)) == (status, code)


def test_silent_stream_gets_keep_alive_comments(scripted_gateway: Gateway, shared_cli: ScriptedCli) -> None:
    client = SocketClient(scripted_gateway, "WAIT", stream=True)
    with hanging_up(client):
        client.read_until(b"so far")
        client.read_until(b"\n: keep-alive\n\n")
        shared_cli.finish_waiting()
        client.read_until(b"[DONE]")
    assert text_of(client.events) == "so far and on"


def test_line_of_five_megabytes_arrives_complete(scripted_gateway: Gateway) -> None:
    assert text_of(list(scripted_gateway.api.stream_chat("HUGE"))) == "x" * 5_000_000
    assert reply_of(scripted_gateway.api.chat("HUGE")) == "x" * 5_000_000


def test_characters_that_arrive_byte_by_byte_are_decoded(scripted_gateway: Gateway) -> None:
    assert text_of(list(scripted_gateway.api.stream_chat("SPLIT"))) == GREETING


def test_unknown_control_request_is_rejected(scripted_gateway: Gateway) -> None:
    assert reply_of(scripted_gateway.api.chat("ASK")) == "mine error"


def test_log_names_the_message_that_could_not_be_read_but_not_its_text(scripted_gateway: Gateway) -> None:
    assert status_and_code(scripted_gateway.api.chat("BROKENFIRST confidential")) == (502, "upstream_error")
    wait_for(lambda: "of type 'stream_event' could not be read: KeyError" in scripted_gateway.log)
    assert "confidential" not in scripted_gateway.log


def test_stderr_of_the_cli_is_logged(scripted_gateway: Gateway) -> None:
    assert reply_of(scripted_gateway.api.chat("STDERR")) == "said"
    wait_for(lambda: "a complaint of the CLI" in scripted_gateway.log)


@pytest.mark.wide
def test_cli_that_does_not_exit_is_killed(cli: ScriptedCli, start_gateway: Callable[..., Gateway]) -> None:
    cli.set_mode("stubborn")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    warm = wait_until_idle(gateway, 2)
    client = SocketClient(gateway, "HANGLATER", stream=True)
    client.read_until(b"so far")
    client.hang_up()
    wait_for(lambda: len([pid for pid in warm if are_reaped(pid)]) == 1, 20)
    assert reply_of(gateway.api.chat("hello")) == "You said: hello"
    pids = wait_until_idle(gateway, 2)
    assert gateway.stop() == 0
    assert are_reaped(*pids)


@pytest.mark.wide
def test_warm_processes_that_turn_out_dead_are_replaced(
    cli: ScriptedCli, start_gateway: Callable[..., Gateway]
) -> None:
    """Each warm process exits at the moment at which a turn takes it."""
    cli.set_mode("frail")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    wait_until_idle(gateway, 2)
    cli.set_mode("")
    assert reply_of(gateway.api.chat("hello")) == "You said: hello"
    wait_until_idle(gateway, 2)


@pytest.mark.wide
def test_retries_end_when_every_process_dies(cli: ScriptedCli, start_gateway: Callable[..., Gateway]) -> None:
    cli.set_mode("frail")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    wait_until_idle(gateway, 2)
    before = cli.starts
    assert status_and_code(gateway.api.chat("hello")) == (503, "claude_unavailable")
    assert cli.starts - before <= 4  # only the processes that were tried are replaced


def test_cli_that_cannot_start_is_reported_at_once(
    cli: ScriptedCli, start_gateway: Callable[..., Gateway]
) -> None:
    """Clients do not wait for the start timeout, /health says why, and starts do not pile up."""
    cli.set_mode("never-start")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ)
    answer = gateway.api.chat("hi")
    assert status_and_code(answer) == (503, "claude_unavailable")
    assert "cannot start today" in answer.json()["error"]["message"]
    assert "cannot start today" in gateway.api.health()["error"]
    clients = [SocketClient(gateway, "hi") for _ in range(10)]
    with hanging_up(*clients):
        for client in clients:
            client.read_body()
        assert {client.status for client in clients} == {503}
    assert cli.starts < 10
    cli.set_mode("")
    wait_for(lambda: gateway.api.chat("hi").status_code == 200, 20)
    wait_until_idle(gateway, 2)


@wide
def test_cli_that_hangs_at_start_is_reported(cli: ScriptedCli, start_gateway: Callable[..., Gateway]) -> None:
    cli.set_mode("never-answer")
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ, START_TIMEOUT_SECONDS="0.5")
    assert status_and_code(gateway.api.chat("hi")) == (503, "claude_unavailable")
    assert len(cli_pids(gateway)) <= 3  # two for the pool, and one to check the login
    cli.set_mode("")
    wait_for(lambda: gateway.api.chat("hi").status_code == 200, 20)
    wait_until_idle(gateway, 2)


@pytest.mark.parametrize("stream", [True, pytest.param(False, marks=wide)], ids=["stream", "complete"])
def test_killed_cli_ends_the_answer_with_an_error(
    start_gateway: Callable[..., Gateway], standin: StandIn, stream: bool
) -> None:
    gateway = start_gateway(**NOTHING_KEPT)
    before = wait_until_idle(gateway, 2)
    standin.reply(text("word " * 400, delay=0.02))
    client = SocketClient(gateway, "hi", stream=stream)
    with hanging_up(client):
        standin.wait_for(lambda: standin.messages and standin.messages.last.deltas >= 5, 10)
        for process in before:  # the process that answers, and an idle one
            os.kill(process, signal.SIGKILL)
        if stream:
            client.read_until(b'"error"')
            client.read_until(b"\r\n0\r\n\r\n")
            assert json.loads(client.events[-1])["error"]["code"] == "upstream_error"
            assert "[DONE]" not in client.events
        else:
            assert client.read_body()["error"]["code"] == "upstream_error"
            assert client.status == 502
    standin.reply(text("Still here"))
    assert reply_of(gateway.api.chat("hi")) == "Still here"
    assert cli_figures(gateway)["running"] == 0

"""Running answers of a session: one at a time, and stopped by request or with their session."""

from concurrent.futures import Future, ThreadPoolExecutor

import httpx2 as httpx
import pytest

from tests.standin import StandIn, hang
from tests.support.api_client import error_of
from tests.support.background_stream import BackgroundStream, last_error_code
from tests.support.gateway import Gateway, wait_for
from tests.support.sessions import say, stored_texts, texts_to_model

pytestmark = pytest.mark.usefixtures("echoing_model")


def test_session_runs_one_answer_at_a_time_and_keeps_what_a_stopped_one_wrote(
    gateway: Gateway, standin: StandIn
) -> None:
    session = gateway.api.create_session()
    standin.reply(hang(after=3), when="slow")
    stream = BackgroundStream(gateway, "slow", session_id=session)
    stream.await_text()
    busy = gateway.api.chat("hi", session_id=session)
    assert error_of(busy)[:2] == (409, "session_busy")
    assert busy.headers["retry-after"] == "1"
    assert gateway.api.chat_status(session)["is_running"] is True
    assert session in gateway.api.session_stats()["claude_sessions"]
    assert gateway.api.stop_chat(session) == {"session_id": session, "status": "stopped"}
    assert last_error_code(stream) == "stopped"
    standin.wait_for(lambda: standin.messages.last.aborted)
    wait_for(lambda: not gateway.api.chat_status(session)["is_running"])
    say(gateway.api, session, "go on")
    question, partial, next_question = texts_to_model(standin.messages.last)
    assert (question, next_question) == ("slow", "go on")
    assert partial.startswith("word")


def test_stopped_answer_without_streaming_is_an_error(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    standin.reply(hang(after=3), when="slow")
    with ThreadPoolExecutor(1) as threads:
        pending: Future[httpx.Response] = threads.submit(gateway.api.chat, "slow", session_id=session)
        wait_for(lambda: len(standin.messages) == 1, 20)
        gateway.api.stop_chat(session)
        answer = pending.result(20)
    assert error_of(answer)[:2] == (409, "stopped")
    assert answer.headers["x-should-retry"] == "false"
    assert stored_texts(gateway.api, session) == []  # the client has seen no text


def test_answer_that_names_no_session_can_be_stopped(gateway: Gateway, standin: StandIn) -> None:
    standin.reply(hang(after=3), when="slow")
    stream = BackgroundStream(gateway, "slow")
    stream.await_text()
    session = stream.headers["x-session-id"]
    assert gateway.api.chat_status(session)["is_running"] is True
    gateway.api.stop_chat(session)
    assert last_error_code(stream) == "stopped"
    wait_for(lambda: not gateway.api.chat_status(session)["is_running"])


def test_deleting_a_session_stops_its_answer(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    standin.reply(hang(after=3), when="slow")
    stream = BackgroundStream(gateway, "slow", session_id=session)
    stream.await_text()
    gateway.api.delete_session(session)
    assert last_error_code(stream) == "stopped"
    status = gateway.api.get(f"/v1/chat/completions/{session}/status")
    assert error_of(status)[:2] == (404, "session_not_found")

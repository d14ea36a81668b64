"""Conversations in sessions: continued, replayed, edited and stored, and requests without a session.

tests/http/test_sessions.py has sessions as a resource, test_session_stops.py stops running answers, and
tests/ops/test_sessions_workers.py has several workers.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.standin import StandIn, text, tool_calls
from tests.support.api_client import error_of
from tests.support.background_stream import BackgroundStream
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import (
    assistant,
    chunks_of,
    streamed_text,
    system,
    system_texts_of,
    turns_of,
    user,
)
from tests.support.sessions import say, stored_texts, texts_to_model
from tests.support.tool_bodies import CLOCK, tool_result

pytestmark = pytest.mark.usefixtures("echoing_model")

HAIKU = "claude-haiku-4-5-20251001"
IMAGE = "data:image/png;base64," + (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_session_continues_with_only_the_new_message(keeping_gateway: Gateway, standin: StandIn) -> None:
    session = keeping_gateway.api.create_session(
        title="Trip", system_prompt="Be kind.", model="claude-haiku-4-5"
    )
    first = say(keeping_gateway.api, session, "one")
    second = say(keeping_gateway.api, session, "two")
    assert (first["session_id"], first["project_id"]) == (session, None)
    assert second["choices"][0]["message"]["content"] == "You said two"
    first_request, second_request = standin.messages
    assert texts_to_model(second_request) == ["one", "You said one", "two"]
    assert [role for role, _ in turns_of(second_request)] == ["user", "assistant", "user"]
    assert system_texts_of(second_request) == system_texts_of(first_request) == ["Be kind."]
    assert second_request.body["model"] == HAIKU
    process = "x-claude-code-session-id"
    assert second_request.headers[process] == first_request.headers[process]  # its process was parked
    shown = keeping_gateway.api.show_session(session)
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"] * 2
    assert shown["message_count"] == 4
    assert (shown["title"], shown["model"], shown["is_active"]) == ("Trip", "claude-haiku-4-5", True)
    used = [answer["usage"] for answer in (first, second)]
    assert shown["total_tokens"] == sum(usage["total_tokens"] for usage in used)
    assert shown["total_cost"] == pytest.approx(sum(usage["cost"] for usage in used))


def test_parameters_of_a_request_override_parameters_of_the_session(
    gateway: Gateway, standin: StandIn
) -> None:
    session = gateway.api.create_session(system_prompt="Be kind.", model="claude-haiku-4-5")
    say(gateway.api, session, "one", system_prompt="Be rude.", model="claude-sonnet-4-5")
    (record,) = standin.messages
    assert system_texts_of(record) == ["Be rude."]
    assert record.body["model"].startswith("claude-sonnet-4-5")


def test_streamed_answer_is_stored_and_names_its_session(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    stream = BackgroundStream(gateway, "one", session_id=session)
    assert streamed_text(chunks_of(stream.await_end())) == "You said one"
    assert stream.headers["x-session-id"] == session
    assert "x-project-id" not in stream.headers
    say(gateway.api, session, "two")
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]


def test_client_that_sends_the_whole_conversation_duplicates_nothing(
    gateway: Gateway, standin: StandIn
) -> None:
    """The client sends all messages with every request, as OpenAI's clients do, and also the session's id."""
    session = gateway.api.create_session()
    messages = [system("It is noon."), user("one")]
    for following in ("two", "three"):
        answer = say(gateway.api, session, *messages)["choices"][0]["message"]
        messages = [system(f"It is past {following}."), *messages[1:], answer, user(following)]
    say(gateway.api, session, *messages)
    record = standin.messages.last
    assert texts_to_model(record) == ["one", "You said one", "two", "You said two", "three"]
    assert system_texts_of(record) == ["It is past three."]
    assert stored_texts(gateway.api, session) == [
        "It is past three.",
        *texts_to_model(record),
        "You said three",
    ]


def test_edited_history_replaces_the_stored_messages(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    first = say(gateway.api, session, "one")["choices"][0]["message"]
    say(gateway.api, session, "two")
    say(gateway.api, session, "one", first, "another two")
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "another two"]
    assert stored_texts(gateway.api, session) == [
        "one",
        "You said one",
        "another two",
        "You said another two",
    ]


def test_tools_and_images_are_stored_in_a_session(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    standin.reply(tool_calls([("now", {}, "toolu_1")]), when="time")
    picture = {"type": "image_url", "image_url": {"url": IMAGE}}
    asked = user([{"type": "text", "text": "what time"}, picture])
    answer = say(gateway.api, session, asked, tools=[CLOCK])["choices"][0]
    assert answer["finish_reason"] == "tool_calls"
    standin.default(text("noon"))
    call = answer["message"]["tool_calls"][0]
    say(gateway.api, session, tool_result(call["id"], "12:00"), tools=[CLOCK])
    say(gateway.api, session, "thanks", tools=[CLOCK])
    kinds = [
        [block["type"] for block in message["content"]] if isinstance(message["content"], list) else ["text"]
        for message in standin.messages.last.body["messages"]
        if message["role"] != "system"
    ]
    assert kinds == [["text", "image"], ["tool_use"], ["tool_result"], ["text"], ["text"]]
    stored = gateway.api.show_session(session)["messages"]
    assert stored[0] == asked
    assert stored[1]["tool_calls"] == [call]
    roles = ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert [message["role"] for message in stored] == roles


def test_errors_count_messages_as_the_client_sent_them(gateway: Gateway) -> None:
    session = gateway.api.create_session()
    say(gateway.api, session, "one")
    wrong = gateway.api.chat(messages=[{"role": "user", "content": 5}], session_id=session)
    error = error_of(wrong)
    assert error[:2] == (400, "invalid_request")
    assert error.param is not None
    assert error.param.startswith("messages[0]")
    say(gateway.api, session, "two")  # the session is not busy any more
    assert stored_texts(gateway.api, session) == ["one", "You said one", "two", "You said two"]


def test_failed_answer_stores_nothing(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    say(gateway.api, session, "one")
    assert gateway.api.chat("x", session_id=session, model="no-such-model").status_code == 400
    assert stored_texts(gateway.api, session) == ["one", "You said one"]
    say(gateway.api, session, "two")
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]


# Requests that name no session of their own


def test_answer_without_a_session_gets_one_that_stores_no_messages(
    gateway: Gateway, standin: StandIn
) -> None:
    answer = say(gateway.api, None, "a word like zyzzyva")
    session = answer["session_id"]
    shown = wait_for(lambda: (found := gateway.api.show_session(session))["message_count"] and found)
    assert (shown["messages"], shown["is_stored"], shown["message_count"]) == ([], False, 2)
    assert shown["total_tokens"] == answer["usage"]["total_tokens"]
    assert shown["model"] == answer["model"]
    say(
        gateway.api, session, "one", assistant("You said one"), "two"
    )  # nothing is stored, so the client sends it all
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]
    for file in Path(gateway.home.name).glob("gateway.db*"):
        assert b"zyzzyva" not in file.read_bytes()
    with closing(sqlite3.connect(Path(gateway.home.name, "gateway.db"))) as db:
        assert db.execute("select count(*) from messages where session_id = ?", [session]).fetchone() == (0,)


def test_session_is_found_by_the_cli_s_own_id(gateway: Gateway, standin: StandIn) -> None:
    session = gateway.api.create_session()
    say(gateway.api, session, "one")
    cli_id = standin.messages.last.headers["x-claude-code-session-id"]
    assert gateway.api.show_session(cli_id)["id"] == session
    assert say(gateway.api, cli_id, "two")["session_id"] == session
    assert texts_to_model(standin.messages.last) == ["one", "You said one", "two"]


# Totals, and validation


def test_stats_are_the_totals_of_all_sessions(gateway: Gateway) -> None:
    api = gateway.api.with_key("stats")
    assert api.session_stats()["session_stats"]["active_sessions"] == 0
    session = api.create_session()
    usage = say(api, session, "hi", model=HAIKU)["usage"]
    totals = api.session_stats()["session_stats"]
    assert (totals["active_sessions"], totals["total_messages"]) == (1, 2)
    assert totals["total_tokens"] == usage["total_tokens"]
    assert totals["models_in_use"] == [HAIKU]


def test_body_is_valid_whether_it_answers_the_calls_of_its_session_or_not(
    gateway: Gateway, standin: StandIn
) -> None:
    session = gateway.api.create_session()
    standin.reply(tool_calls([("now", {}, "toolu_checked")]), when="time")
    answer = say(gateway.api, session, "what time", tools=[CLOCK])["choices"][0]["message"]
    body = {"messages": [tool_result(answer["tool_calls"][0]["id"], "12:00")], "session_id": session}
    assert gateway.api.check_chat(body)["valid"]
    assert gateway.api.check_chat({**body, "messages": [user("hi")]})["valid"]

"""Sessions over HTTP: continued, stored, stopped, kept apart, and there again after a restart."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.standin import Recorded, StandIn, hang, text, tool_calls
from tests.support.gateway import Gateway, port_of, wait_for
from tests.support.recorded import (
    Body,
    assistant,
    chunks_of,
    streamed_text,
    system,
    system_texts_of,
    turns_of,
    user,
)
from tests.support.tool_bodies import CLOCK, tool_result

pytestmark = pytest.mark.usefixtures("echoing_model")

HAIKU = "claude-haiku-4-5-20251001"
UNKNOWN = "sess_unknown"
IMAGE = "data:image/png;base64," + (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def new(gateway: Gateway, key: str | None = None, **fields: Any) -> str:
    """A new session's id."""
    answer = gateway.api.post("/v1/sessions", json=fields, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def say(gateway: Gateway, session: str | None, *messages: Any, **fields: Any) -> Body:
    """The body of the answer to messages, texts being the user's."""
    said = [user(message) if isinstance(message, str) else message for message in messages]
    answer = gateway.api.chat(messages=said, session_id=session, **fields)
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


def said_to_model(record: Recorded) -> list[str]:
    return [" | ".join(texts) for _, texts in turns_of(record)]


def show(gateway: Gateway, session: str, key: str | None = None) -> Body:
    answer = gateway.api.get(f"/v1/sessions/{session}", headers=bearer(key))
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


def texts_of(gateway: Gateway, session: str) -> list[str]:
    """What is stored."""
    return [message["content"] for message in show(gateway, session)["messages"]]


def status(gateway: Gateway, session: str) -> Body:
    body: Body = gateway.api.get(f"/v1/chat/completions/{session}/status").json()
    return body


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class Streaming:
    """A streamed answer, read in a thread of its own."""

    def __init__(self, gateway: Gateway, said: str, **fields: Any) -> None:
        self.events: list[str] = []
        self.port = 0
        self.headers: httpx.Headers = httpx.Headers()
        body = {"messages": [user(said)], **fields, "stream": True}
        self._thread = threading.Thread(target=self._read, args=(gateway.url, body), daemon=True)
        self._thread.start()

    def _read(self, url: str, body: Body) -> None:
        with httpx.stream(
            "POST", f"{url}/v1/chat/completions", json=body, timeout=60, trust_env=False
        ) as response:
            self.headers, self.port = response.headers, port_of(response)
            with contextlib.suppress(httpx.RemoteProtocolError):  # its worker was killed
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        self.events.append(line.removeprefix("data: "))

    def await_text(self) -> None:
        wait_for(lambda: '"content":"word' in "".join(self.events) or not self._thread.is_alive(), 20)
        assert self._thread.is_alive(), self.events

    def end(self) -> list[str]:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.events


# A conversation goes on


def test_just_the_new_message_is_sent(keeping_gateway: Gateway, standin: StandIn) -> None:
    session = new(keeping_gateway, title="Trip", system_prompt="Be kind.", model="claude-haiku-4-5")
    first = say(keeping_gateway, session, "one")
    second = say(keeping_gateway, session, "two")
    assert (first["session_id"], first["project_id"]) == (session, None)
    assert second["choices"][0]["message"]["content"] == "You said two"
    asked, again = standin.messages
    assert said_to_model(again) == ["one", "You said one", "two"]
    assert [role for role, _ in turns_of(again)] == ["user", "assistant", "user"]
    assert system_texts_of(again) == system_texts_of(asked) == ["Be kind."]
    assert again.body["model"] == HAIKU
    process = "x-claude-code-session-id"
    assert again.headers[process] == asked.headers[process]  # it was kept
    shown = show(keeping_gateway, session)
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"] * 2
    assert shown["message_count"] == 4
    assert (shown["title"], shown["model"], shown["is_active"]) == ("Trip", "claude-haiku-4-5", True)
    used = [answer["usage"] for answer in (first, second)]
    assert shown["total_tokens"] == sum(usage["total_tokens"] for usage in used)
    assert shown["total_cost"] == pytest.approx(sum(usage["cost"] for usage in used))


def test_own_parameters_of_a_turn_win(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway, system_prompt="Be kind.", model="claude-haiku-4-5")
    say(gateway, session, "one", system_prompt="Be rude.", model="claude-sonnet-4-5")
    (record,) = standin.messages
    assert system_texts_of(record) == ["Be rude."]
    assert record.body["model"].startswith("claude-sonnet-4-5")


def test_a_stream_is_stored_and_names_its_session(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    streaming = Streaming(gateway, "one", session_id=session)
    assert streamed_text(chunks_of(streaming.end())) == "You said one"
    assert streaming.headers["x-session-id"] == session
    assert "x-project-id" not in streaming.headers
    say(gateway, session, "two")
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]


def test_a_replayed_conversation_is_not_doubled(gateway: Gateway, standin: StandIn) -> None:
    """An OpenAI client that always sends everything, and the session's id besides."""
    session = new(gateway)
    messages = [system("It is noon."), user("one")]
    for following in ("two", "three"):
        answer = say(gateway, session, *messages)["choices"][0]["message"]
        messages = [system(f"It is past {following}."), *messages[1:], answer, user(following)]
    say(gateway, session, *messages)
    record = standin.messages.last
    assert said_to_model(record) == ["one", "You said one", "two", "You said two", "three"]
    assert system_texts_of(record) == ["It is past three."]
    assert texts_of(gateway, session) == [
        "It is past three.",
        *said_to_model(record),
        "You said three",
    ]


def test_an_edited_history_replaces_what_is_stored(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    first = say(gateway, session, "one")["choices"][0]["message"]
    say(gateway, session, "two")
    say(gateway, session, "one", first, "another two")
    assert said_to_model(standin.messages.last) == ["one", "You said one", "another two"]
    assert texts_of(gateway, session) == ["one", "You said one", "another two", "You said another two"]


def test_tools_and_images_in_a_session(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    standin.reply(tool_calls([("mcp__client__now", {}, "toolu_1")]), when="time")
    picture = {"type": "image_url", "image_url": {"url": IMAGE}}
    asked = user([{"type": "text", "text": "what time"}, picture])
    answer = say(gateway, session, asked, tools=[CLOCK])["choices"][0]
    assert answer["finish_reason"] == "tool_calls"
    standin.default(text("noon"))
    call = answer["message"]["tool_calls"][0]
    say(gateway, session, tool_result(call["id"], "12:00"), tools=[CLOCK])
    say(gateway, session, "thanks", tools=[CLOCK])
    kinds = [
        [block["type"] for block in message["content"]] if isinstance(message["content"], list) else ["text"]
        for message in standin.messages.last.body["messages"]
        if message["role"] != "system"
    ]
    assert kinds == [["text", "image"], ["tool_use"], ["tool_result"], ["text"], ["text"]]
    stored = show(gateway, session)["messages"]
    assert stored[0] == asked
    assert stored[1]["tool_calls"] == [call]
    assert [message["role"] for message in stored] == ["user", "assistant", "tool", "assistant"] + [
        "user",
        "assistant",
    ]


def test_errors_name_the_message_as_the_client_counts(gateway: Gateway) -> None:
    session = new(gateway)
    say(gateway, session, "one")
    wrong = gateway.api.chat(
        messages=[{"role": "tool", "tool_call_id": "c", "content": "x"}], session_id=session
    )
    assert code(wrong) == (400, "invalid_request")
    assert wrong.json()["error"]["param"].startswith("messages[0]")
    say(gateway, session, "two")  # it is free again
    assert texts_of(gateway, session) == ["one", "You said one", "two", "You said two"]


def test_a_failed_answer_leaves_nothing_behind(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    say(gateway, session, "one")
    assert gateway.api.chat("x", session_id=session, model="no-such-model").status_code == 400
    assert texts_of(gateway, session) == ["one", "You said one"]
    say(gateway, session, "two")
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]


# Without a session


def test_every_answer_has_a_session_and_stores_nothing(gateway: Gateway, standin: StandIn) -> None:
    answer = say(gateway, None, "a word like zyzzyva")
    session = answer["session_id"]
    shown = wait_for(lambda: (found := show(gateway, session))["message_count"] and found)
    assert (shown["messages"], shown["is_stored"], shown["message_count"]) == ([], False, 2)
    assert shown["total_tokens"] == answer["usage"]["total_tokens"]
    assert shown["model"] == answer["model"]
    say(gateway, session, "one", assistant("You said one"), "two")  # taken as it is
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]
    for file in Path(gateway.home.name).glob("gateway.db*"):
        assert b"zyzzyva" not in file.read_bytes()
    with closing(sqlite3.connect(Path(gateway.home.name, "gateway.db"))) as db:
        assert db.execute("select count(*) from messages where session_id = ?", [session]).fetchone() == (0,)


def test_the_clis_own_id_leads_to_the_session(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    say(gateway, session, "one")
    theirs = standin.messages.last.headers["x-claude-code-session-id"]
    assert show(gateway, theirs)["id"] == session
    assert say(gateway, theirs, "two")["session_id"] == session
    assert said_to_model(standin.messages.last) == ["one", "You said one", "two"]


# The resource


def test_sessions_are_listed_renamed_and_deleted(gateway: Gateway) -> None:
    key = "lists"
    ids = [new(gateway, key, title=f"t{number}") for number in range(3)]

    def get(**query: Any) -> Any:
        return gateway.api.get("/v1/sessions", params=query, headers=bearer(key)).json()

    page = get(per_page=2)
    assert [found["id"] for found in page["data"]] == [ids[2], ids[1]]
    assert page["pagination"] == {
        "page": 1,
        "per_page": 2,
        "total_items": 3,
        "total_pages": 2,
        "has_next": True,
        "has_prev": False,
    }
    assert [found["id"] for found in get(per_page=2, page=2)["data"]] == [ids[0]]
    assert get(project_id="other")["data"] == []
    url = f"/v1/sessions/{ids[0]}"
    renamed = gateway.api.patch(url, json={"title": "Ünïcode"}, headers=bearer(key))
    assert (renamed.status_code, renamed.json()["title"]) == (200, "Ünïcode")
    assert show(gateway, ids[0], key)["title"] == "Ünïcode"
    deleted = gateway.api.delete(url, headers=bearer(key))
    assert deleted.json() == {"session_id": ids[0], "status": "deleted"}
    assert code(gateway.api.get(url, headers=bearer(key))) == (404, "session_not_found")
    assert get()["pagination"]["total_items"] == 2


def test_stats_are_sums(gateway: Gateway) -> None:
    key = "stats"

    def stats() -> Any:
        return gateway.api.get("/v1/sessions/stats", headers=bearer(key)).json()

    none = {
        "active_sessions": 0,
        "total_tokens": 0,
        "total_cost": 0.0,
        "total_messages": 0,
        "models_in_use": [],
    }
    assert stats() == {"session_stats": none, "active_claude_sessions": 0, "claude_sessions": []}
    session = new(gateway, key)
    body = {"messages": [user("hi")], "session_id": session, "model": HAIKU}
    answer = gateway.api.post("/v1/chat/completions", json=body, headers=bearer(key)).json()
    sums = stats()["session_stats"]
    assert (sums["active_sessions"], sums["total_messages"]) == (1, 2)
    assert sums["total_tokens"] == answer["usage"]["total_tokens"]
    assert sums["models_in_use"] == [HAIKU]


def test_sessions_of_others_are_not_there(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway, "mine", title="private")
    body = {"messages": [user("hi")], "session_id": session}
    for key in ("theirs", None):
        asked = [
            gateway.api.get(f"/v1/sessions/{session}", headers=bearer(key)),
            gateway.api.patch(f"/v1/sessions/{session}", json={"title": "x"}, headers=bearer(key)),
            gateway.api.delete(f"/v1/sessions/{session}", headers=bearer(key)),
            gateway.api.get(f"/v1/chat/completions/{session}/status", headers=bearer(key)),
            gateway.api.delete(f"/v1/chat/completions/{session}", headers=bearer(key)),
            gateway.api.post("/v1/chat/completions", json=body, headers=bearer(key)),
        ]
        assert {code(answer) for answer in asked} == {(404, "session_not_found")}
    assert show(gateway, session, "mine")["title"] == "private"
    assert not standin.messages


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"title": 1}, (400, "title")),
        ({"title": "x" * 501}, (400, "title")),
        ({"model": "no-such-model"}, (400, "model")),
        ({"project_id": "no-such-project"}, (404, "project_id")),
    ],
)
def test_a_session_is_refused(gateway: Gateway, body: Body, expected: tuple[int, str]) -> None:
    answer = gateway.api.post("/v1/sessions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == expected


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=101", "per_page=-1"])
def test_a_page_is_refused(gateway: Gateway, query: str) -> None:
    answer = gateway.api.get(f"/v1/sessions?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


# Busy, stopped


def test_a_session_has_one_answer_at_a_time(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    standin.reply(hang(after=3), when="slow")
    streaming = Streaming(gateway, "slow", session_id=session)
    streaming.await_text()
    busy = gateway.api.chat("hi", session_id=session)
    assert code(busy) == (409, "session_busy")
    assert busy.headers["retry-after"] == "1"
    assert status(gateway, session)["is_running"] is True
    assert session in gateway.api.get("/v1/sessions/stats").json()["claude_sessions"]
    stopped = gateway.api.delete(f"/v1/chat/completions/{session}")
    assert stopped.json() == {"session_id": session, "status": "stopped"}
    assert json.loads(streaming.end()[-1])["error"]["code"] == "stopped"
    standin.wait_for(lambda: standin.messages.last.aborted)
    wait_for(lambda: not status(gateway, session)["is_running"])
    say(gateway, session, "go on")
    asked, partial, go_on = said_to_model(standin.messages.last)
    assert (asked, go_on) == ("slow", "go on")
    assert partial.startswith("word")


def test_a_whole_answer_that_is_stopped_is_an_error(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    standin.reply(hang(after=3), when="slow")
    with ThreadPoolExecutor(1) as threads:
        asked: Future[httpx.Response] = threads.submit(gateway.api.chat, "slow", session_id=session)
        wait_for(lambda: len(standin.messages) == 1, 20)
        gateway.api.delete(f"/v1/chat/completions/{session}")
        answer = asked.result(20)
    assert code(answer) == (409, "stopped")
    assert answer.headers["x-should-retry"] == "false"
    assert texts_of(gateway, session) == []  # its client has seen nothing


def test_an_answer_of_no_named_session_is_stopped(gateway: Gateway, standin: StandIn) -> None:
    standin.reply(hang(after=3), when="slow")
    streaming = Streaming(gateway, "slow")
    streaming.await_text()
    session = streaming.headers["x-session-id"]
    assert status(gateway, session)["is_running"] is True
    gateway.api.delete(f"/v1/chat/completions/{session}")
    assert json.loads(streaming.end()[-1])["error"]["code"] == "stopped"
    wait_for(lambda: not status(gateway, session)["is_running"])


def test_deleting_a_session_stops_its_answer(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    standin.reply(hang(after=3), when="slow")
    streaming = Streaming(gateway, "slow", session_id=session)
    streaming.await_text()
    gateway.api.delete(f"/v1/sessions/{session}")
    assert json.loads(streaming.end()[-1])["error"]["code"] == "stopped"
    assert code(gateway.api.get(f"/v1/chat/completions/{session}/status")) == (404, "session_not_found")

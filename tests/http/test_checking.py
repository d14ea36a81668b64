"""What is wrong with a body, by the endpoint that answers nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.model.test_sessions import HAIKU, UNKNOWN, new, say
from tests.standin import StandIn, tool_calls
from tests.support.gateway import Gateway
from tests.support.recorded import Body, user
from tests.support.tool_bodies import CLOCK, tool_result

pytestmark = pytest.mark.usefixtures("echoing_model")


def check(gateway: Gateway, body: Any) -> Body:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = gateway.api.post("/v1/chat/completions/debug", content=data)
    assert answer.status_code == 200, answer.text
    checked: Body = answer.json()
    return checked


def test_a_valid_body_is_said_to_be(gateway: Gateway, standin: StandIn) -> None:
    checked = check(gateway, {"messages": [user("hi")], "model": "claude-haiku-4-5", "seed": 1})
    assert checked == {"valid": True, "errors": [], "ignored_parameters": ["seed"], "model": HAIKU}
    assert not standin.messages


@pytest.mark.parametrize(
    ("body", "params"),
    [
        (b"{", [None]),
        (b"[]", [None]),
        ({}, ["messages"]),
        (
            {"messages": [{"role": "x"}, {}], "stream": "yes"},
            ["messages[0].role", "messages[1].role", "stream"],
        ),
        (
            {
                "messages": [user([{"type": "x"}]), user([{"type": "input_audio"}])],
                "logprobs": True,
                "audio": {"voice": "a"},
                "tools": [{"type": "function", "function": {}}],
                "model": "no-such-model",
                "session_id": UNKNOWN,
                "project_id": "unknown",
            },
            [
                "project_id",
                "session_id",
                "logprobs",
                "audio",
                "tools[0].function.name",
                "messages[0].content[0].type",
                "messages[1].content[0].input_audio",
                "model",
            ],
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, ["messages[0].tool_call_id"]),
    ],
)
def test_all_faults_of_a_body_are_named(gateway: Gateway, body: Any, params: list[str | None]) -> None:
    checked = check(gateway, body)
    assert checked["valid"] is False
    assert sorted(fault["param"] or "" for fault in checked["errors"]) == sorted(p or "" for p in params)
    assert all(fault["message"] and fault["code"] for fault in checked["errors"])


def test_a_body_is_checked_with_its_session(gateway: Gateway, standin: StandIn) -> None:
    session = new(gateway)
    standin.reply(tool_calls([("mcp__client__now", {}, "toolu_checked")]), when="time")
    answer = say(gateway, session, "what time", tools=[CLOCK])["choices"][0]["message"]
    body = {"messages": [tool_result(answer["tool_calls"][0]["id"], "12:00")], "session_id": session}
    assert check(gateway, body)["valid"]
    assert [fault["param"] for fault in check(gateway, {**body, "messages": [user("hi")]})["errors"]] == [
        "session[1]"
    ]

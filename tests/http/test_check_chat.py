"""POST /v1/chat/completions/debug validates a body without running it, and names every error at once."""

from typing import Any

import pytest

from tests.support.api_client import Api
from tests.support.apps import MakeApi
from tests.support.recorded import user

HAIKU = "claude-haiku-4-5-20251001"


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api()


def test_valid_body_reports_its_model_and_ignored_parameters(api: Api) -> None:
    checked = api.check_chat({"messages": [user("hi")], "model": "claude-haiku-4-5", "seed": 1})
    assert checked == {"valid": True, "errors": [], "ignored_parameters": ["seed"], "model": HAIKU}


@pytest.mark.parametrize(
    ("body", "params"),
    [
        (b"{", [None]),
        (b"[]", [None]),
        ({}, ["messages"]),
        (
            {"messages": [{"content": "x"}, {}], "stream": "yes"},
            ["messages[0].role", "messages[1].role", "stream"],
        ),
        (
            {
                "messages": [user([{"type": "x"}]), user([{"type": "input_audio"}])],
                "logprobs": True,
                "audio": {"voice": "a"},
                "tools": [{"type": "function", "function": {}}],
                "model": "no-such-model",
                "session_id": "sess_unknown",
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
        ({"messages": [{"role": "robot", "content": "x"}]}, ["messages[0].role"]),
    ],
)
def test_all_errors_of_a_body_are_named(api: Api, body: Any, params: list[str | None]) -> None:
    checked = api.check_chat(body)
    assert checked["valid"] is False
    assert sorted(error["param"] or "" for error in checked["errors"]) == sorted(p or "" for p in params)
    assert all(error["message"] and error["code"] for error in checked["errors"])

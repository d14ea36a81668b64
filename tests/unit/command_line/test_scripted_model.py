"""The scripted model of `claude-gateway demo` speaks the Messages API."""

import json
import urllib.request
from typing import Any

import pytest

from gateway.command_line import scripted_model
from gateway.command_line.scripted_model import list_questions, run_scripted_model, write_answer

NOTE = {"type": "text", "text": "<system-reminder>Be brief.</system-reminder>"}


def post(url: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(url, data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(response.read().decode())


def test_answers_are_streamed_whole_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted_model, "DELAY_SECONDS", 0)
    body = {
        "model": "sonnet",
        "messages": [{"role": "user", "content": [NOTE, {"type": "text", "text": "Hi"}]}],
    }
    with run_scripted_model() as url:
        streamed = post(f"{url}/v1/messages?beta=true", {**body, "stream": True})
        whole = json.loads(post(f"{url}/v1/messages", body))
        assert json.loads(post(f"{url}/v1/messages/count_tokens", body))["input_tokens"] > 0
    events = [
        json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data")
    ]
    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert text == whole["content"][0]["text"] == write_answer(["Hi"])
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]


def test_later_answers_name_the_earlier_question() -> None:
    messages = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": [NOTE]},
        {"role": "user", "content": "Two? " + "x" * 300},
    ]
    questions = list_questions({"messages": messages})
    assert questions == ["One?", "Two? " + "x" * 300]
    assert 'you asked: "One?"' in write_answer(questions)
    assert len(write_answer(questions)) < 500
    assert write_answer([])

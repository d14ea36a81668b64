"""Threads of the Messages API: the gateway holds the conversation, and requests send only their new messages.

The requests are the ones of Anthropic's SDK from version 2.14 on: `client.beta.messages.tool_runner` creates a thread
with its first request, and continues it with the results of tools. tests/clients runs the SDK itself.
"""

import json
from typing import Any

import pytest

from tests.standin import StandIn, hang, text, thinking, tool_calls
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import Body, process_of, system_texts_of, turns_of, user
from tests.support.tool_bodies import CALL_ROME, recorded_blocks
from tests.support.wide import wide

PATH = "/v1/messages"
CREATE: Body = {"type": "create"}
WEATHER: Body = {"name": "get_weather", "input_schema": {"type": "object", "properties": {}}}
SETUP: Body = {"system": "Be brief.", "tools": [WEATHER]}


def go_on(message: Body) -> Body:
    return {"type": "continue", "previous_message_id": message["id"]}


def send(
    gateway: Gateway, *messages: Body, thread: Body | None, key: str = "one", status: int = 200, **fields: Any
) -> Body:
    """Send the messages, which must be answered with `status`, and return the body. A stream is collected."""
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9000,
        "messages": messages,
        "thread": thread,
        **fields,
    }
    answer = gateway.api.post(PATH, json=body, headers={"x-api-key": key})
    assert answer.status_code == status, answer.text
    if not fields.get("stream"):
        return dict(answer.json())
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    calls = [event["content_block"] for event in data if event["type"] == "content_block_start"]
    return {**data[0]["message"], "content": calls}


def code_of(error: Body) -> str:
    return str(error["error"]["details"]["error_code"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_thread_continues_a_tool_loop_in_the_same_process(
    keeping_gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    standin.default(text("Sun."))
    standin.reply(tool_calls([CALL_ROME], text="Let me look."), times=1)
    first = send(keeping_gateway, user("Weather?"), thread=CREATE, stream=stream, **SETUP)
    use = next(block for block in first["content"] if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "sun"}
    second = send(keeping_gateway, user([result]), thread=go_on(first), stream=stream)
    send(keeping_gateway, user("Thanks."), thread=go_on(second), stream=stream)
    assert len({process_of(record) for record in standin.messages}) == 1
    last = standin.messages.last
    assert system_texts_of(last) == ["Be brief."]
    assert [tool["name"] for tool in last.body["tools"]] == ["get_weather"]
    kinds = [[block["type"] for block in recorded_blocks(last, index)] for index in range(5)]
    assert kinds == [["text"], ["text", "tool_use"], ["tool_result"], ["text"], ["text"]]


def test_thread_is_seeded_into_a_new_process_with_its_thinking(gateway: Gateway, standin: StandIn) -> None:
    thinks: Body = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    standin.default(text("Sun."))
    standin.reply(thinking("Rome.", tool_calls([CALL_ROME])), times=1)
    first = send(gateway, user("Weather?"), thread=CREATE, **SETUP, **thinks)
    result = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "sun"}
    other: Body = {
        "thinking": {"type": "enabled", "budget_tokens": 3000}
    }  # the waiting process cannot take it
    send(gateway, user([result]), thread=go_on(first), **other)
    earlier, last = standin.messages
    assert process_of(earlier) != process_of(last)
    assert [block["type"] for block in recorded_blocks(last, 1)] == ["thinking", "tool_use"]
    assert recorded_blocks(last, 1)[0]["signature"]


def test_thread_that_cannot_be_continued_has_the_code_that_sdks_look_for(gateway: Gateway) -> None:
    first = send(gateway, user("one"), thread=CREATE, **SETUP)
    unknown = send(gateway, user("two"), thread=go_on({"id": "msg_unknown"}), status=404)
    assert (code_of(unknown), unknown["error"]["type"]) == ("thread_not_found", "not_found_error")
    assert (
        code_of(send(gateway, user("two"), thread=go_on(first), key="two", status=404)) == "thread_not_found"
    )
    mismatch = send(gateway, user("two"), thread=go_on(first), system="Rhyme.", status=400)
    assert code_of(mismatch) == "thread_fingerprint_mismatch"
    assert "`system`" in mismatch["error"]["message"]
    send(gateway, user("two"), thread=go_on(first), **SETUP)  # the same values are allowed
    assert code_of(send(gateway, user("2"), thread=go_on(first), status=400)) == "thread_already_continued"
    for wrong in ({"type": "fork"}, {"type": "continue"}, {"type": "continue", "previous_message_id": 5}):
        refused = send(gateway, user("two"), thread=wrong, status=400)
        assert "thread." in refused["error"]["message"]
        assert "details" not in refused["error"]


def test_thread_names_the_messages_as_the_client_counts_them(gateway: Gateway) -> None:
    first = send(gateway, user("one"), thread=CREATE)
    audio = user([{"type": "audio"}])
    refused = send(gateway, audio, thread=go_on(first), status=400)
    assert "messages[0].content[0]" in refused["error"]["message"]


def test_thread_continues_from_the_same_answer_after_a_client_has_left(
    gateway: Gateway, standin: StandIn
) -> None:
    standin.default(text("Done."))
    first = send(gateway, user("one"), thread=CREATE)
    standin.reply(hang(after=1), times=1)
    body = {"model": "claude-haiku-4-5", "max_tokens": 9000, "stream": True, "messages": [user("two")]}
    with gateway.api.stream(
        "POST", PATH, json={**body, "thread": go_on(first)}, headers={"x-api-key": "one"}
    ) as stream:
        next(stream.iter_lines())
        busy = send(gateway, user("two"), thread=go_on(first), status=400)
        assert code_of(busy) == "thread_continue_in_flight"

    def is_continued() -> bool:
        sent = {**body, "stream": False, "thread": go_on(first)}
        answer = gateway.api.post(PATH, json=sent, headers={"x-api-key": "one"})
        return answer.status_code == 200

    wait_for(is_continued)
    assert turns_of(standin.messages.last) == [("user", ["one"]), ("assistant", ["Done."]), ("user", ["two"])]


@wide
def test_gateway_that_stores_nothing_refuses_threads_so_that_sdks_go_on_without(start_gateway: Any) -> None:
    gateway = start_gateway(STORE_RESPONSES="false", WARM_PROCESSES="1")
    refused = send(gateway, user("one"), thread=CREATE, status=400)
    assert code_of(refused) == "thread_unsupported_request"

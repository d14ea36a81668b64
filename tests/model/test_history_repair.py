"""Conversations go on, in every dialect, even if their past has something that the API would not accept."""

import json
from collections.abc import Iterable
from typing import Any

import httpx2 as httpx
import pytest

from gateway.dialects.common.conversation import OPENING
from gateway.dialects.common.tool_rounds import INTERRUPTED, ORPHAN
from tests.standin import Recorded, Reply, StandIn, blocks, text
from tests.standin.replies import Block
from tests.support.api_client import event_data
from tests.support.client_bodies import PNG, function_tool, object_schema, tool_call
from tests.support.gateway import Gateway
from tests.support.recorded import messages_of

Body = dict[str, Any]

HELLO: Body = {"role": "user", "content": "hello"}
GO_ON: Body = {"role": "user", "content": "go on"}
WRITE = object_schema(path="string", content="string")
CHAT_TOOL = function_tool("write", WRITE)
RESPONSES_TOOL: Body = {"type": "function", "name": "write", "parameters": WRITE}
MESSAGES_TOOL: Body = {"name": "write", "input_schema": WRITE}
#: The arguments as the token limit cuts them, and as the client gets them.
CUT = ('{"path":"a.py",', '"content":"impo')
WRITTEN: Body = {"path": "a.py", "content": "impo"}

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def cut_call() -> Reply:
    """Return a tool call that the token limit cuts off."""
    return blocks(Block("tool_use", CUT, "write", "toolu_cut"), stop_reason="max_tokens")


def post(gateway: Gateway, path: str, body: Body, stream: bool) -> tuple[httpx.Response, list[Body]]:
    """Send a request. Return the response, and its events or its body as the only one."""
    answer = gateway.api.post(path, json={"model": "sonnet", **body, "stream": stream})
    assert answer.status_code == 200, answer.text
    if not stream:
        return answer, [answer.json()]
    return answer, [json.loads(data) for data in event_data(answer.text.splitlines()) if data != "[DONE]"]


def blocks_of(record: Recorded) -> list[list[Body]]:
    """Return the contents of the messages, without the system messages of the CLI."""
    return [message["content"] for message in messages_of(record) if message["role"] != "system"]


def use(call_id: str, given: Body, name: str = "write") -> Body:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def assert_goes_on(record: Recorded) -> None:
    """Assert that the model sees the call that was cut off, its missing result, and the new message."""
    _, call, last = blocks_of(record)
    assert call == [use("toolu_cut", WRITTEN)]
    missing, new = last
    assert (missing["type"], missing["tool_use_id"], missing["is_error"]) == (
        "tool_result",
        "toolu_cut",
        True,
    )
    assert INTERRUPTED in json.dumps(missing["content"])
    assert new == {"type": "text", "text": "go on"}


# A call that the token limit cuts off


# https://github.com/MiaAI-Lab/DeepSeek-v4-Flash-DSpark-2x-DGX-Spark/issues/55
# https://github.com/NousResearch/hermes-agent/issues/7680
@STREAMED
def test_session_goes_on_after_a_call_that_was_cut_off(
    gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    session = gateway.api.create_session()
    standin.reply(cut_call(), when="hello")
    body = {"messages": [HELLO], "tools": [CHAT_TOOL], "session_id": session}
    _, events = post(gateway, "/v1/chat/completions", body, stream)
    assert json.loads(chat_arguments(events)) == WRITTEN
    assert events[-1]["choices"][0]["finish_reason"] == "length"

    answer, _ = post(gateway, "/v1/chat/completions", {**body, "messages": [GO_ON]}, stream)
    assert answer.headers["x-repaired"] == "missing-result"
    assert_goes_on(standin.messages.last)
    stored = gateway.api.show_session(session)["messages"]
    assert json.loads(stored[1]["tool_calls"][0]["function"]["arguments"]) == WRITTEN


def chat_arguments(events: Iterable[Body]) -> str:
    choices = [choice for event in events for choice in event["choices"]]
    parts = [
        choice["delta"] if "delta" in choice else choice["message"]
        for choice in choices
        if "delta" in choice or "message" in choice
    ]
    calls = [call for part in parts for call in part.get("tool_calls") or ()]
    return "".join(call["function"]["arguments"] for call in calls)


@STREAMED
def test_chain_of_responses_goes_on_after_a_call_that_was_cut_off(
    gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    standin.reply(cut_call(), when="hello")
    body = {"input": [HELLO], "tools": [RESPONSES_TOOL]}
    _, events = post(gateway, "/v1/responses", body, stream)
    response = events[-1]["response"] if stream else events[-1]
    (call,) = [item for item in response["output"] if item["type"] == "function_call"]
    assert (response["status"], call["status"], json.loads(call["arguments"])) == (
        "incomplete",
        "incomplete",
        WRITTEN,
    )
    if stream:
        deltas = [
            event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta"
        ]
        assert "".join(deltas) == call["arguments"]

    chained = {**body, "input": [GO_ON], "previous_response_id": response["id"]}
    answer, _ = post(gateway, "/v1/responses", chained, stream)
    assert answer.headers["x-repaired"] == "missing-result"
    assert_goes_on(standin.messages.last)


@STREAMED
def test_messages_go_on_after_a_call_that_was_cut_off(
    gateway: Gateway, standin: StandIn, stream: bool
) -> None:
    standin.reply(cut_call(), when="hello")
    body: Body = {"messages": [HELLO], "tools": [MESSAGES_TOOL], "max_tokens": 5000}
    _, events = post(gateway, "/v1/messages", body, stream)
    if stream:
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        given = json.loads("".join(delta.get("partial_json", "") for delta in deltas))
    else:
        (block,) = events[0]["content"]
        given = block["input"]
    assert given == WRITTEN

    replayed = [HELLO, {"role": "assistant", "content": [use("toolu_cut", given)]}, GO_ON]
    answer, _ = post(gateway, "/v1/messages", {**body, "messages": replayed}, stream)
    assert answer.headers["x-repaired"] == "missing-result"
    assert_goes_on(standin.messages.last)


# Damaged conversations

DAMAGED_CHAT: list[Body] = [
    {"role": "user", "name": "ann", "content": [{"type": "text", "text": "hello"}, {"type": "input_audio"}]},
    {
        "role": "assistant",
        "tool_calls": [tool_call("x", "write", '{"path":"a.py","cont'), tool_call("", "write", "[1]")],
    },
    {
        "role": "tool",
        "tool_call_id": "x",
        "content": [{"type": "image", "data": PNG, "mimeType": "image/png"}],
    },
    {"role": "tool", "tool_call_id": "x", "content": "other"},
    {"role": "critic", "content": "hm"},
    {"role": "assistant", "tool_calls": [tool_call("x", "write", "{}")]},
    {"role": "tool", "tool_call_id": "x", "content": "ok"},
    {"role": "tool", "tool_call_id": "x", "content": "ok"},
]
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def words(*texts: str) -> list[Body]:
    return [{"type": "text", "text": text} for text in texts]


def result(call_id: str, *content: Body, **fields: Any) -> Body:
    return {"type": "tool_result", "tool_use_id": call_id, "content": list(content), **fields}


# https://github.com/OpenHands/OpenHands/issues/7512
# https://github.com/Kilo-Org/kilocode/issues/5163
# https://github.com/langchain-ai/langgraph/issues/5109
@STREAMED
def test_damaged_chat_is_repaired(gateway: Gateway, standin: StandIn, stream: bool) -> None:
    standin.default(text("fine"))
    body = {"messages": [*DAMAGED_CHAT, GO_ON], "tools": [CHAT_TOOL]}
    answer, _ = post(gateway, "/v1/chat/completions", body, stream)

    assert answer.headers["x-repaired"].split(", ") == [
        "missing-result",
        "orphan-result",
        "part-as-text",
        "repeated-result",
        "tool-arguments",
        "tool-call-id",
        "unknown-role",
    ]
    seen = blocks_of(standin.messages.last)
    assert seen[0] == words("ann:", "hello", "[input_audio]")
    assert seen[1] == [use("x", {"path": "a.py"}), use("call-1", {"input": [1]})]
    assert seen[2][0] == result("x", IMAGE)
    assert seen[2][1]["is_error"] is True
    assert seen[2][2:] == words(ORPHAN, "other", "critic:", "hm")
    assert seen[3] == [use("x-2", {})]
    assert seen[4][-1] == words("go on")[0]


@STREAMED
def test_items_of_other_servers_are_repaired(gateway: Gateway, standin: StandIn, stream: bool) -> None:
    standin.default(text("fine"))
    items: list[Body] = [
        HELLO,
        {"type": "reasoning", "summary": [], "encrypted_content": "E"},
        {
            "type": "web_search_call",
            "id": "ws",
            "status": "completed",
            "action": {"type": "search", "query": "x"},
        },
        {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "call_id": "c", "output": "a.py"},
        {"type": "compaction", "encrypted_content": "E"},
        {"type": "unheard_of", "note": "hm"},
        GO_ON,
    ]
    answer, _ = post(gateway, "/v1/responses", {"input": items, "tools": [RESPONSES_TOOL]}, stream)

    assert answer.headers["x-repaired"] == "item-left-out, part-as-text"
    _, call, given, note, new = blocks_of(standin.messages.last)
    assert call == [
        *words('[web_search_call: {"action": {"query": "x"}}]'),
        use("c", {"type": "exec", "command": ["ls"]}, "local_shell"),
    ]
    assert (given[0]["tool_use_id"], note, new) == (
        "c",
        words('[unheard_of: {"note": "hm"}]'),
        words("go on"),
    )


@STREAMED
def test_blocks_of_other_servers_are_repaired(gateway: Gateway, standin: StandIn, stream: bool) -> None:
    standin.default(text("fine"))
    found = {"type": "search_result", "source": "https://x", "title": "X", "content": words("found")}
    messages: list[Body] = [
        {"role": "user", "content": [*words("hello"), {"type": "container_upload", "file_id": "f"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                use("toolu_1", {}),
            ],
        },
        {
            "role": "user",
            "content": [result("toolu_1", {"type": "tool_reference", "tool_name": "gone"}, found)],
        },
    ]
    body = {"messages": messages, "tools": [MESSAGES_TOOL], "max_tokens": 5000}
    answer, _ = post(gateway, "/v1/messages", body, stream)

    assert answer.headers["x-repaired"] == "part-as-text"
    first, call, last = blocks_of(standin.messages.last)
    assert first == words("hello", '[container_upload: {"file_id": "f"}]')
    assert call[-1] == use("toolu_1", {})
    assert last == [result("toolu_1", *words('[tool_reference: {"tool_name": "gone"}]'), found)]


# Beginnings


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "developer", "content": "Greet."}]}),
        ("/v1/messages", {"messages": [{"role": "system", "content": "Greet."}], "max_tokens": 5000}),
        ("/v1/responses", {"instructions": "Greet."}),
    ],
)
def test_model_begins_a_conversation_of_system_text(
    gateway: Gateway, standin: StandIn, path: str, body: Body
) -> None:
    standin.default(text("Welcome!"))
    answer, _ = post(gateway, path, body, stream=False)
    assert answer.headers["x-repaired"] == "user-message-added"
    assert blocks_of(standin.messages.last) == [words(OPENING)]


def test_images_of_ollama_reach_the_model(gateway: Gateway, standin: StandIn) -> None:
    answer, _ = post(
        gateway, "/v1/chat/completions", {"messages": [{**HELLO, "images": [PNG, "?"]}]}, stream=False
    )
    assert answer.headers["x-ignored-parameters"] == "messages[0].images[1]"
    assert blocks_of(standin.messages.last) == [[*words("hello"), IMAGE]]

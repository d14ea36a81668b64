"""Conversations with a past, parsed in each dialect, and the blocks that are expected of them."""

import json
from typing import Any

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.common.input_items import as_list
from gateway.dialects.common.tool_rounds import INTERRUPTED
from gateway.dialects.messages.request import parse_request as parse_messages
from gateway.dialects.responses.request import parse_request as parse_responses
from gateway.repairs import Repair
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.messages import MessagesSchema
from gateway.schemas.responses import ResponsesSchema
from gateway.turn import Message
from tests.support.client_bodies import PNG, PNG_URL, tool_call

Body = dict[str, Any]
HELLO: Body = {"role": "user", "content": "hello"}
GO_ON: Body = {"role": "user", "content": "go on"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
SCREENSHOT = {"type": "computer_screenshot", "image_url": PNG_URL}

CHAT, MESSAGES, RESPONSES = ChatCompletionSchema(), MessagesSchema(), ResponsesSchema()


class Parsed:
    """The messages of a request in any dialect, with its repairs."""

    def __init__(
        self, messages: tuple[Message, ...], repaired: tuple[Repair, ...], ignored: tuple[str, ...]
    ) -> None:
        self.messages = messages
        self.codes = {repair.code for repair in repaired}
        self.ignored = ignored
        assert_follows_rules(messages)

    @property
    def blocks(self) -> list[list[Body]]:
        return [list(message.content) for message in self.messages]


def chat(*messages: Body) -> Parsed:
    parsed = parse_chat(CHAT.load({"messages": list(messages)}))
    return Parsed(parsed.turn.messages, parsed.repaired, parsed.ignored)


def messages(*given: Body) -> Parsed:
    parsed = parse_messages(MESSAGES.load({"messages": list(given), "max_tokens": 100}))
    return Parsed(parsed.turn.messages, parsed.repaired, parsed.ignored)


def responses(*items: Any, **fields: Any) -> Parsed:
    body = RESPONSES.load({"input": list(items), **fields})
    parsed = parse_responses(body, as_list(body["input"]))
    return Parsed(parsed.turn.messages, parsed.repaired, parsed.ignored)


def assert_follows_rules(messages: tuple[Message, ...]) -> None:
    """Check the rules of the Messages API for roles, tool rounds and texts."""
    pending: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        assert message.role == ("user", "assistant")[index % 2]
        assert message.content
        kinds = [block["type"] for block in message.content]
        results = [block["tool_use_id"] for block in message.content if block["type"] == "tool_result"]
        assert results == pending
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        pending = [block["id"] for block in message.content if block["type"] == "tool_use"]
        assert not seen & set(pending)
        assert len(set(pending)) == len(pending)
        seen |= set(pending)
        for block in message.content:
            assert block["type"] != "text" or block["text"].strip()
            assert block["type"] != "tool_use" or (isinstance(block["input"], dict) and block["name"].strip())
        json.dumps(message.content)
    assert messages[-1].role == "user"


def text(content: str) -> Body:
    return {"type": "text", "text": content}


def use(call_id: str, given: Any = None, name: str = "f") -> Body:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given or {}}


def result(call_id: str, *content: Body | str, **fields: Any) -> Body:
    blocks = [text(part) if isinstance(part, str) else part for part in content]
    return {"type": "tool_result", "tool_use_id": call_id, "content": blocks, **fields}


def interrupted(call_id: str) -> Body:
    return result(call_id, INTERRUPTED, is_error=True)


def calls(*ids: Any, arguments: Any = "{}", **fields: Any) -> Body:
    return {
        "role": "assistant",
        "tool_calls": [tool_call(call_id, "f", arguments) for call_id in ids],
        **fields,
    }


def output(call_id: Any, content: Any = "ok", **fields: Any) -> Body:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **fields}

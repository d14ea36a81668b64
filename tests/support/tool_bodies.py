"""Tools, tool calls and results as clients send them, and as they appear in a recorded request."""

import json
from typing import Any

from tests.standin import Recorded, Reply, StandIn, text, thinking, tool_calls
from tests.support.wide import wide_except

Body = dict[str, Any]

# The default model and one that thinks within a budget stand for all others.
MODELS = wide_except(
    [None, "claude-opus-4-6", "claude-haiku-4-5", "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022"],
    None,
    "claude-haiku-4-5",
)

WEATHER: Body = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CLOCK: Body = {"type": "function", "function": {"name": "now"}}

CALL_ROME = ("get_weather", {"city": "Rome 😀"}, "toolu_rome")
CALL_OSLO = ("get_weather", {"city": "Oslo"}, "toolu_oslo")


def tool_call(name: str, arguments: Any, id_: str) -> Body:
    """Return a tool call of an assistant message."""
    function = {"name": name, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}
    return {"id": id_, "type": "function", "function": function}


def assistant_calls(*calls: Body, content: Any = None) -> Body:
    """Return an assistant message with tool calls."""
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def tool_result(id_: str, content: Any) -> Body:
    """Return a tool message with the result of a call."""
    return {"role": "tool", "tool_call_id": id_, "content": content}


ASKED: list[Body] = [{"role": "user", "content": "Weather in Rome and Oslo?"}]
ANSWERED: list[Body] = [
    *ASKED,
    assistant_calls(
        tool_call("get_weather", {"city": "Rome 😀"}, "toolu_rome"),
        tool_call("get_weather", {"city": "Oslo"}, "toolu_oslo"),
        content="Let me look.",
    ),
    tool_result("toolu_oslo", "snow"),
    tool_result("toolu_rome", [{"type": "text", "text": "sun"}]),
]


def two_calls(model_thinks: bool = True) -> Reply:
    """Return the model's first reply in the weather conversation: two tool calls, after thinking."""
    calls = tool_calls([CALL_ROME, CALL_OSLO], text="Let me look.")
    return thinking("Two cities.", calls) if model_thinks else calls


def script_weather(standin: StandIn) -> None:
    """Let the model call both tools first, and answer in words as soon as there are results."""
    standin.default(text("Sun in Rome, snow in Oslo."))
    standin.reply(two_calls(), when=lambda body: "tool_result" not in json.dumps(body["messages"]))


def recorded_blocks(record: Recorded, index: int) -> list[Body]:
    """Return the content blocks of a recorded message without cache marks. The CLI's system messages do not count."""
    messages = [message for message in record.body["messages"] if message["role"] != "system"]
    content = messages[index]["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [{key: value for key, value in block.items() if key != "cache_control"} for block in content]


def comparable_body(record: Recorded) -> Body:
    """Return a request without thinking and without the parts that differ between two processes."""
    body = json.loads(json.dumps(record.body))
    body.pop("metadata")
    body["system"] = body["system"][1:]
    for message in body["messages"]:
        if isinstance(message["content"], list):
            message["content"] = [block for block in message["content"] if block["type"] != "thinking"]
    return dict(body)

"""Example requests and answers for the OpenAPI description. The dialects themselves write the answers."""

from typing import Any

from gateway.dialects.chat import answers as chat_answers
from gateway.dialects.completions import answers as completions_answers
from gateway.dialects.messages import answers as anthropic_answers
from gateway.dialects.responses import answers as responses_answers
from gateway.dialects.responses import request as responses
from gateway.dialects.responses.builder import new_response
from gateway.turn import Done, Event, Started, Text, Usage

SHOWN_EVENTS = 6

_HELLO = [{"role": "user", "content": "Say hello."}]
_ID, _CREATED = "0123456789abcdef0123456789abcdef", 1_792_000_000
_USAGE = Usage(input_tokens=12, output_tokens=5, cost_usd=0.000037)
_TURN: list[Event] = [
    Started("claude-haiku-4-5-20251001", usage=Usage(input_tokens=12)),
    Text("Hello"),
    Text(" there!"),
    Done("end_turn", _USAGE),
]
_WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_FUNCTION = {"name": "weather", "description": "The weather in a city.", "parameters": _WEATHER}
_PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def name_examples(**bodies: Any) -> dict[str, Any]:
    """Return the examples in the form that OpenAPI asks for, by name."""
    return {
        name: {"summary": name.replace("_", " ").capitalize(), "value": body} for name, body in bodies.items()
    }


_BASE = {"model": "haiku", "messages": _HELLO}
_ASK = "How is the weather in Oslo?"
_QUESTION = [{"role": "user", "content": _ASK}]
_LOOK = [
    {"type": "text", "text": "What color is this?"},
    {"type": "image_url", "image_url": {"url": _PICTURE}},
]

CHAT = name_examples(
    simple=_BASE,
    streamed={**_BASE, "stream": True, "stream_options": {"include_usage": True}},
    with_a_tool={**_BASE, "messages": _QUESTION, "tools": [{"type": "function", "function": _FUNCTION}]},
    with_a_picture={**_BASE, "messages": [{"role": "user", "content": _LOOK}]},
)
COMPLETION = name_examples(
    simple={"model": "haiku", "prompt": "Say hello."},
    streamed={"model": "haiku", "prompt": "Say hello.", "stream": True},
)
RESPONSE = name_examples(
    simple={"model": "haiku", "input": "Say hello."},
    streamed={"model": "haiku", "input": "Say hello.", "stream": True},
    in_the_background={"model": "haiku", "input": "Say hello.", "background": True},
    with_a_tool={"model": "haiku", "input": _ASK, "tools": [{"type": "function", **_FUNCTION}]},
)
_LIMITED = {"model": "haiku", "max_tokens": 1024, "messages": _HELLO}
_TOOL = {"name": "weather", "description": "The weather in a city.", "input_schema": _WEATHER}
MESSAGE = name_examples(
    simple=_LIMITED,
    streamed={**_LIMITED, "stream": True},
    with_a_tool={**_LIMITED, "messages": _QUESTION, "tools": [_TOOL]},
)
COUNT = _BASE
INPUT_TOKENS = {"model": "haiku", "input": "Say hello."}
CONVERSATION_ITEMS = {"items": [{"type": "message", "role": "user", "content": "Hello!"}]}
CONVERSATION_METADATA = {"metadata": {"topic": "greetings"}}
BATCH = {
    "input_file_id": "file-0123456789abcdef0123456789abcdef",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}
MESSAGE_BATCH = {"requests": [{"custom_id": "first", "params": _LIMITED}]}
SESSION = {"title": "Plans for the garden", "model": "haiku", "system_prompt": "Answer in one sentence."}
TITLE = {"title": "Plans for the balcony"}
PROJECT = {"name": "Garden", "description": "What grows where."}
REWIND = {"request_id": "req_0f1e2d3c4b5a69788796a5b4"}
NEW_KEY = {"name": "alice", "limits": {"usd_per_day": 5}, "allowed_models": ["haiku"], "expires_in_days": 90}
KEY_CHANGE = {"notes": "On leave until June.", "limits": {"usd_per_day": 2, "requests_per_minute": None}}
NEW_TEAM = {"name": "web", "limits": {"usd_per_month": 200}}
SETTING_CHANGE = {"value": 60}
TEAM_CHANGE = {"limits": {"usd_per_month": 300, "usd_per_day": 20}}
PROJECT_CHANGE = {"description": "What grows where, and when."}


def _collect(collector: Any) -> dict[str, Any]:
    collector.add(_TURN, 0)
    body: dict[str, Any] = collector.body()
    return body


def _stream(encoder: Any) -> str:
    """Return the first events of a stream."""
    written: bytes = b"".join(encoder.encode([event], 0) for event in _TURN)
    events = written.decode().split("\n\n")[:-1]
    more = [": and so on"] if len(events) > SHOWN_EVENTS else []
    return "\n\n".join([*events[:SHOWN_EVENTS], *more, ""])


def _response() -> dict[str, Any]:
    parsed = responses.parse_request({"input": "Say hello."}, [{"role": "user", "content": "Say hello."}], [])
    echoed = {**parsed.echoed, "store": True, "created_at": _CREATED}
    return new_response(f"resp_{_ID}", "claude-haiku-4-5-20251001", echoed)


_CHAT_ID, _COMPLETION_ID, _MESSAGE_ID = f"chatcmpl-{_ID}", f"cmpl-{_ID}", f"msg_{_ID}"

_SESSION = {"session_id": _ID, "project_id": None}
CHAT_ANSWER = _collect(chat_answers.Collector(_CHAT_ID, _CREATED, extra=_SESSION))
CHAT_STREAM = _stream(chat_answers.StreamEncoder(_CHAT_ID, _CREATED, include_usage=True))
COMPLETION_ANSWER = _collect(completions_answers.Collector(_COMPLETION_ID, _CREATED, [""]))
COMPLETION_STREAM = _stream(completions_answers.StreamEncoder(_COMPLETION_ID, _CREATED, [""], False))
RESPONSE_ANSWER = {**_collect(responses_answers.Collector(_response(), False)), "completed_at": _CREATED + 2}
RESPONSE_STREAM = _stream(responses_answers.StreamEncoder(_response(), False))
MESSAGE_ANSWER = _collect(anthropic_answers.Collector(_MESSAGE_ID))
MESSAGE_STREAM = _stream(anthropic_answers.StreamEncoder(_MESSAGE_ID, f"req_{_ID}"))
METRICS = """# HELP gateway_requests_total Requests by route and status
# TYPE gateway_requests_total counter
gateway_requests_total{route="/v1/chat/completions",status="200"} 41.0
"""

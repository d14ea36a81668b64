"""Bodies of real clients are answered in their form, and all of their content reaches the model.

Each body is sent as its client sends it, streamed or not. `make test-all` also sends it the other way.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.standin import Recorded, Reply, StandIn, output, text, tool_calls
from tests.standin.prompt import texts
from tests.support.client_bodies import BODIES as CLIENT_BODIES
from tests.support.client_bodies import PDF, PNG
from tests.support.cursor_bodies import CURSOR_BODIES
from tests.support.gateway import Gateway
from tests.support.recorded import chunks_of
from tests.support.wide import wide_except

Body = dict[str, Any]

ANSWER = "Gern! 🌍"
OUTPUT = "StructuredOutput"
IMAGES = ("image", "image_url", "input_image")
EXAMPLES = {"string": "x", "integer": 1, "boolean": True}
#: Fields in which clients send text, each a string or a list of parts.
TEXT_FIELDS = ("messages", "input", "content", "text", "output", "system", "instructions")


BODIES = CLIENT_BODIES | CURSOR_BODIES
STREAMED = [name for name in BODIES if BODIES[name].get("stream")]
NOT_STREAMED = [name for name in BODIES if name not in STREAMED]


def body_of_client(name: str) -> Body:
    """Return the body of a client without its fields for streaming.

    A body that forces a call of a tool gets a model that accepts it; the newest ones do not.
    """
    body = {key: value for key, value in BODIES[name].items() if key not in ("stream", "stream_options")}
    return {**body, "model": "claude-opus-4-6"} if _forces_call(body) else body


def _forces_call(body: Body) -> bool:
    choice = body.get("tool_choice") or ()
    return choice == "required" or "function" in choice


def model(body: Body) -> Reply:
    """Answer as the model: call a tool if the request forces a call."""
    tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools", ())}
    choice = body.get("tool_choice") or {}
    if OUTPUT in tools or "format" in body.get("output_config", {}):
        return output()(body)
    if choice.get("type") not in ("any", "tool"):
        return text(ANSWER)
    forced = choice.get("name", min(tools))
    properties = tools[forced].get("properties", {})
    return tool_calls([(forced, {name: EXAMPLES[kind["type"]] for name, kind in properties.items()})])


@pytest.mark.parametrize("name", wide_except(BODIES, *NOT_STREAMED))
def test_client_body_gets_a_complete_answer(gateway: Gateway, standin: StandIn, name: str) -> None:
    body = body_of_client(name)
    standin.default(model)
    answer = gateway.api.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    (choice,) = ChatCompletion.model_validate(answer.json()).choices
    called = [call.function.name for call in choice.message.tool_calls or () if call.type == "function"]
    assert_answer(body, choice.message.content or "", called, choice.finish_reason)
    assert_all_arrived(body, standin)


@pytest.mark.parametrize("name", wide_except(BODIES, *STREAMED))
def test_client_body_gets_a_streamed_answer(gateway: Gateway, standin: StandIn, name: str) -> None:
    body = body_of_client(name)
    standin.default(model)
    streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
    with gateway.api.stream("POST", "/v1/chat/completions", json=streamed) as answer:
        lines = answer.read().decode().splitlines()
    assert answer.status_code == 200, lines
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    *parsed, last = map(ChatCompletionChunk.model_validate, chunks_of(data))
    assert last.usage
    assert not last.choices
    deltas = [chunk.choices[0].delta for chunk in parsed]
    functions = [call.function for delta in deltas for call in delta.tool_calls or ()]
    called = [function.name for function in functions if function and function.name]
    written = "".join(delta.content or "" for delta in deltas)
    assert_answer(body, written, called, parsed[-1].choices[0].finish_reason)
    assert_all_arrived(body, standin)


def assert_answer(body: Body, written: str, called: list[str], finish: str | None) -> None:
    """Assert that the text, the called tools and the finish reason fit the request."""
    if body.get("response_format"):
        assert isinstance(json.loads(written), dict)
        assert finish == "stop"
    elif _forces_call(body):
        assert called
        assert set(called) <= set(tool_names(body))
        assert finish == "tool_calls"
    else:
        assert (written, called, finish) == (ANSWER, [], "stop")


def assert_all_arrived(body: Body, standin: StandIn) -> None:
    """Assert that one request with all tools, texts, images and files of the body reached the model."""
    (record,) = standin.messages
    assert record.status == 200
    tools = {tool["name"] for tool in record.body.get("tools", ())}
    assert tools - {OUTPUT} == set(tool_names(body))
    has_output = OUTPUT in tools or "format" in record.body.get("output_config", {})
    assert has_output == bool(body.get("response_format"))
    received = received_text(record)
    assert [text for text in texts_of(body) if text.strip() and text not in received] == []
    blocks = list(blocks_in(record.body["messages"]))
    assert [block["source"] for block in blocks if block["type"] == "image"] == list(
        map(source, images(body))
    )
    answered = [block for block in blocks if block["type"] in ("tool_use", "tool_result")]
    assert len(answered) == 2 * len(list(results(body)))
    documents = [block["source"] for block in blocks if block["type"] == "document"]
    assert [document["data"] for document in documents] == [PDF] * json.dumps(body).count("application/pdf")


def tool_names(body: Body) -> list[str]:
    """Return the names of the functions that a client offers."""
    return [
        tool.get("function", tool)["name"] for tool in [*body.get("tools", ()), *body.get("functions", ())]
    ]


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text in a client's body."""
    if isinstance(value, str):
        yield value
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, dict) and part.get("type") != "custom_tool_call":
            yield from (text for key in TEXT_FIELDS for text in texts_of(part.get(key)))


def images(value: Any) -> Iterator[Body]:
    """Yield every image part of a client's body."""
    if isinstance(value, dict) and value.get("type") in IMAGES:
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from images(inner)


def results(body: Body) -> Iterator[Body]:
    """Yield every tool result of a client's body, in any of the forms that clients use."""
    for item in [*body.get("messages", ()), *body.get("input", ())]:
        if item.get("role") in ("tool", "function") or str(item.get("type")).endswith("_call_output"):
            yield item
        yield from (block for block in blocks_in([item]) if block["type"] == "tool_result")


def source(part: Body) -> Body:
    """Return the source of the image block that the model has to receive for an image part."""
    url = part.get("image_url", "data:")
    url = url["url"] if isinstance(url, dict) else url
    if url.startswith("https:"):
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": "image/png", "data": PNG}


def received_text(record: Recorded) -> str:
    """Return all texts that reached the model, joined by newlines."""
    contents = [record.body["system"], *(message["content"] for message in record.body["messages"])]
    return "\n".join(text for content in contents for text in texts(content))


def blocks_in(messages: list[Body]) -> Iterator[Body]:
    """Yield every content block, those inside tool results too."""
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            yield block
            yield from blocks_in([block])


def test_client_bodies_include_images_and_tool_results() -> None:
    sources = [source(part)["type"] for body in BODIES.values() for part in images(body)]
    assert set(sources) == {"base64", "url"}
    assert len([result for body in BODIES.values() for result in results(body)]) > 10

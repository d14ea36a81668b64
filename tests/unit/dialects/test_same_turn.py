"""The same conversation is the same turn in every dialect, so that the model cannot tell the dialects apart.

tests/model sends one such pair per dialect through the real CLI.
"""

from typing import Any

import pytest

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.common.input_items import as_list
from gateway.dialects.messages.request import parse_request as parse_message
from gateway.dialects.responses.request import parse_request as parse_response
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.messages import MessagesSchema
from gateway.schemas.responses import ResponsesSchema
from gateway.turn import Turn
from tests.support.client_bodies import PNG, PNG_URL
from tests.support.recorded import Body, assistant, system, user
from tests.support.tool_bodies import ANSWERED, CLOCK, WEATHER


def chat_turn(body: Body) -> Turn:
    return parse_chat(ChatCompletionSchema().load(body)).turn


def responses_turn(body: Body) -> Turn:
    loaded = ResponsesSchema().load(body)
    return parse_response(loaded, as_list(loaded["input"]), []).turn


def messages_turn(body: Body) -> Turn:
    return parse_message(MessagesSchema().load(body)).turn


DATA_URL = f"data:image/png;base64,{PNG}"
REPORT: Body = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALLS: list[Body] = [
    {"type": "function_call", "call_id": call["id"], **call["function"]} for call in ANSWERED[1]["tool_calls"]
]
OUTPUTS: list[Body] = [
    {"type": "function_call_output", "call_id": "toolu_oslo", "output": "snow"},
    {
        "type": "function_call_output",
        "call_id": "toolu_rome",
        "output": [{"type": "input_text", "text": "sun"}],
    },
]


def flat(tool: Body) -> Body:
    return {"type": "function", **tool["function"]}


def part(kind: str, **fields: Any) -> Body:
    return {"type": kind, **fields}


#: Pairs of bodies: in the form of chat, and in the form of the Responses API.
CHAT_AND_RESPONSES: dict[str, tuple[Body, Body]] = {
    "text": ({"messages": [user(" hi\n 😀 ")]}, {"input": " hi\n 😀 "}),
    "instructions": (
        {"messages": [system("Be brief."), user("@/etc/hostname")]},
        {"instructions": "Be brief.", "input": "@/etc/hostname"},
    ),
    "turns": (
        {"messages": [system("A"), user("one"), assistant("/clear"), system("B"), user("three")]},
        {
            "instructions": "A",
            "input": [
                user("one"),
                {"type": "message", "role": "assistant", "content": [part("output_text", text="/clear")]},
                {"role": "developer", "content": [part("input_text", text="B")]},
                user([part("input_text", text="three")]),
            ],
        },
    ),
    "images": (
        {"messages": [user([part("text", text="Look"), part("image_url", image_url={"url": DATA_URL})])]},
        {"input": [user([part("input_text", text="Look"), part("input_image", image_url=DATA_URL, detail="auto")])]},
    ),
    "files": (
        {"messages": [user([part("file", file={"file_data": "YWJj", "filename": "a.txt"})])]},
        {"input": [user([part("input_file", file_data="YWJj", filename="a.txt")])]},
    ),
    "tools": (
        {"messages": [user("hi")], "tools": [WEATHER, CLOCK], "tool_choice": "required", "parallel_tool_calls": False},
        {
            "input": "hi",
            "tools": [flat(WEATHER), flat(CLOCK)],
            "tool_choice": "required",
            "parallel_tool_calls": False,
        },
    ),
    "one tool": (
        {
            "messages": [user("hi")],
            "tools": [WEATHER, CLOCK],
            "tool_choice": {"type": "function", "function": {"name": "now"}},
        },
        {
            "input": "hi",
            "tools": [flat(WEATHER), flat(CLOCK)],
            "tool_choice": {"type": "function", "name": "now"},
        },
    ),
    "a tool round": (
        {"messages": ANSWERED, "tools": [WEATHER]},
        {
            "input": [
                ANSWERED[0],
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
                assistant("Let me look."),
                *CALLS,
                *OUTPUTS,
            ],
            "tools": [flat(WEATHER)],
        },
    ),
    "a schema": (
        {
            "messages": [user("Where?")],
            "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": REPORT}},
        },
        {"input": "Where?", "text": {"format": {"type": "json_schema", "name": "r", "schema": REPORT}}},
    ),
    "parameters": (
        {"messages": [user("hi")], "max_completion_tokens": 5000, "temperature": 0.5, "model": "claude-haiku-4-5"},
        {"input": "hi", "max_output_tokens": 5000, "temperature": 0.5, "model": "claude-haiku-4-5"},
    ),
    "effort": (
        {"messages": [user("hi")], "reasoning_effort": "high", "model": "opus"},
        {"input": "hi", "reasoning": {"effort": "high", "summary": "auto"}, "model": "opus"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("chat", "responses"), CHAT_AND_RESPONSES.values(), ids=CHAT_AND_RESPONSES)
def test_chat_and_responses_become_the_same_turn(chat: Body, responses: Body) -> None:
    assert responses_turn(responses) == chat_turn(chat)


IMAGE: Body = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CHAT_IMAGE: Body = {"type": "image_url", "image_url": {"url": PNG_URL}}
ANTHROPIC_WEATHER: Body = {
    "name": "get_weather",
    "description": WEATHER["function"]["description"],
    "input_schema": WEATHER["function"]["parameters"],
    "strict": True,
}
USE: Body = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rome"}}
CHAT_CALL: Body = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
}
#: Pairs of bodies: in the form of chat, and in the form of the Messages API.
CHAT_AND_MESSAGES: dict[str, tuple[Body, Body]] = {
    "system and turns": (
        {"messages": [system("Be brief."), user("hi"), assistant("ho"), user("hi")]},
        {"system": "Be brief.", "messages": [user("hi"), assistant("ho"), user("hi")]},
    ),
    "images and parameters": (
        {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, CHAT_IMAGE]}],
            "temperature": 0.5,
            "stop": ["END"],
        },
        {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]}],
            "temperature": 0.5,
            "stop_sequences": ["END"],
        },
    ),
    "tools": (
        {
            "messages": [user("hi")],
            "tools": [WEATHER],
            "tool_choice": "required",
            "parallel_tool_calls": False,
        },
        {
            "messages": [user("hi")],
            "tools": [ANTHROPIC_WEATHER],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
    ),
    "a tool round": (
        {
            "messages": [
                user("hi"),
                {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL]},
                {
                    "role": "tool",
                    "tool_call_id": "toolu_1",
                    "content": [{"type": "text", "text": "sun"}, CHAT_IMAGE],
                },
            ],
            "tools": [WEATHER],
        },
        {
            "messages": [
                user("hi"),
                {"role": "assistant", "content": [{"type": "text", "text": "I look."}, USE]},
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_1",
                            "content": [{"type": "text", "text": "sun"}, IMAGE],
                        }
                    ],
                },
            ],
            "tools": [ANTHROPIC_WEATHER],
        },
    ),
}


@pytest.mark.parametrize(("chat", "messages"), CHAT_AND_MESSAGES.values(), ids=CHAT_AND_MESSAGES)
def test_chat_and_messages_become_the_same_turn(chat: Body, messages: Body) -> None:
    limit = {"model": "claude-haiku-4-5", "max_tokens": 9000}
    off = {"thinking": {"type": "disabled"}}  # the default of the Messages API only
    assert messages_turn(limit | messages) == chat_turn(limit | off | chat)

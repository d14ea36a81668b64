"""The same conversation in chat's form and in the Responses API's is the same request to the model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.standin import StandIn, text, tool_calls
from tests.support.client_bodies import PNG
from tests.support.gateway import Gateway
from tests.support.recorded import Body, assistant, system, user
from tests.support.tool_bodies import ANSWERED, CLOCK, WEATHER, comparable_body

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


#: In chat's form, and in the Responses API's.
SAME: dict[str, tuple[Body, Body]] = {
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


@pytest.mark.parametrize(("chat", "responses"), SAME.values(), ids=SAME)
def test_chat_and_responses_send_the_model_the_same_request(
    gateway: Gateway, standin: StandIn, chat: Body, responses: Body
) -> None:
    standin.default(
        lambda body: (
            tool_calls([("StructuredOutput", {"city": "Rome"})])
            if any(tool["name"] == "StructuredOutput" for tool in body.get("tools", ()))
            else text("Understood.")
        )
    )
    seen = []
    for path, body in (("chat/completions", chat), ("responses", {**responses, "store": False})):
        before = len(standin.messages)
        answer = gateway.api.post(f"/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        # The CLI of another conversation may be ending still, and its last request come in between.
        seen.append([comparable_body(record) for record in list(standin.messages)[before:]])
    by_chat, by_responses = seen
    assert by_chat
    assert any(record in by_chat for record in by_responses)

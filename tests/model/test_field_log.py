"""Requests of kinds that clients' users reported as broken elsewhere: right in every dialect, whole and streamed.

Each row has several requests of one kind in one body. Repairs of the past, images and structured output have modules of
their own: test_history_repair, test_images, test_structured_output, test_system_notes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.standin import StandIn, text
from tests.support.gateway import Gateway
from tests.support.recorded import Body
from tests.support.wide import wide

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
HAIKU, OPUS = "claude-haiku-4-5", "claude-opus-4-6"
HELLO: dict[str, Body] = {
    CHAT: {"messages": [{"role": "user", "content": "Hello."}]},
    RESPONSES: {"input": "Hello."},
    MESSAGES: {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5000},
}


@dataclass(frozen=True)
class Case:
    """A body, and parts of the model's request and of the response's headers that it leads to."""

    path: str
    body: Body
    sent: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    headers: Mapping[str, str | None] = field(default_factory=dict)
    betas: str = ""


def tools_of(path: str, schemas: Mapping[str, Any]) -> list[Body]:
    """Return a tool with each of the schemas, in the form of the dialect."""
    if path == MESSAGES:
        return [{"name": name, "input_schema": schema} for name, schema in schemas.items()]
    functions = [{"name": name, "parameters": schema} for name, schema in schemas.items()]
    if path == RESPONSES:
        return [{"type": "function", **function} for function in functions]
    return [{"type": "function", "function": function} for function in functions]


# https://github.com/prism-php/bedrock/issues/24, https://github.com/use-novamira/novamira/issues/82
ODD_SCHEMAS: dict[str, Any] = {
    "php": {"type": "object", "properties": []},
    "odata": {
        "type": "object",
        "properties": {"$select": {"type": "string"}, "filter[name]": {"type": "string"}},
    },
    "pascal": {
        "type": "object",
        "properties": {"n": {"type": "int"}, "m": {"type": "STRING", "required": True}},
    },
    "union": {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object"}]},
    "reference": {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}},
    "units": {"type": "object", "properties": {"unit": {"type": "string", "enum": ["µg/m³", "10⁻³"]}}},
}

# https://github.com/HarnessRouter/harnessrouter/issues/202, https://github.com/lidge-jun/opencodex/issues/3204
PATCH_TOOL: Body = {
    "name": "apply_patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "x: /a/"},
}
LOOK: Body = {"name": "look", "parameters": {"type": "object", "properties": {}}}

CASES: dict[str, Case] = {
    "custom tools, nested and flat, next to hosted ones, in chat": Case(
        CHAT,
        {
            "tools": [
                {"type": "custom", "custom": PATCH_TOOL},
                {"type": "custom", "name": "shell"},
                {"type": "function", "function": LOOK},
                {"type": "web_search"},
                {"type": "image_generation"},
            ]
        },
        tools=("apply_patch", "shell", "look"),
        headers={"x-ignored-parameters": "tools[3], tools[4]"},
    ),
    # https://github.com/QuantumNous/new-api/issues/1679
    "thinking budget above the limit with interleaved thinking": Case(
        MESSAGES,
        {"model": HAIKU, "max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 31999}},
        {"max_tokens": 5000},
        headers={"x-repaired": "parameter-adjusted"},
        betas="interleaved-thinking-2025-05-14",
    ),
    "limits, stops and efforts out of range in chat": Case(
        CHAT,
        {
            "model": OPUS,
            "max_tokens": -1,
            "stop": [f"s{number}" for number in range(9)],
            "reasoning_effort": "ultra",
        },
        {"stop_sequences": [f"s{number}" for number in range(9)]},
        headers={"x-repaired": "parameter-adjusted"},
    ),
    "limits and efforts out of range in responses": Case(
        RESPONSES,
        {"model": OPUS, "max_output_tokens": 4096.0, "reasoning": {"effort": "ultra"}},
        {"max_tokens": 4096},
        headers={"x-repaired": "parameter-adjusted"},
    ),
    "limit as a decimal and stops in messages": Case(
        MESSAGES,
        {"model": OPUS, "max_tokens": 4096.0, "stop_sequences": [f"s{number}" for number in range(9)]},
        {"max_tokens": 4096, "stop_sequences": [f"s{number}" for number in range(9)]},
    ),
    **{
        f"schemas that the API rejects in {path}": Case(
            path,
            {"tools": tools_of(path, ODD_SCHEMAS)},
            tools=tuple(ODD_SCHEMAS),
            headers={"x-repaired": "tool-schema"},
        )
        for path in HELLO
    },
    **{
        f"model {spelling} in {path}": Case(
            path, {"model": spelling}, {"model": "claude-sonnet-4-5-20250929"}
        )
        for path, spelling in (
            (CHAT, "anthropic/claude-sonnet-4.5"),
            (RESPONSES, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            (MESSAGES, "claude-sonnet-4-5@20250929"),
        )
    },
}


@pytest.mark.parametrize("stream", [False, pytest.param(True, marks=wide)], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_reported_kinds_of_requests_reach_the_model(
    gateway: Gateway, standin: StandIn, case: Case, stream: bool
) -> None:
    standin.default(text("Fine."))
    body = {**HELLO[case.path], "model": "sonnet", **case.body, "stream": stream}
    headers = {"anthropic-beta": case.betas} if case.betas else {}
    answer = gateway.api.post(case.path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "Fine." in answer.text
    sent = standin.messages.last.body
    assert {name: sent.get(name) for name in case.sent} == case.sent
    assert tuple(tool["name"] for tool in sent.get("tools") or ()) == case.tools
    assert {name: answer.headers.get(name) for name in case.headers} == case.headers

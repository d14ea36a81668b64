"""The client's tools are the model's tools: definitions, choice, calls and results pass through the real CLI."""

import json
from typing import Any

import pytest

from tests.standin import Reply, StandIn, error, text, tool_calls
from tests.support.api_client import body_of
from tests.support.gateway import Gateway
from tests.support.single_answer import single_answer
from tests.support.tool_bodies import (
    ANSWERED,
    ASKED,
    CLOCK,
    MODELS,
    WEATHER,
    Body,
    assistant_calls,
    recorded_blocks,
    script_weather,
    tool_call,
    tool_result,
)


def function_tool(name: str, **fields: Any) -> Body:
    return {"type": "function", "function": {"name": name, **fields}}


def sent_tools(standin: StandIn) -> dict[str, Body]:
    return {tool["name"]: tool for tool in standin.messages.last.body["tools"]}


# Definitions


@pytest.mark.parametrize("model", MODELS)
def test_tool_definitions_reach_the_model(gateway: Gateway, standin: StandIn, model: str | None) -> None:
    answer = gateway.api.chat(tools=[WEATHER, CLOCK], model=model)
    assert answer.status_code == 200, answer.text
    function = WEATHER["function"]
    assert standin.messages.last.body["tools"] == [  # and no tool of the CLI
        {
            "name": "get_weather",
            "description": "The weather of a city.",
            "input_schema": function["parameters"],
            "strict": True,
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_long_descriptions_and_large_schemas_are_not_truncated(gateway: Gateway, standin: StandIn) -> None:
    properties = {f"p{i}": {"type": "string", "description": "x" * 300} for i in range(50)}
    tools = [
        function_tool(
            f"tool_{i}", description="d" * 5000, parameters={"type": "object", "properties": properties}
        )
        for i in range(60)
    ]
    assert gateway.api.chat(tools=tools).status_code == 200
    received = sent_tools(standin)
    assert len(received) == 60
    assert all(len(tool["description"]) == 5000 for tool in received.values())
    assert all(tool["input_schema"]["properties"] == properties for tool in received.values())


@pytest.mark.parametrize(
    "name",
    # tests/unit/claude/test_tool_names.py shows the mapping.
    ["ünïcode", "x" * 200],
)
def test_tool_names_the_api_rejects_are_mapped_and_restored(
    gateway: Gateway, standin: StandIn, name: str
) -> None:
    standin.default(lambda body: tool_calls([(body["tools"][0]["name"], {"a": 1})]))
    answer = gateway.api.chat(tools=[function_tool(name)]).json()
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == name
    standin.default(text("done"))
    messages = [*ASKED, assistant_calls(call), tool_result(call["id"], "r")]
    assert gateway.api.chat(messages=messages, tools=[function_tool(name)]).status_code == 200
    (use_block,) = recorded_blocks(standin.messages.last, 1)
    assert use_block["name"] in sent_tools(standin)


def test_calls_have_the_form_of_the_original_schema(gateway: Gateway, standin: StandIn) -> None:
    """https://github.com/ComposioHQ/composio/issues/3500, and a tool whose schema is a union."""
    union = {"anyOf": [{"type": "object", "properties": {"größe": {"type": "int"}}}]}
    odata = {"type": "object", "properties": {"$top": {"type": "integer"}}, "required": ["$top"]}
    tools = [
        function_tool("list", parameters=odata),
        function_tool("either", parameters={**union, "allOf": []}),
    ]

    def model(body: Body) -> Reply:
        (alias,) = body["tools"][0]["input_schema"]["properties"]
        return tool_calls([("list", {alias: 3}, "toolu_1")])

    standin.reply(model, times=1)
    answer = gateway.api.chat(messages=ASKED, tools=tools)
    assert answer.headers["x-repaired"] == "tool-schema"
    (call,) = body_of(answer)["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"$top": 3}
    messages = [
        *ASKED,
        assistant_calls(call),
        tool_result("toolu_1", "r"),
        {"role": "user", "content": "and"},
    ]
    seeded = gateway.api.with_key("another").chat(messages=messages, tools=tools)
    assert seeded.status_code == 200, seeded.text
    (alias,) = standin.messages.last.body["tools"][0]["input_schema"]["properties"]
    (use_block,) = recorded_blocks(standin.messages.last, 1)
    assert use_block["input"] == {alias: 3}


def test_rejected_strict_tools_are_sent_again_without_strict(gateway: Gateway, standin: StandIn) -> None:
    # https://github.com/anthropics/anthropic-sdk-typescript/issues/885
    message = "The compiled grammar is too large, which would cause performance issues."
    standin.default(text("Done."))
    standin.reply(error(400, message=message), when=lambda body: "strict" in body["tools"][0])
    counts = []
    for _ in range(2):
        answer = gateway.api.chat(tools=[WEATHER], system_prompt="Many tools.")
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ignored-parameters"] == "tools.strict"
        counts.append(len(standin.messages))
    assert counts[1] == counts[0] + 1  # the second time, strict is not tried


# Tool choice


@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-haiku-4-5"]
)  # the second may not think when a call is forced
def test_tool_choice_reaches_the_model(gateway: Gateway, standin: StandIn, model: str) -> None:
    answer = gateway.api.chat(
        tools=[WEATHER, CLOCK], model=model, tool_choice=function_tool("now"), parallel_tool_calls=False
    )
    assert answer.status_code == 200, answer.text
    choice = {"type": "tool", "name": "now", "disable_parallel_tool_use": True}
    assert standin.messages.last.body["tool_choice"] == choice


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-fable-5-1"])
def test_models_that_reject_a_forced_call_choose_freely(
    gateway: Gateway, standin: StandIn, model: str
) -> None:
    """The second is not in the CLI's catalog, so the gateway learns it from the API's error."""
    for _ in range(2):
        standin.reset()
        answer = gateway.api.chat(tools=[CLOCK], model=model, tool_choice="required")
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ignored-parameters"] == "tool_choice"
        assert "tool_choice" not in standin.messages.last.body
    assert len(standin.messages) == 1


def test_allowed_tools_are_the_only_tools_offered(gateway: Gateway, standin: StandIn) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "now"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    answer = gateway.api.chat(tools=[WEATHER, CLOCK], tool_choice=choice, model="claude-opus-4-6")
    assert answer.status_code == 200
    assert set(sent_tools(standin)) == {"now"}
    assert standin.messages.last.body["tool_choice"] == {"type": "any"}


# Calls


def test_tool_calls_stream_as_they_are_written(gateway: Gateway, standin: StandIn) -> None:
    script_weather(standin)
    chunks = [
        json.loads(event)
        for event in gateway.api.stream_chat(messages=ASKED, tools=[WEATHER])
        if event != "[DONE]"
    ]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    parts = [part for delta in deltas for part in delta.get("tool_calls", [])]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Let me look."
    heads = [part for part in parts if "id" in part]
    assert [(head["index"], head["id"], head["type"], head["function"]["name"]) for head in heads] == [
        (0, "toolu_rome", "function", "get_weather"),
        (1, "toolu_oslo", "function", "get_weather"),
    ]
    fragments = [[p["function"]["arguments"] for p in parts if p["index"] == i] for i in (0, 1)]
    assert [json.loads("".join(texts)) for texts in fragments] == [{"city": "Rome 😀"}, {"city": "Oslo"}]
    assert all(len(texts) > 2 for texts in fragments)  # in fragments
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_tool_calls_come_with_usage_and_cost(gateway: Gateway, standin: StandIn) -> None:
    script_weather(standin)
    body = gateway.api.chat(messages=ASKED, tools=[WEATHER], model="claude-haiku-4-5").json()
    message = body["choices"][0]["message"]
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["get_weather"] * 2
    assert body["usage"]["completion_tokens"] > 0
    assert body["usage"]["cost"] > 0
    assert len(standin.messages) == 1


def test_deprecated_functions_make_a_round_trip(gateway: Gateway, standin: StandIn) -> None:
    standin.default(tool_calls([("now", {}, "toolu_now")]))
    body = gateway.api.chat(functions=[CLOCK["function"]], function_call="auto").json()
    assert body["choices"][0]["message"]["function_call"] == {"name": "now", "arguments": "{}"}
    assert body["choices"][0]["finish_reason"] == "function_call"
    standin.default(text("noon"))
    calling = {"role": "assistant", "content": None, "function_call": {"name": "now", "arguments": "{}"}}
    messages = [*ASKED, calling, {"role": "function", "name": "now", "content": "12:00"}]
    assert gateway.api.chat(messages=messages, functions=[CLOCK["function"]]).status_code == 200
    (use_block,) = recorded_blocks(standin.messages.last, 1)
    (result_block,) = recorded_blocks(standin.messages.last, 2)
    assert (use_block["name"], use_block["id"]) == ("now", result_block["tool_use_id"])
    assert result_block["content"] == [{"type": "text", "text": "12:00"}]


def test_call_of_an_unknown_tool_ends_the_answer(gateway: Gateway, standin: StandIn) -> None:
    with single_answer(gateway, standin, tool_calls([("made_up", {"x": 1}, "toolu_x")])):
        choice = gateway.api.chat(tools=[CLOCK]).json()["choices"][0]
        assert choice["message"]["tool_calls"][0]["function"]["name"] == "made_up"


# Results


@pytest.mark.parametrize("model", MODELS)
def test_tool_results_reach_the_model_as_tool_results(
    gateway: Gateway, standin: StandIn, model: str | None
) -> None:
    answer = gateway.api.chat(messages=ANSWERED, tools=[WEATHER], model=model, system_prompt="Seeded.")
    assert answer.status_code == 200, answer.text
    record = standin.messages.last
    assert recorded_blocks(record, 1) == [
        {"type": "text", "text": "Let me look."},
        {
            "type": "tool_use",
            "id": "toolu_rome",
            "name": "get_weather",
            "input": {"city": "Rome 😀"},
        },
        {
            "type": "tool_use",
            "id": "toolu_oslo",
            "name": "get_weather",
            "input": {"city": "Oslo"},
        },
    ]
    assert recorded_blocks(record, 2) == [
        {"type": "tool_result", "tool_use_id": "toolu_rome", "content": [{"type": "text", "text": "sun"}]},
        {"type": "tool_result", "tool_use_id": "toolu_oslo", "content": [{"type": "text", "text": "snow"}]},
    ]


def test_long_and_empty_tool_results_arrive_unchanged(gateway: Gateway, standin: StandIn) -> None:
    long = "wörd @/etc/hostname " * 15_000
    call = assistant_calls(tool_call("now", "", "a"), tool_call("now", "{}", "b"))
    messages = [
        *ASKED,
        call,
        tool_result("a", long),
        tool_result("b", None),
        {"role": "user", "content": "/clear"},
    ]
    assert gateway.api.chat(messages=messages, tools=[CLOCK]).status_code == 200
    first, second, last = recorded_blocks(standin.messages.last, 2)
    assert first["content"] == [{"type": "text", "text": long}]
    assert not second.get("content")
    assert last == {"type": "text", "text": "/clear"}


def test_call_ids_the_api_rejects_are_mapped(gateway: Gateway, standin: StandIn) -> None:
    messages = [*ASKED, assistant_calls(tool_call("now", {}, "call:1/ü")), tool_result("call:1/ü", "x")]
    assert gateway.api.chat(messages=messages, tools=[CLOCK]).status_code == 200
    (use_block,) = recorded_blocks(standin.messages.last, 1)
    (result_block,) = recorded_blocks(standin.messages.last, 2)
    assert use_block["id"] == result_block["tool_use_id"]


def test_results_of_calls_with_similar_ids_arrive(gateway: Gateway, standin: StandIn) -> None:
    ids = ["a", "a_2", "a", "b_1", "b"]  # the CLI takes `a_2` for a copy of `a`
    rounds = [
        part
        for number, id_ in enumerate(ids)
        for part in (assistant_calls(tool_call("now", {}, id_)), tool_result(id_, f"result {number}"))
    ]
    assert gateway.api.chat(messages=[*ASKED, *rounds], tools=[CLOCK]).status_code == 200
    results = [recorded_blocks(standin.messages.last, index)[0] for index in range(2, 11, 2)]
    assert [result["content"][0]["text"] for result in results] == [f"result {n}" for n in range(5)]


def test_call_without_a_result_gets_an_error(gateway: Gateway, standin: StandIn) -> None:
    calls = assistant_calls(tool_call("now", {}, "x"), tool_call("now", {}, "y"))
    answer = gateway.api.chat(messages=[*ASKED, calls, tool_result("x", "r")], tools=[CLOCK])
    assert answer.headers["x-repaired"] == "missing-result"
    done, missing = recorded_blocks(standin.messages.last, 2)
    assert (done["tool_use_id"], missing["tool_use_id"]) == ("x", "y")
    assert missing["is_error"] is True

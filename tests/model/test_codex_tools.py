"""The tools of Codex through the real CLI: custom tools, namespaces, and tools that run at OpenAI."""

import json
from typing import Any

from tests.standin import StandIn, text, tool_calls
from tests.support.api_client import body_of
from tests.support.gateway import Gateway
from tests.support.tool_bodies import recorded_blocks
from tests.unit.dialects.test_tool_forms import CODEX, PATCH

CALLS = [("apply_patch", {"input": PATCH}, "toolu_patch"), ("mcp__docs__search", {"q": "x"}, "toolu_docs")]


def test_codex_calls_its_tools_and_sends_the_results(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("Done."))
    standin.reply(tool_calls(CALLS), times=1)
    answer = gateway.api.post("/v1/responses", json=CODEX)
    lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
    items: list[dict[str, Any]] = json.loads(lines[-1][6:])["response"]["output"]
    calls = [item for item in items if item["type"] != "reasoning"]
    assert [(call["type"], call["name"], call.get("namespace")) for call in calls] == [
        ("custom_tool_call", "apply_patch", None),
        ("function_call", "search", "mcp__docs"),
    ]
    assert calls[0]["input"] == PATCH
    assert answer.headers["x-ignored-parameters"] == "tools[2], tools[4], tools[5]"
    offered = [tool["name"] for tool in standin.messages.last.body["tools"]]
    assert offered == ["shell", "apply_patch", "mcp__docs__search"]

    results = [
        {"type": "custom_tool_call_output", "call_id": calls[0]["call_id"], "output": "Success."},
        {"type": "function_call_output", "call_id": calls[1]["call_id"], "output": "Found."},
    ]
    later = {**CODEX, "input": [*CODEX["input"], *items, *results], "stream": False}
    assert (
        body_of(gateway.api.post("/v1/responses", json=later))["output"][-1]["content"][0]["text"] == "Done."
    )
    used = [block for block in recorded_blocks(standin.messages.last, 1) if block["type"] == "tool_use"]
    assert [(block["name"], block["input"]) for block in used] == [(name, given) for name, given, _ in CALLS]


def test_codex_compacts_its_conversation_and_goes_on(gateway: Gateway, standin: StandIn) -> None:
    standin.default(text("The user wants a.py fixed."))
    compacted = body_of(gateway.api.post("/v1/responses/compact", json={**CODEX, "stream": False}))
    assert [item["type"] for item in compacted["output"]] == ["message", "compaction"]
    assert standin.messages.last.body["tool_choice"]["type"] == "none"

    triggered = {**CODEX, "input": [*CODEX["input"], {"type": "compaction_trigger"}], "stream": False}
    answer = body_of(gateway.api.post("/v1/responses", json=triggered))
    assert [item["type"] for item in answer["output"]] == ["compaction"]
    assert standin.messages.last.body["tool_choice"]["type"] == "none"

    later = [*compacted["output"], {"role": "user", "content": "Go on."}]
    body_of(gateway.api.post("/v1/responses", json={**CODEX, "input": later, "stream": False}))
    texts = [block["text"] for block in recorded_blocks(standin.messages.last, 0)]
    assert texts[-2:] == ["Summary of the conversation so far:\n\nThe user wants a.py fixed.", "Go on."]


def test_codex_counts_the_tokens_of_its_input(gateway: Gateway) -> None:
    counted = body_of(gateway.api.post("/v1/responses/input_tokens", json=CODEX))
    assert counted["object"] == "response.input_tokens"
    assert counted["input_tokens"] > 0

"""Items that bring tools, change the effort or ask for a compaction, as Codex 0.171 sends them for its own models."""

from typing import Any

import pytest

from gateway.dialects.common.compaction import read_summary
from gateway.dialects.responses.answers import Collector, StreamEncoder
from gateway.dialects.responses.builder import new_response
from gateway.dialects.responses.compaction import asks_to_compact
from gateway.errors import UpstreamError
from gateway.turn import Done, Event, Started, Text, Thinking, ToolArguments, ToolCall, Usage
from tests.unit.dialects.test_responses_dialect import error_of, parse
from tests.unit.dialects.test_tool_forms import SEARCH, SHELL

Item = dict[str, Any]

EXEC = {"type": "custom", "name": "exec", "description": "Run JavaScript."}
FUNCTIONS = {"type": "namespace", "name": "functions", "description": "", "tools": [EXEC]}
ADDED: Item = {"type": "additional_tools", "role": "developer", "tools": [FUNCTIONS]}
DEVELOPER: Item = {
    "type": "message",
    "role": "developer",
    "content": [{"type": "input_text", "text": "Be brief."}],
}
HELLO: Item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
ANSWER: Item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}
#: https://platform.openai.com/docs/guides/tools-tool-search#client-executed-tool-search
TOOL_SEARCH = {
    "type": "tool_search",
    "execution": "client",
    "description": "Find tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}
FOUND: list[Item] = [
    {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "docs"}},
    {
        "type": "tool_search_output",
        "call_id": "c",
        "execution": "client",
        "tools": [{"type": "namespace", "name": "docs", "tools": [{**SEARCH, "defer_loading": True}]}],
    },
]


def test_tools_of_an_item_are_offered_and_the_system_prompt_stays_whole() -> None:
    parsed = parse({"input": [ADDED, DEVELOPER, HELLO, {"type": "configuration_update"}]})
    assert [tool.name for tool in parsed.turn.tools] == ["functions__exec"]
    assert parsed.turn.system == ("Be brief.",)
    assert [message.role for message in parsed.turn.messages] == ["user"]
    assert (parsed.ignored, parsed.repaired) == ((), ())
    form = parsed.tool_forms["functions__exec"]
    assert (form.name, form.namespace, form.is_custom) == ("exec", "functions", True)


def test_newest_definition_of_a_tool_counts() -> None:
    newer = {**ADDED, "tools": [{**FUNCTIONS, "tools": [{**EXEC, "description": "Newer."}]}]}
    turn = parse({"tools": [SHELL], "input": [ADDED, HELLO, ANSWER, newer, HELLO]}).turn
    assert [tool.name for tool in turn.tools] == ["shell", "functions__exec"]
    assert turn.tools[1].description == "Newer."
    assert parse({"input": [HELLO]}, [ADDED, HELLO, ANSWER]).turn.tools


def test_malformed_tools_are_refused_only_in_new_items() -> None:
    wrong = {"type": "additional_tools", "tools": [{"type": "namespace", "tools": []}]}
    assert error_of({"input": [HELLO, wrong]}).param == "input[1].tools[0].name"
    parsed = parse({"input": [wrong, HELLO, ANSWER, HELLO]})
    assert [repair.path for repair in parsed.repaired] == ["input[0].tools[0]"]


@pytest.mark.parametrize(
    ("items", "effort"),
    [
        ([HELLO, {"type": "configuration_update", "reasoning": {"effort": "high"}}], "high"),
        ([{"type": "configuration_update", "reasoning": {"effort": "high"}}, HELLO, ANSWER, HELLO], "high"),
        ([HELLO, {"type": "configuration_update", "reasoning": None}], "low"),
    ],
)
def test_newest_change_of_the_effort_counts(items: list[Item], effort: str) -> None:
    assert parse({"reasoning": {"effort": "low"}, "input": items}).turn.effort == effort


def test_tool_search_of_the_client_is_called_and_finds_tools() -> None:
    parsed = parse({"tools": [TOOL_SEARCH], "input": [HELLO, *FOUND]})
    assert [tool.name for tool in parsed.turn.tools] == ["tool_search", "docs__search"]
    assert "defer_loading" not in parsed.turn.tools[1].options
    assert parsed.turn.messages[1].content[-1]["name"] == "tool_search"
    collector = Collector(new_response("resp_1", "m", {}), False, tool_forms=parsed.tool_forms)
    call: list[Event] = [
        ToolCall(0, "toolu_1", "tool_search"),
        ToolArguments(0, '{"query": '),
        ToolArguments(0, '"docs"}'),
    ]
    collector.add([Started("m"), *call, Done("tool_use", Usage())])
    (item,) = collector.body()["output"]
    assert {key: item[key] for key in ("type", "call_id", "execution", "arguments")} == {
        "type": "tool_search_call",
        "call_id": "toolu_1",
        "execution": "client",
        "arguments": {"query": "docs"},
    }


def test_trigger_makes_the_answer_a_compaction() -> None:
    trigger = {"type": "compaction_trigger"}
    assert asks_to_compact([HELLO, trigger])
    assert not asks_to_compact([trigger, HELLO])
    assert not asks_to_compact([])
    encoder = StreamEncoder(new_response("resp_1", "m", {}), False, compacts=True)
    events: list[Event] = [
        Started("m"),
        Thinking("Hm."),
        Text("A summary"),
        Text(" of all."),
        Done("end_turn", Usage()),
    ]
    streamed = encoder.encode(events).decode()
    assert "A summary" not in streamed
    assert streamed.count("event: response.output_item.done") == 1
    collector = Collector(new_response("resp_1", "m", {}), False, compacts=True)
    collector.add(events)
    (item,) = collector.body()["output"]
    assert (item["type"], read_summary(item["encrypted_content"])) == ("compaction", "A summary of all.")


def test_compaction_without_a_summary_fails() -> None:
    collector = Collector(new_response("resp_1", "m", {}), False, compacts=True)
    with pytest.raises(UpstreamError):
        collector.add([Started("m"), Done("end_turn", Usage())])

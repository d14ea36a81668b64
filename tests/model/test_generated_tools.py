"""Generated lists of tools pass through the real CLI: the definitions, the model's calls, and the results.

tests/unit/claude/test_tool_fidelity.py has many more examples without the CLI.
"""

from hypothesis import HealthCheck, example, given, settings

from tests.standin import Reply, StandIn, text, tool_calls
from tests.support.api_client import body_of
from tests.support.gateway import Gateway
from tests.support.tool_lists import TRICKY_NAMES, Body, assert_same_tools, tool_lists

ASKED: list[Body] = [{"role": "user", "content": "Call all of them."}]
TRICKY: list[Body] = [
    {"name": name, "description": "", "input_schema": {"type": "object"}}
    for name in (
        *TRICKY_NAMES,
        "constructor",
        "toString",
        "AskUserQuestion",
        "ExitPlanMode",
        "ünïcode",
        "y" * 200,
    )
]
MANY: list[Body] = [
    {"name": f"tool_{index}", "description": "d" * 1000, "input_schema": {"type": "object"}}
    for index in range(500)
]


def call_some(body: Body) -> Reply:
    """Let the model call up to ten of the tools that it is offered."""
    names = [tool["name"] for tool in body["tools"][-10:]]
    return tool_calls([(name, {"a": index}, f"toolu_{index}") for index, name in enumerate(names)])


def ask(gateway: Gateway, tools: list[Body], messages: list[Body]) -> list[Body]:
    """Send the tools and messages to the Messages API, and return the blocks of the answer."""
    body = {"model": "claude-opus-4-6", "max_tokens": 9000, "tools": tools, "messages": messages}
    content: list[Body] = body_of(gateway.api.post("/v1/messages", json=body))["content"]
    return content


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tools=tool_lists(max_size=12))
@example(tools=TRICKY)
@example(tools=MANY)
def test_generated_tools_make_a_round_trip(gateway: Gateway, standin: StandIn, tools: list[Body]) -> None:
    standin.begin()  # processes of the last example may still send a request
    standin.default(text("Done."))
    standin.reply(call_some, times=1)
    content = ask(gateway, tools, ASKED)
    calls = [block for block in content if block["type"] == "tool_use"]
    assert [call["name"] for call in calls] == [tool["name"] for tool in tools[-10:]]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "r"} for call in calls]
    history = [*ASKED, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    assert ask(gateway, tools, history)[0]["text"] == "Done."
    assert [record.status for record in standin.messages] == [200, 200]
    for record in standin.messages:
        assert_same_tools(tools, record.body["tools"])
    made = standin.messages.last.body["messages"][1]["content"]
    offered = standin.messages.last.body["tools"]
    assert [call["name"] for call in made] == [tool["name"] for tool in offered[-10:]]

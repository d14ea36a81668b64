"""Agent loops of widely used clients: the client sees every answer, and the model one growing conversation.

Each client is a script in tests/clients/agent_loops. Its agent makes two calls at once and then a call that fails. It
ends with text or, if it asked for structured output, with an object.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.agent_loops.environments import HERE, node, python_for, seen_by
from tests.clients.agent_loops.toolbox import NO_MAILBOX, QUESTION, REPORT
from tests.clients.test_sdks import python_with
from tests.standin import Recorded, Reply, StandIn, output, text, thinking, tool_calls
from tests.standin.prompt import last_user_text, texts
from tests.support.gateway import Gateway
from tests.support.tool_bodies import recorded_blocks
from tests.support.wide import wide_except

Body = dict[str, Any]

OUTPUT = "StructuredOutput"
FINAL = "21 °C in both; the mail did not go out."
FOUND = {"city": "Paris", "degrees": 21}
THOUGHT = "Both at once."
MAIL = {"to": ["ann@example.com"], "subject": "Wetter 🌦"}
CALLS: list[list[tuple[str, Body, str]]] = [
    [("get_weather", {"city": "Paris"}, "toolu_paris"), ("get_weather", {"city": "東京"}, "toolu_tokyo")],
    [("send_mail", MAIL, "toolu_mail")],
    [],
]
PARAMETERS = {"get_weather": {"city"}, "send_mail": {"to", "subject"}}
#: The tokens of each round: new input, read from the cache, written to the cache, and output.
TOKENS = [(100, 20, 3, 7), (40, 120, 9, 5), (10, 160, 8, 11)]
TEXTS = ["I look both up.", "", FINAL]
EXCHANGED = [(sum(prompt), answer) for *prompt, answer in TOKENS]


def tools_of(body: Body) -> dict[str, Body]:
    return {tool["name"]: tool for tool in body.get("tools", ())}


def results_in(body: Body) -> list[Body]:
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [block for content in contents for block in content if block["type"] == "tool_result"]


def asks_for_output(body: Body) -> bool:
    """Return True if the request asks for structured output, in the API's way or the CLI's."""
    return "format" in body.get("output_config", {}) or OUTPUT in tools_of(body)


def model(body: Body) -> Reply:
    """Answer as the model, whose next step depends on the number of tool results in the request."""
    if REPORT in last_user_text(body):
        is_forced = bool(tools_of(body).keys() - {OUTPUT})
        return tool_calls([(next(iter(tools_of(body))), FOUND)]) if is_forced else output(FOUND)(body)
    step = {0: 0, 2: 1, 3: 2}[len(results_in(body))]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    usage = dict(zip(names, TOKENS[step], strict=True))
    if step == 2:
        return output(FOUND, usage=usage)(body) if asks_for_output(body) else text(FINAL, usage=usage)
    calls = [(name, given, call_id) for name, given, call_id in CALLS[step]]
    reply = tool_calls(calls, text=TEXTS[step], usage=usage)
    return reply if step else thinking(THOUGHT, reply)


def python(name: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [
        str(python_for(name)),
        "-m",
        f"tests.clients.agent_loops.client_{name}",
        "{url}",
        *arguments,
    ]


def openai(version: str, script: str = "client_openai") -> Callable[[], list[str]]:
    return lambda: [str(python_with(version)), "-m", f"tests.clients.agent_loops.{script}", "{url}"]


def script(name: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [node(), f"{HERE}/client_{name}.cjs", "{url}", *arguments]


@dataclass(frozen=True)
class Client:
    """A client: the command that runs its script, the finish reasons it reports, and whether it reports thinking.

    `is_anthropic` says that the client speaks Anthropic's dialect, in which a tool result can be marked as an error.
    Clients do not see thinking that they have not asked for, but the process that waits for the results keeps it.
    """

    command: Callable[[], list[str]]
    finishes: Sequence[str | None] = ("tool_calls", "tool_calls", "stop")
    reports_thinking: bool = True
    is_anthropic: bool = False


NO_FINISHES = (None, None, None)

CLIENTS = {
    "openai 1.109.1": Client(openai("1.109.1")),
    "openai 2.54.0": Client(openai("2.54.0")),
    "openai 3.54.0": Client(openai("3.54.0")),
    "openai for Node": Client(script("openai_node"), reports_thinking=False),
    "AI SDK": Client(script("ai_sdk"), ("tool-calls", "tool-calls", "stop")),
    "LangChain": Client(python("langchain"), reports_thinking=False),
    "litellm": Client(python("litellm")),
    "AI SDK for Anthropic": Client(
        script("ai_sdk_anthropic"),
        ("tool-calls", "tool-calls", "stop"),
        reports_thinking=False,
        is_anthropic=True,
    ),
    "LangChain for Anthropic": Client(
        python("langchain_anthropic"),
        ("tool_use", "tool_use", "end_turn"),
        reports_thinking=False,
        is_anthropic=True,
    ),
    "Agents SDK": Client(python("agents"), NO_FINISHES),
    "openai 2.54.0, responses": Client(openai("2.54.0", "client_openai_responses"), NO_FINISHES),
    "openai 3.54.0, responses": Client(openai("3.54.0", "client_openai_responses"), NO_FINISHES),
    "AI SDK, responses": Client(
        script("ai_sdk", "responses"), ("tool-calls", "tool-calls", "stop"), reports_thinking=False
    ),
    "LangChain, responses": Client(python("langchain", "responses"), NO_FINISHES, reports_thinking=False),
    "Pydantic AI": Client(python("pydantic_ai"), ("tool_call", "tool_call", "stop")),
    "Pydantic AI, responses": Client(
        python("pydantic_ai", "responses"), ("stop", "stop", "stop"), reports_thinking=False
    ),
    "Pydantic AI for Anthropic": Client(
        python("pydantic_ai", "messages"),
        ("tool_call", "tool_call", "stop"),
        reports_thinking=False,
        is_anthropic=True,
    ),
    "Agents SDK, responses": Client(python("agents", "responses"), NO_FINISHES),
}
#: Other tests install the Python SDKs of OpenAI already. All other clients need an installation of their own.
PYTHON_SDKS = [name for name in CLIENTS if name.startswith("openai ") and "Node" not in name]
MARKED = [
    *wide_except(PYTHON_SDKS, "openai 3.54.0"),
    *(pytest.param(name, marks=pytest.mark.clients) for name in CLIENTS if name not in PYTHON_SDKS),
]


@pytest.mark.timeout(600)  # the first run installs the client
@pytest.mark.parametrize("name", MARKED)
def test_agent_loop_of_three_rounds_works(name: str, gateway: Gateway, standin: StandIn) -> None:
    client = CLIENTS[name]
    standin.default(model)

    seen = json.loads(seen_by(command_for(gateway, client.command())))

    assert not standin.script_errors
    for loop, rounds in seen["loops"].items():
        assert_seen(client, rounds, ["", "", json.dumps(FOUND)] if "report" in loop else TEXTS)
    assert seen["parsed"]
    assert all(parsed == FOUND for parsed in seen["parsed"].values()), seen["parsed"]
    of_loops = [record for record in standin.messages if QUESTION in first_text(record)]
    assert len(of_loops) == 3 * len(seen["loops"])
    assert len(standin.messages) == len(of_loops) + len(seen["parsed"])
    for index, loop in enumerate(seen["loops"]):
        assert_recorded(of_loops[3 * index : 3 * index + 3], "report" in loop, client.is_anthropic)


@pytest.mark.clients
@pytest.mark.timeout(600)
def test_llama_index_works_with_its_defaults(gateway: Gateway, standin: StandIn) -> None:
    """LlamaIndex takes every model for one of the legacy completions API."""
    standin.default(text(FINAL))
    texts_by_method = json.loads(seen_by(command_for(gateway, python("llama_index")())))
    assert texts_by_method == dict.fromkeys(("complete", "stream_complete", "chat", "stream_chat"), FINAL)
    assert [QUESTION in first_text(record) for record in standin.messages] == [True] * 4


def model_of_frameworks(body: Body) -> Reply:
    """Answer as the model of `client_frameworks`: with fields in text for DSPy, with calls for the others."""
    if "[[ ## question ## ]]" in json.dumps(body["messages"]):
        return text("[[ ## city ## ]]\nParis\n\n[[ ## degrees ## ]]\n21\n\n[[ ## completed ## ]]")
    if "final_answer" not in tools_of(body):
        return model(body)
    has_looked = "Observation:" in last_user_text(body)
    return tool_calls([("final_answer", {"answer": FINAL}) if has_looked else CALLS[0][0][:2]])


@pytest.mark.clients
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("framework", "expected"),
    [("instructor", {"report": FOUND}), ("dspy", {"report": FOUND}), ("smolagents", {"answer": FINAL})],
)
def test_framework_works_with_its_defaults(
    gateway: Gateway, standin: StandIn, framework: str, expected: Body
) -> None:
    standin.default(model_of_frameworks)
    command = [str(python_for(framework)), "-m", "tests.clients.agent_loops.client_frameworks", "{url}"]
    assert json.loads(seen_by(command_for(gateway, [*command, framework]))) == expected
    assert not standin.script_errors
    assert {record.status for record in standin.messages} == {200}


def command_for(gateway: Gateway, command: list[str]) -> list[str]:
    """Replace the placeholder in a command by the URL of the gateway."""
    return [word.replace("{url}", gateway.url) for word in command]


def first_text(record: Recorded) -> str:
    return "".join(texts(record.body["messages"][0]["content"]))


def assert_seen(client: Client, rounds: list[Body], expected_texts: list[str]) -> None:
    """Assert that the client saw the three answers. With structured output, text before a call is not content."""
    assert [seen["calls"] for seen in rounds] == [
        [[name, given] for name, given, _ in calls] for calls in CALLS
    ]
    assert [seen["text"] for seen in rounds] == expected_texts
    assert [seen["finish"] for seen in rounds] == list(client.finishes)
    assert [tuple(seen["usage"]) for seen in rounds] == EXCHANGED
    first, *others = [seen["thought"] for seen in rounds]
    assert first.startswith(THOUGHT) if client.reports_thinking else not first
    assert not any(others)


def assert_recorded(records: list[Recorded], structured: bool, is_anthropic: bool) -> None:
    """Assert that the model received three requests, which are one growing conversation with tool blocks."""
    for record in records:
        assert record.status == 200
        tools = tools_of(record.body)
        assert asks_for_output(record.body) == structured
        tools.pop(OUTPUT, None)
        assert {name: set(tool["input_schema"]["properties"]) for name, tool in tools.items()} == PARAMETERS
        assert all(tool["description"] for tool in tools.values())
    assert [len(results_in(record.body)) for record in records] == [0, 2, 3]
    assert_conversation(records[2], is_anthropic)


def assert_conversation(record: Recorded, is_anthropic: bool) -> None:
    """Assert that the conversation is verbatim. It has thinking only if the process that produced it continued."""
    question, first, looked_up, second, failed = (recorded_blocks(record, index) for index in range(5))
    assert [block["text"] for block in question if block["type"] == "text"] == [QUESTION]
    assert [block["type"] for block in first] == ["thinking", "text", "tool_use", "tool_use"]
    assert first[1]["text"] == TEXTS[0]
    assert_calls(first[2:], 0)
    assert [result_text(block, "toolu_paris", "toolu_tokyo") for block in looked_up] == [
        "21 °C in Paris",
        "21 °C in 東京",
    ]
    assert_calls(second, 1)
    (failure,) = failed
    assert NO_MAILBOX in result_text(failure, "toolu_mail", is_error=is_anthropic)


def assert_calls(found: list[Body], step: int) -> None:
    wanted = [
        {"type": "tool_use", "id": call_id, "name": name, "input": given}
        for name, given, call_id in CALLS[step]
    ]
    assert [{key: block[key] for key in wanted[0]} for block in found] == wanted


def result_text(block: Body, *ids: str, is_error: bool = False) -> str:
    """Return the text of a tool result for one of these calls. Chat clients cannot mark a result as an error."""
    assert block["type"] == "tool_result"
    assert block["tool_use_id"] in ids
    assert bool(block.get("is_error")) == is_error
    return "".join(texts(block["content"]))

"""Open WebUI's backend, connected as its administrator does it, answers chats and its own small tasks.

Its tests send what its front end sends to `/api/chat/completions`.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.client_recipes.editors import OPEN_WEBUI
from gateway.client_recipes.recipe import Values, fill_recipe
from tests.clients.conftest import Note
from tests.clients.installs import clean_environ, pypi_version, python_of
from tests.clients.server_program import running_program
from tests.standin import StandIn, text, thinking, tool_calls
from tests.standin.prompt import last_user_text
from tests.support.client_bodies import PNG_URL, function_tool, object_schema, tool_call
from tests.support.gateway import Gateway
from tests.support.recorded import Body

EMAIL, PASSWORD = "ada@example.com", "a long secret"
# Speech and the search in documents run elsewhere: on this machine they would need gigabytes of other libraries.
ELSEWHERE = {"AUDIO_STT_ENGINE": "openai", "RAG_EMBEDDING_ENGINE": "openai"}
QUIET = {"ENABLE_OLLAMA_API": "false", "HF_HUB_OFFLINE": "1", "OFFLINE_MODE": "true", "WEBUI_SECRET_KEY": "k"}
WEATHER = function_tool("get_weather", object_schema(city="string"))

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(900),  # the first run installs it
    pytest.mark.skipif(
        not (3, 11) <= sys.version_info < (3, 13), reason="Open WebUI needs Python 3.11 or 3.12."
    ),
]


@pytest.fixture(scope="module")
def open_webui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Return a client that is signed in as the administrator of a new Open WebUI."""
    folder = tmp_path_factory.mktemp("open_webui")
    (folder / "data").mkdir()
    command = [str(python_of("open_webui").with_name("open-webui")), "serve"]
    environ = clean_environ(folder, DATA_DIR=str(folder / "data"), **ELSEWHERE, **QUIET)
    with (
        running_program(command, environ, folder) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        account = {"name": "Ada", "email": EMAIL, "password": PASSWORD}
        signed_up = client.post("/api/v1/auths/signup", json=account)
        client.headers["Authorization"] = f"Bearer {signed_up.raise_for_status().json()['token']}"
        yield client


@pytest.fixture
def webui(open_webui: httpx.Client, gateway: Gateway, request: pytest.FixtureRequest) -> httpx.Client:
    """Return the same with a connection to the gateway, as the recipe describes it."""
    values = Values(gateway.url, "a-key", "sonnet", "haiku")
    fields = fill_recipe(OPEN_WEBUI, values).fields
    connection = {
        "ENABLE_OPENAI_API": True,
        "OPENAI_API_BASE_URLS": [fields["URL"]],
        "OPENAI_API_KEYS": [fields["Key"]],
        "OPENAI_API_CONFIGS": {},
    }
    open_webui.post("/openai/config/update", json=connection).raise_for_status()
    models = open_webui.get("/api/models").raise_for_status().json()["data"]
    assert {"sonnet", "haiku"} <= {model["id"] for model in models}
    return open_webui


@pytest.fixture(autouse=True)
def cell(request: pytest.FixtureRequest, matrix_cell: Note) -> None:
    """Name the cell of the matrix by the test."""
    scenario = request.node.name.removeprefix("test_")
    matrix_cell("Open WebUI", pypi_version("open_webui", "open-webui"), "chat", scenario)


def body_of(content: Any, **fields: Any) -> Body:
    return {"model": "sonnet", "stream": True, "messages": [{"role": "user", "content": content}], **fields}


def ask(webui: httpx.Client, body: Body) -> Body:
    """Send a chat, and return the streamed answer as one message."""
    said: Body = {"content": "", "reasoning_content": "", "tool_calls": {}}
    with webui.stream("POST", "/api/chat/completions", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                add_chunk(said, json.loads(line[6:]))
    return said


def add_chunk(said: Body, chunk: Body) -> None:
    for choice in chunk.get("choices", ()):
        delta = choice["delta"]
        for name in ("content", "reasoning_content"):
            said[name] += delta.get(name) or ""
        for call in delta.get("tool_calls") or ():
            whole = said["tool_calls"].setdefault(call["index"], {"id": "", "arguments": ""})
            whole["id"] = call.get("id") or whole["id"]
            whole["arguments"] += call["function"].get("arguments") or ""


def newest(standin: StandIn) -> list[Body]:
    """Return the blocks of the newest message of the user that reached the model."""
    blocks: list[Body] = [
        message for message in standin.messages.last.body["messages"] if message["role"] == "user"
    ][-1]["content"]
    return blocks


def test_text(webui: httpx.Client, standin: StandIn) -> None:
    standin.default(text("Hello Ada 🌍."))
    whole = webui.post("/api/chat/completions", json=body_of("Hi.", stream=False)).raise_for_status()
    assert whole.json()["choices"][0]["message"]["content"] == "Hello Ada 🌍."
    assert ask(webui, body_of("Hi."))["content"] == "Hello Ada 🌍."
    assert len(standin.messages) == 2
    assert last_user_text(standin.messages.last.body) == "Hi."


def test_rounds(webui: httpx.Client, standin: StandIn) -> None:
    """Two calls at once. One of them fails."""
    calls = [("get_weather", {"city": city}, f"toolu_{city}") for city in ("Paris", "Rome")]
    standin.default(tool_calls(calls))
    question = body_of("How warm is it?", tools=[WEATHER])
    called = ask(webui, question)["tool_calls"].values()
    assert [json.loads(call["arguments"]) for call in called] == [{"city": "Paris"}, {"city": "Rome"}]
    standin.default(text("21 °C in Paris."))
    replayed = [tool_call(call["id"], "get_weather", call["arguments"]) for call in called]
    outcomes = ["21 °C", "Error: no such city"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": outcome}
        for call, outcome in zip(called, outcomes, strict=True)
    ]
    question["messages"] += [{"role": "assistant", "content": "", "tool_calls": replayed}, *results]
    assert ask(webui, question)["content"] == "21 °C in Paris."
    assert [block["tool_use_id"] for block in newest(standin)] == ["toolu_Paris", "toolu_Rome"]


def test_reasoning(webui: httpx.Client, standin: StandIn) -> None:
    standin.default(thinking("Let me see.", text("Done.")))
    said = ask(webui, body_of("Think."))
    assert (said["reasoning_content"], said["content"]) == ("Let me see.", "Done.")


def test_image(webui: httpx.Client, standin: StandIn) -> None:
    standin.default(text("A dot."))
    picture = {"type": "image_url", "image_url": {"url": PNG_URL}}
    assert ask(webui, body_of([{"type": "text", "text": "What is it?"}, picture]))["content"] == "A dot."
    assert sorted(block["type"] for block in newest(standin)) == ["image", "text"]


def test_long(webui: httpx.Client, standin: StandIn) -> None:
    standin.default(text("Long."))
    lines = "".join(f"{number:08} " for number in range(10_000)) + "end"
    assert ask(webui, body_of(lines))["content"] == "Long."
    assert last_user_text(standin.messages.last.body) == lines


def test_cancel(webui: httpx.Client, standin: StandIn) -> None:
    standin.default(text("word " * 1000, chunks=1000, delay=0.1))
    with webui.stream("POST", "/api/chat/completions", json=body_of("Go.")) as answer:
        next(line for line in answer.iter_lines() if "word" in line)
    record = standin.messages.last
    standin.wait_for(lambda: record.aborted, 30)
    standin.default(text("Again."))
    assert ask(webui, body_of("Go on."))["content"] == "Again."


@pytest.mark.parametrize("task", ["title", "tags", "follow_up"])
def test_task(webui: httpx.Client, standin: StandIn, task: str) -> None:
    """The small calls after each chat."""
    standin.default(text('{"title": "Hi"}'))
    spoken = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello Ada."}]
    path, body = f"/api/v1/tasks/{task}/completions", {"model": "haiku", "messages": spoken}
    answer = webui.post(path, json=body).raise_for_status().json()
    assert answer["choices"][0]["message"]["content"] == '{"title": "Hi"}'
    assert "Hello Ada." in last_user_text(standin.messages.last.body)

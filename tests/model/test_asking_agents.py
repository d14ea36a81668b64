"""Agent projects that ask for approvals, over HTTP: the real CLI with a scripted model."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.standin import StandIn, text, tool_calls
from tests.support.agents import create_agent_project, tool_results
from tests.support.api_client import Api
from tests.support.browser import Browser, needs_browser
from tests.support.gateway import Gateway
from tests.support.recorded import Body, chunks_of, user

RUN = ("Bash", {"command": "python3 -c 'print(6 * 7)'"})
WRITE = ("Write", {"file_path": "note.txt", "content": "done"})
FETCH = [("WebFetch", {"url": f"http://127.0.0.1:9/{name}", "prompt": "p"}) for name in ("one", "two")]
QUESTION = {
    "questions": [
        {
            "question": "Which color?",
            "header": "Color",
            "multiSelect": False,
            "options": [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}],
        }
    ]
}
SETTINGS = {"ALLOW_AGENT_PROJECTS": "true", "AGENT_TOOLS": "Bash,Read,Write,WebFetch"}
ALICE, BOB = "alice-key-0123456789", "bob-key-0123456789"


@pytest.fixture(scope="module")
def _asking(cli_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "PROJECT_ROOT": str(tmp_path_factory.mktemp("asking") / "projects"),
        **SETTINGS,
        "WARM_PROCESSES": "0",
        "MAX_PROCESSES": "4",
        "REQUIRE_AUTH": "true",
        "API_KEYS": f"{ALICE},{BOB}",
        "APPROVAL_WAIT_SECONDS": "30",
    }
    gateway = Gateway({**cli_environ, **settings})
    gateway.api.close()
    gateway.api = Api(gateway.url, key=ALICE)
    yield gateway
    gateway.close()


@pytest.fixture
def asking(_asking: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway with the keys of Alice and Bob, and with Alice's client."""
    return _asking


class Chat:
    """A conversation in a new project of Alice, in which an agent asks."""

    def __init__(self, gateway: Gateway, name: str, **policy: Any) -> None:
        tools = {"tools": ["Bash", "Read", "WebFetch", "Write"], "permission_mode": "ask", **policy}
        self.api = gateway.api
        self.project = create_agent_project(gateway, name, **tools)
        self.messages: list[Body] = [user("Go")]

    def go_on(self, *decisions: str) -> list[Body]:
        """Send the decisions about all calls, and return the calls that the agent asks about next."""
        if decisions:
            open_calls = self.messages[-1]["tool_calls"]
            self.messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": decision}
                for call, decision in zip(open_calls, decisions, strict=True)
            ]
        answer = self.api.chat(messages=self.messages, project_id=self.project)
        assert answer.status_code == 200, answer.text
        choice = answer.json()["choices"][0]
        self.messages.append(choice["message"])
        calls: list[Body] = choice["message"].get("tool_calls") or []
        assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
        return calls

    def activity(self) -> dict[str, str]:
        """Return the status of the newest use of each tool."""
        listed: list[Body] = self.api.get(f"/v1/projects/{self.project}/activity").json()["data"]
        return {entry["tool"]: entry["status"] for entry in listed}


def asked(call: Body) -> tuple[str, Body]:
    """Return the tool that a request for an approval is about, and its arguments."""
    assert call["function"]["name"] == "ask_permission"
    arguments = json.loads(call["function"]["arguments"])
    return arguments["tool"], arguments["arguments"]


def test_agent_asks_for_each_use_and_obeys(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN, WRITE], text="I will."), times=1)
    chat = Chat(asking, "obeys")
    (first,) = chat.go_on()
    assert asked(first)[0] == "Bash"
    assert chat.messages[-1]["content"] == "I will."
    (second,) = chat.go_on("allow")
    assert asked(second)[0] == "Write"
    assert chat.go_on("deny: Not here.") == []
    assert chat.messages[-1]["content"] == "Finished."
    assert tool_results(standin.messages.last) == [
        (False, '"42"'),
        (True, '"The user did not approve this call. Not here."'),
    ]
    assert len(standin.messages) == 2
    assert chat.activity() == {"Bash": "completed", "Write": "denied"}


@pytest.mark.wide
def test_two_requests_at_once_are_decided_apart(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls(FETCH), times=1)
    chat = Chat(asking, "two")
    waiting = chat.go_on()
    if len(waiting) == 1:  # the CLI may ask about the second one a moment later
        waiting = [*waiting, *chat.go_on("deny: first")]
        assert chat.go_on("deny: second") == []
    else:
        assert chat.go_on("deny: first", "deny: second") == []
    assert [asked(call)[1]["url"][-3:] for call in waiting] == ["one", "two"]
    reasons = [result for _, result in tool_results(standin.messages.last)]
    assert ["first" in reasons[0], "second" in reasons[1]] == [True, True]


@pytest.mark.wide
def test_question_of_the_model_is_answered(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([("AskUserQuestion", QUESTION)]), times=1)
    chat = Chat(asking, "question")
    (call,) = chat.go_on()
    assert json.loads(call["function"]["arguments"])["kind"] == "question"
    assert chat.go_on("Blue") == []
    ((failed, result),) = tool_results(standin.messages.last)
    assert not failed
    assert 'Which color?\\"=\\"Blue' in result


@pytest.mark.wide
def test_always_covers_later_uses(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([("Write", {"file_path": "a", "content": "a"})]), times=1)
    standin.reply(tool_calls([("Write", {"file_path": "b", "content": "b"})]), times=1)
    chat = Chat(asking, "always")
    chat.go_on()
    assert chat.go_on("always") == []
    assert [failed for failed, _ in tool_results(standin.messages.last)] == [False, False]


@pytest.mark.wide
def test_plan_is_approved(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([("ExitPlanMode", {"plan": "1. Test"})]), times=1)
    standin.reply(tool_calls([("EnterPlanMode", {})]), times=1)  # the newest reply comes first
    chat = Chat(asking, "plan")
    calls = chat.go_on()
    if asked(calls[0])[0] == "EnterPlanMode":
        calls = chat.go_on("allow")
    assert json.loads(calls[0]["function"]["arguments"])["kind"] == "plan"
    assert chat.go_on("allow") == []
    assert "approved" in tool_results(standin.messages.last)[-1][1]


@pytest.mark.wide
def test_stream_ends_with_the_request(asking: Gateway, standin: StandIn) -> None:
    standin.reply(tool_calls([RUN]), times=1)
    chat = Chat(asking, "streamed")
    chunks = chunks_of(asking.api.stream_chat("Go", project_id=chat.project))
    calls = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert calls[0]["function"]["name"] == "ask_permission"
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["arguments"] == RUN[1]
    assert [choice["finish_reason"] for choice in chunks[-1]["choices"]] == ["tool_calls"]


@pytest.mark.wide
def test_other_key_cannot_decide(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN]), times=1)
    chat = Chat(asking, "guarded")
    (call,) = chat.go_on()
    stolen = [*chat.messages, {"role": "tool", "tool_call_id": call["id"], "content": "allow"}]
    bob = asking.api.with_key(BOB)
    assert bob.chat(messages=stolen, project_id=chat.project).json()["error"]["code"] == "project_not_found"
    policy = {"mode": "agent", "tools": ["Read"], "permission_mode": "ask"}
    own = bob.create_project(name="bobs", policy=policy)["id"]
    refused = bob.chat(messages=stolen, project_id=own)
    assert refused.status_code == 400
    assert "no request for the approval" in refused.json()["error"]["message"]
    assert refused.json()["error"]["param"] == "messages"
    assert chat.go_on("allow") == []
    assert tool_results(standin.messages.last) == [(False, '"42"')]


@pytest.mark.wide
def test_responses_api_asks_with_approval_items(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN]), times=1)
    project = create_agent_project(asking, "items", tools=["Bash"], permission_mode="ask")
    first = asking.api.post("/v1/responses", json={"input": "Go", "project_id": project}).json()
    (request,) = [item for item in first["output"] if item["type"] == "mcp_approval_request"]
    assert (request["name"], request["server_label"]) == ("Bash", "claude_code")
    decision = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
    body = {"input": [decision], "previous_response_id": first["id"], "project_id": project}
    second = asking.api.post("/v1/responses", json=body).json()
    assert second["output"][-1]["content"][0]["text"] == "Finished."
    assert tool_results(standin.messages.last) == [(False, '"42"')]


@pytest.mark.wide
def test_late_decision_means_no(cli_environ: dict[str, str], standin: StandIn, tmp_path: Path) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN]), times=1)
    settings = {**SETTINGS, "PROJECT_ROOT": str(tmp_path)}
    gateway = Gateway({**cli_environ, **settings, "WARM_PROCESSES": "0", "APPROVAL_WAIT_SECONDS": "0.1"})
    try:
        chat = Chat(gateway, "late")
        chat.go_on()
        time.sleep(0.2)
        assert chat.go_on("allow") == []
        assert chat.activity() == {"Bash": "denied"}
    finally:
        gateway.close()
    assert tool_results(standin.messages.last)[0][0]
    assert "came too late" in tool_results(standin.messages.last)[0][1]


@pytest.mark.wide
def test_approval_survives_the_loss_of_the_process(asking: Gateway, standin: StandIn) -> None:
    standin.default(text("Finished."))
    standin.reply(tool_calls([RUN]), times=1)
    chat = Chat(asking, "lost")
    chat.go_on()
    for process in psutil.Process(asking.process.pid).children(recursive=True):
        if "claude" in process.name():
            process.kill()
    standin.reply(tool_calls([RUN]), times=1)
    assert chat.go_on("allow") == []  # the model makes the call again, and it runs without another request
    told, ran = tool_results(standin.messages.last)
    assert "Make exactly the same call" in told[1]
    assert ran == (False, '"42"')


@needs_browser
@pytest.mark.wide
def test_dashboard_shows_cards_for_approvals_and_questions(
    cli_environ: dict[str, str], standin: StandIn, tmp_path: Path
) -> None:
    standin.default(text("Finished."))
    standin.reply(
        tool_calls([RUN, ("AskUserQuestion", QUESTION), WRITE], text="Let me work it out."), times=1
    )
    settings = {**SETTINGS, "PROJECT_ROOT": str(tmp_path), "WARM_PROCESSES": "0"}
    with closing(Gateway({**cli_environ, **settings})) as gateway, closing(Browser()) as browser:
        project = create_agent_project(gateway, "garden", tools=["Bash", "Write"], permission_mode="ask")
        browser.open(f"{gateway.url}/dashboard/try")
        browser.wait_for("document.querySelector('#chat [type=submit]')?.disabled === false")
        fields = f"form.elements.project.value = '{project}'; form.elements.question.value = 'Go'"
        browser.run(
            f"(() => {{ const form = document.getElementById('chat'); {fields}; form.requestSubmit() }})()"
        )
        for index, (button, shown) in enumerate(
            [("Allow", "python3"), ("Answer", "Which color?"), ("Deny", "note.txt")]
        ):
            card = f"document.querySelectorAll('.approval')[{index}]"
            browser.wait_for(f"!!{card}?.querySelector('button')")
            assert shown in browser.run(f"{card}.innerText")
            browser.run(f"{card}.querySelectorAll('input').forEach((input) => {{ input.value = 'Blue' }})")
            browser.run(
                f"[...{card}.querySelectorAll('button')].find((one) => one.innerText == '{button}').click()"
            )
        browser.wait_for("document.querySelector('#messages').lastChild.innerText.includes('Finished.')")
        assert browser.errors == []
    found = dict(enumerate(tool_results(standin.messages.last)))
    assert found[0] == (False, '"42"')
    assert 'Which color?\\"=\\"Blue' in found[1][1]
    assert found[2][0]

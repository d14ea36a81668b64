"""Agent projects, in which Claude Code uses its own tools: the real CLI with a scripted model."""

import json
from pathlib import Path

import pytest

from tests.standin import StandIn, text, thinking, tool_calls
from tests.support.agents import create_agent_project, tool_results
from tests.support.gateway import Gateway
from tests.support.recorded import Body, assistant, chunks_of, process_of, streamed_text, system, user
from tests.support.tool_bodies import CLOCK

SECRET = "THE-OTHER-PROJECT-S-SECRET"


# The view of the client


def test_agent_streams_text_and_hides_its_own_tool_calls(agents: Gateway, standin: StandIn) -> None:
    project = create_agent_project(agents, "streams", {"a.txt": "The sea is calm tonight."})
    standin.reply(tool_calls([("Read", {"file_path": "a.txt"})], text="Let me look. "), times=1)
    standin.reply(text("The tide is full."), when=lambda body: bool(len(body["messages"]) > 2), times=1)
    parsed = chunks_of(
        agents.api.stream_chat("What is in it?", project_id=project, stream_options={"include_usage": True})
    )
    deltas = [choice["delta"] for chunk in parsed for choice in chunk["choices"]]
    assert streamed_text(parsed) == "Let me look. \n\nThe tide is full."
    assert not any("tool_calls" in delta or delta.get("reasoning_content") for delta in deltas)
    assert {choice["finish_reason"] for chunk in parsed for choice in chunk["choices"]} == {None, "stop"}
    first, second = standin.messages
    assert [tool["name"] for tool in first.body["tools"]] == ["Read"]
    ((failed, result),) = tool_results(second)
    assert not failed
    assert "The sea is calm tonight." in result
    usage = parsed[-1]["usage"]
    both_prompts = 2 * len(json.dumps(first.body["system"])) / 8
    assert usage["prompt_tokens"] > both_prompts
    assert usage["cost"] > 0


def test_tool_activity_is_reported_as_reasoning_when_the_project_asks(
    agents: Gateway, standin: StandIn, agents_root: Path
) -> None:
    project = create_agent_project(agents, "reports", {"src/a.py": "print(1)"}, report_activity=True)
    calls = [
        ("Read", {"file_path": str(agents_root / "reports/src/a.py")}),
        ("Read", {"file_path": str(agents_root / "none")}),
    ]
    standin.reply(thinking("Hm", tool_calls(calls)), times=1)
    message = agents.api.chat("Go", project_id=project).json()["choices"][0]["message"]
    lines = message["reasoning_content"].splitlines()
    assert next(line for line in lines if line.startswith("Read(")) == "Read(src/a.py)"
    assert "Read: done" in lines
    assert any(line.startswith("Read: failed: ") for line in lines)
    assert str(agents_root) + "/reports" not in message["reasoning_content"]
    assert "tool_calls" not in message


def test_reaching_max_turns_finishes_with_length(agents: Gateway, standin: StandIn) -> None:
    project = create_agent_project(agents, "endless", {"a.txt": "x"}, max_turns=2)
    standin.default(tool_calls([("Read", {"file_path": "a.txt"})], text="Again."))
    answer = agents.api.chat("Go", project_id=project).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["choices"][0]["message"]["content"] == "Again.\n\nAgain."
    assert len(standin.messages) == 2


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("tools", {"tools": [CLOCK]}),
        ("response_format", {"response_format": {"type": "json_object"}}),
    ],
)
def test_agent_project_rejects_parameters_for_plain_chat(agents: Gateway, param: str, fields: Body) -> None:
    project = create_agent_project(agents, f"refuses-{param}")
    answer = agents.api.chat("Go", project_id=project, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["code"] == "unsupported_parameter"


# Instructions of the model


def test_agent_reads_only_the_instructions_of_its_own_project(
    agents: Gateway, standin: StandIn, agents_root: Path
) -> None:
    hook = agents_root.parent / "HOOKED"
    hooks = {"UserPromptSubmit": [{"hooks": [{"type": "command", "command": f"touch {hook}"}]}]}
    allow = {"hooks": hooks, "permissions": {"allow": ["Bash(*)", "Write"]}}
    home = Path(agents.home.name, ".claude")
    home.mkdir(exist_ok=True)
    (home / "CLAUDE.md").write_text("MEMORY-OF-THE-USER")
    (home / "settings.json").write_text(json.dumps(allow))
    files = {
        "CLAUDE.md": "Answer like a pirate. @../secret.txt",
        ".claude/settings.json": json.dumps(allow),
        ".mcp.json": json.dumps({"mcpServers": {"bad": {"command": "touch", "args": [str(hook)]}}}),
    }
    project = create_agent_project(agents, "instructed", files, tools=["Bash", "Read", "Write"])
    (agents_root / "CLAUDE.md").write_text("MEMORY-OF-A-FOLDER-ABOVE")
    (agents_root / "secret.txt").write_text(SECRET)
    standin.reply(
        tool_calls([("Write", {"file_path": "x", "content": "x"}), ("Bash", {"command": "python3 -c 1"})]),
        times=1,
    )
    answer = agents.api.chat("Go", project_id=project, messages=[system("Be terse."), user("Go")])
    assert answer.status_code == 200
    received = json.dumps(standin.messages[-1].body)
    assert "Answer like a pirate." in received
    assert "Be terse." in received
    assert "MEMORY-OF" not in received
    assert SECRET not in received
    assert [failed for failed, _ in tool_results(standin.messages[-1])] == [True, True]
    assert not hook.exists()


@pytest.mark.wide
def test_agent_starts_a_subagent_with_the_model_of_the_request(agents: Gateway, standin: StandIn) -> None:
    reviewer = {"description": "Reviews.", "prompt": "REVIEWER-PROMPT", "tools": ["Read"]}
    files = {"a.txt": "x", ".claude/skills/greet/SKILL.md": "---\ndescription: Says hello.\n---\nSALVE"}
    project = create_agent_project(
        agents, "delegates", files, tools=["Read", "Write"], subagents={"reviewer": reviewer}
    )
    task = {"description": "d", "prompt": "SUBTASK", "subagent_type": "reviewer", "model": "opus"}
    skill = {"file_path": ".claude/skills/greet/SKILL.md"}
    standin.reply(tool_calls([("Agent", task), ("Read", skill)]), times=1)
    standin.reply(
        tool_calls([("Read", {"file_path": "a.txt"})]),
        when=lambda body: "REVIEWER" in json.dumps(body["system"]),
        times=1,
    )
    answer = agents.api.chat("Go", project_id=project).json()
    first = standin.messages[0]
    assert "`.claude/skills/greet/SKILL.md`: Says hello." in json.dumps(first.body["system"])
    inner = [record for record in standin.messages if "REVIEWER-PROMPT" in json.dumps(record.body["system"])]
    assert len(inner) == 2
    assert {record.body["model"] for record in standin.messages} == {first.body["model"]}
    assert [tool["name"] for tool in inner[0].body["tools"]] == ["Read"]
    assert any("SALVE" in result for _, result in tool_results(standin.messages.last))
    assert answer["usage"]["prompt_tokens"] > 4000  # both messages of the agent, and both of the subagent
    listed = agents.api.get(f"/v1/projects/{project}/activity").json()["data"]
    assert {(entry["tool"], entry["subagent"]) for entry in listed} == {
        ("Agent", None),
        ("Read", "reviewer"),
        ("Read", None),
    }


# Activity


def test_every_use_of_a_tool_is_recorded(agents: Gateway, standin: StandIn) -> None:
    project = create_agent_project(agents, "watched", {"a.txt": "hello"}, tools=["Read", "Write"])
    calls: list[tuple[str, Body]] = [
        ("Read", {"file_path": "a.txt"}),
        ("Read", {"file_path": "none"}),
        ("Write", {"file_path": "x", "content": "x"}),
    ]
    standin.reply(tool_calls(calls), times=1)
    answer = agents.api.chat("Go", project_id=project)
    request_id = answer.headers["x-request-id"]
    listed = agents.api.get(f"/v1/projects/{project}/activity?request_id={request_id}").json()
    found = {(entry["tool"], entry["arguments"]["file_path"]): entry for entry in listed["data"]}
    assert {key: entry["status"] for key, entry in found.items()} == {
        ("Read", "a.txt"): "completed",
        ("Read", "none"): "failed",
        ("Write", "x"): "denied",
    }
    assert "hello" in found["Read", "a.txt"]["result"]
    assert listed["pagination"]["total_items"] == 3


def test_edit_of_an_agent_is_rewound(agents: Gateway, standin: StandIn) -> None:
    project = create_agent_project(
        agents, "undone", {"a.txt": "before"}, tools=["Bash", "Read", "Write"], permission_mode="acceptEdits"
    )
    calls: list[tuple[str, Body]] = [
        ("Write", {"file_path": "new.txt", "content": "new"}),
        ("Bash", {"command": "mkdir made && touch made/empty.txt"}),
        ("Read", {"file_path": "a.txt"}),
    ]
    standin.reply(tool_calls(calls), times=1)
    standin.reply(tool_calls([("Write", {"file_path": "a.txt", "content": "after"})]), times=1)
    answer = agents.api.chat("Go", project_id=project)
    files = agents.api.get(f"/v1/projects/{project}/files").json()["data"]
    assert [file["name"] for file in files] == ["a.txt", "made/empty.txt", "new.txt"]
    assert agents.api.get(f"/v1/projects/{project}/files/a.txt").text == "after"
    body = {"request_id": answer.headers["x-request-id"]}
    rewound = agents.api.post(f"/v1/projects/{project}/rewind", json=body).json()
    assert (rewound["restored"], rewound["deleted"]) == (["a.txt"], ["made/empty.txt", "new.txt"])
    assert agents.api.get(f"/v1/projects/{project}/files/a.txt").text == "before"
    checkpoints = agents.api.get(f"/v1/projects/{project}/checkpoints").json()["data"]
    assert [checkpoint["id"] for checkpoint in checkpoints] == [
        rewound["undo_checkpoint_id"],
        rewound["checkpoint"]["id"],
    ]


# Processes


def test_agent_process_is_reused_only_by_its_own_project(agents: Gateway, standin: StandIn) -> None:
    standin.default(text("Aye."))
    one, two = (
        create_agent_project(agents, "one", {"a.txt": "x"}),
        create_agent_project(agents, "two", {"a.txt": "x"}),
    )
    standin.reply(tool_calls([("Read", {"file_path": "a.txt"})], text="Look."), times=1)
    first = agents.api.chat("Go", project_id=one).json()["choices"][0]["message"]["content"]
    history = [user("Go"), assistant(first), user("And now?")]
    for project in (one, two, None):
        fields = {"project_id": project} if project else {}
        assert agents.api.chat(messages=history, **fields).status_code == 200
    begun, _, again, other, plain = standin.messages
    assert process_of(begun) == process_of(again)
    assert len({process_of(record) for record in (again, other, plain)}) == 3
    assert tool_results(again)  # the process has the tool rounds, which the client never saw
    assert not tool_results(other)
    assert agents.api.health()["claude"]["processes"] <= 4


# Limits of the operator


def test_project_with_a_forbidden_tool_is_rejected(agents: Gateway) -> None:
    body = {"name": "x", "policy": {"mode": "agent", "tools": ["WebFetch"]}}
    answer = agents.api.post("/v1/projects", json=body)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "agents_not_allowed"
    assert "WebFetch" in answer.json()["error"]["message"]


def test_agent_is_rejected_when_its_project_is_too_large(agents: Gateway, agents_root: Path) -> None:
    project = create_agent_project(agents, "full")
    (agents_root / "full" / "big").write_bytes(bytes(1024 * 1024 + 1))
    answer = agents.api.chat("Go", project_id=project)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "project_too_large"

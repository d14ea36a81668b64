"""Agent projects, in which Claude Code uses its own tools: the real CLI with a scripted model."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.claude.cli.sandbox import find_problem
from tests.standin import Recorded, StandIn, text, thinking, tool_calls
from tests.support.gateway import ROOT, Gateway, wait_for
from tests.support.recorded import Body, assistant, chunks_of, process_of, streamed_text, system, user
from tests.support.tool_bodies import CLOCK

SLEEP_SECONDS = "86399"  # identifies a program that an agent runs
SECRET = "THE-OTHER-PROJECT-S-SECRET"
TOOLS = ["Bash", "Glob", "Grep", "Read", "Write"]


@pytest.fixture(scope="module")
def agents_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents") / "projects"


@pytest.fixture(scope="module")
def _agents(cli_environ: dict[str, str], agents_root: Path) -> Iterator[Gateway]:
    settings = {
        "PROJECT_ROOT": str(agents_root),
        "ALLOW_AGENT_PROJECTS": "true",
        "AGENT_TOOLS": ",".join([*TOOLS, "Edit"]),
        "MAX_PROJECT_SIZE_MB": "1",
        "WARM_PROCESSES": "0",
        "MAX_PROCESSES": "4",
    }
    gateway = Gateway({**cli_environ, **settings})
    yield gateway
    gateway.close()


@pytest.fixture
def agents(_agents: Gateway, standin: StandIn) -> Gateway:
    """Return a gateway whose operator allows agents and all of their tools."""
    return _agents


def create_agent_project(
    gateway: Gateway, path: str, files: dict[str, str] | None = None, **policy: Any
) -> str:
    """Create an agent project with files in the folder `path`, and return its id."""
    body = {"name": path, "path": path, "policy": {"mode": "agent", "tools": ["Read"], **policy}}
    project: str = gateway.api.create_project(**body)["id"]
    for name, content in (files or {}).items():
        gateway.api.upload_file(project, name, content)
    return project


def tool_results(record: Recorded) -> list[tuple[bool, str]]:
    """Return, for each tool result that reached the model, whether it is an error, and its text."""
    found: list[Body] = []
    for message in record.body["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else []
        found += [block for block in blocks if block["type"] == "tool_result"]
    return [(bool(block.get("is_error")), json.dumps(block["content"])) for block in found]


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


# Permissions


def test_file_tools_cannot_leave_the_project(agents: Gateway, standin: StandIn, agents_root: Path) -> None:
    create_agent_project(agents, "neighbour", {"secret.txt": SECRET})
    project = create_agent_project(
        agents,
        "confined",
        {"a.txt": "mine"},
        tools=["Glob", "Grep", "Read", "Write"],
        permission_mode="acceptEdits",
    )
    other, own = agents_root / "neighbour", agents_root / "confined"
    (own / "link.txt").symlink_to(other / "secret.txt")
    (own / "folder").symlink_to(other)
    calls: list[tuple[str, Body]] = [
        ("Read", {"file_path": str(other / "secret.txt")}),
        ("Read", {"file_path": "../neighbour/secret.txt"}),
        ("Read", {"file_path": "link.txt"}),
        ("Read", {"file_path": "folder/secret.txt"}),
        ("Read", {"file_path": "/proc/self/environ"}),
        ("Grep", {"pattern": "SECRET", "path": str(other), "output_mode": "content"}),
        ("Grep", {"pattern": "SECRET", "path": "folder", "output_mode": "content"}),
        ("Glob", {"pattern": f"{other}/*"}),
        ("Write", {"file_path": str(other / "new.txt"), "content": "x"}),
        ("Write", {"file_path": str(own / "folder" / "new.txt"), "content": "x"}),
        ("Write", {"file_path": str(own / "new.txt"), "content": "mine too"}),
        ("Read", {"file_path": "a.txt"}),
    ]
    standin.reply(tool_calls(calls), times=1)
    assert agents.api.chat("Go", project_id=project).status_code == 200
    outcomes = tool_results(standin.messages.last)
    assert len(outcomes) == len(calls)
    assert SECRET not in json.dumps(outcomes)
    assert not (other / "new.txt").exists()
    assert sum(not failed and "mine" in result for failed, result in outcomes) == 1
    assert agents.api.get(f"/v1/projects/{project}/files/new.txt").text == "mine too"


def test_tools_that_need_permission_are_denied(agents: Gateway, standin: StandIn, agents_root: Path) -> None:
    project = create_agent_project(
        agents, "denied", tools=["Bash", "Write"], allowed_tools=["Bash(python3 -c *)"]
    )
    calls: list[tuple[str, Body]] = [
        ("Write", {"file_path": "x", "content": "x"}),
        ("Bash", {"command": "touch y"}),
        ("Bash", {"command": "python3 -c 'print(6 * 7)'"}),
    ]
    standin.reply(tool_calls(calls), times=1)
    assert agents.api.chat("Go", project_id=project).status_code == 200
    assert sorted(failed for failed, _ in tool_results(standin.messages.last)) == [False, True, True]
    assert (False, '"42"') in tool_results(standin.messages.last)
    assert not [path for path in (agents_root / "denied").rglob("*") if path.is_file()]


def test_program_run_by_the_agent_ends_when_its_answer_is_stopped(
    agents: Gateway, standin: StandIn, agents_root: Path
) -> None:
    project = create_agent_project(agents, "runs", tools=["Bash"], allowed_tools=["Bash"])
    program = f"import time; time.sleep({SLEEP_SECONDS})"
    standin.reply(tool_calls([("Bash", {"command": f'python3 -c "{program}"'})], text="Running."), times=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: list(agents.api.stream_chat("Go", project_id=project)))
        pids = wait_for(find_sleeping_programs, 20)
        assert agents.api.delete(f"/v1/projects/{project}").status_code == 200
        events = answer.result(20)
    assert json.loads(events[-1])["error"]["code"] == "stopped"
    wait_for(lambda: not any(map(psutil.pid_exists, pids)), 10)
    assert not (agents_root / "runs").exists()


def find_sleeping_programs() -> list[int]:
    """Return the pids of the programs that the agent runs."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        words = process.info["cmdline"] or []
        if (
            words
            and any(SLEEP_SECONDS in word for word in words)
            and "python" in (process.info["name"] or "")
        ):
            found.append(process.pid)
    return found


# The sandbox


@pytest.mark.wide
@pytest.mark.skipif(find_problem() is not None, reason="this host has no sandbox (bubblewrap)")
def test_commands_run_in_a_sandbox_without_network_and_other_files(
    agents: Gateway, standin: StandIn, agents_root: Path
) -> None:
    create_agent_project(agents, "next-door", {"secret.txt": SECRET})
    project = create_agent_project(agents, "boxed", tools=["Bash"], allowed_tools=["Bash"])
    outside = agents_root.parent / "outside.txt"
    commands = [
        "echo mine > new.txt && cat new.txt",
        f"cat {agents_root}/next-door/secret.txt",
        f"echo x > {outside}",
        f"python3 -c \"import socket; socket.create_connection(('127.0.0.1', {standin.url.rpartition(':')[2]}))\"",
        "env",
        f"cat {ROOT}/pyproject.toml",
    ]
    escape = {"dangerouslyDisableSandbox": True}
    standin.reply(tool_calls([("Bash", {"command": each, **escape}) for each in commands]), times=1)
    assert agents.api.chat("Go", project_id=project).status_code == 200
    own, other, write, network, environment, code = tool_results(standin.messages.last)
    assert own == (False, '"mine"')
    assert [failed for failed, _ in (other, write, network, code)] == [True] * 4
    assert "refused" in network[1]
    assert "ANTHROPIC" not in environment[1]
    assert SECRET not in other[1]
    assert not outside.exists()


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

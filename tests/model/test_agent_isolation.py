"""An agent cannot leave its project, use other tools, outlive its answer, or reach the network."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from gateway.claude.cli.sandbox import find_problem
from tests.standin import StandIn, tool_calls
from tests.support.agents import create_agent_project, tool_results
from tests.support.gateway import ROOT, Gateway, wait_for
from tests.support.recorded import Body

SLEEP_SECONDS = "86399"  # identifies a program that an agent runs
SECRET = "THE-OTHER-PROJECT-S-SECRET"


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

"""The sandbox for commands of agents: its use, and the files and secrets that it hides."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.claude import launcher as launcher_module
from gateway.claude.cli.binary import TESTED, Binary
from gateway.claude.cli.sandbox import find_problem, sandbox_settings
from gateway.claude.launcher import Launcher, hidden_paths
from gateway.command_line.checks.findings import OK, WRONG
from gateway.command_line.checks.network import check_agents
from gateway.errors import AgentsNotAllowed
from gateway.settings import Settings
from gateway.workspace import AgentWorkspace

WITH_BASH = AgentWorkspace("/p", ("Bash", "Read"))


def started_with(
    monkeypatch: pytest.MonkeyPatch, problem: str | None, workspace: AgentWorkspace, mode: str
) -> Any:
    """Return the sandbox's settings in the arguments of a process that is started on a host with this problem."""
    commands: list[list[str]] = []
    monkeypatch.setattr(launcher_module, "Process", lambda command, *rest, **more: commands.append(command))
    monkeypatch.setattr(launcher_module, "find_problem", lambda: problem)
    monkeypatch.setattr(launcher_module, "find_binary", lambda path: Binary("claude", TESTED))
    launcher = Launcher(Settings(allow_agent_projects=True, agent_tools=("Bash", "Read"), agent_sandbox=mode))
    launcher.find_binary()
    launcher.start_agent(workspace)
    settings = [word for word in commands[0] if word.startswith("--settings=")]
    return json.loads(settings[0].partition("=")[2])["sandbox"] if settings else None


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_commands_run_in_the_sandbox_if_the_host_has_one(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    sandbox = started_with(monkeypatch, None, WITH_BASH, mode)
    assert sandbox["enabled"]
    assert sandbox["failIfUnavailable"]
    assert not sandbox["allowUnsandboxedCommands"]
    assert sandbox["network"] == {"allowedDomains": [], "strictAllowlist": True}
    assert sandbox["filesystem"]["allowRead"] == ["/p"]


@pytest.mark.parametrize(
    ("problem", "workspace", "mode"),
    [
        ("bwrap not installed", WITH_BASH, "auto"),
        (None, WITH_BASH, "off"),
        (None, AgentWorkspace("/p", ("Read",)), "auto"),
    ],
)
def test_process_gets_no_sandbox_without_need_or_possibility(
    monkeypatch: pytest.MonkeyPatch, problem: str | None, workspace: AgentWorkspace, mode: str
) -> None:
    assert started_with(monkeypatch, problem, workspace, mode) is None


def test_required_sandbox_that_is_missing_refuses_bash_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AgentsNotAllowed, match="no sandbox"):
        started_with(monkeypatch, "bwrap not installed", WITH_BASH, "required")
    assert (
        started_with(monkeypatch, "bwrap not installed", AgentWorkspace("/p", ("Read",)), "required") is None
    )


def test_credentials_are_kept_from_commands() -> None:
    environment = {
        "PATH": "/bin",
        "ANTHROPIC_API_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "CLAUDE_CODE_OAUTH_TOKEN": "x",
    }
    denied = sandbox_settings(environment, "/p", (), ())["sandbox"]["credentials"]["envVars"]
    assert {entry["name"] for entry in denied} == set(environment) - {"PATH"}


def test_data_of_the_gateway_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").touch()
    (tmp_path / "projects").mkdir()
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/gateway.db",
        project_root=tmp_path / "projects",
        environ={"HOME": "/nonexistent", "CLAUDE_CONFIG_DIR": "/"},
    )
    hidden = hidden_paths(settings)
    assert {str(tmp_path / "gateway.db"), str(tmp_path / "projects")} <= set(hidden)
    assert not {"/", "/nonexistent", str(tmp_path)} & set(hidden)


def test_host_without_the_programs_has_no_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_problem() == "bwrap and socat not installed"
    for name in ("bwrap", "socat"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'No permissions to create a namespace' >&2; exit 1\n")
        (tmp_path / name).chmod(0o755)
    assert find_problem() == "bwrap does not work here: No permissions to create a namespace"


@pytest.mark.parametrize(
    ("problem", "mode", "mark", "words"),
    [
        (None, "auto", OK, "no network"),
        ("bwrap not installed", "auto", WRONG, "Install bubblewrap"),
        ("bwrap not installed", "required", WRONG, "refused"),
        (None, "off", WRONG, "AGENT_SANDBOX=off"),
    ],
)
def test_deploy_check_tells_whether_commands_run_in_a_sandbox(
    monkeypatch: pytest.MonkeyPatch, problem: str | None, mode: str, mark: str, words: str
) -> None:
    monkeypatch.setattr("gateway.command_line.checks.network.find_problem", lambda: problem)
    settings = Settings(allow_agent_projects=True, agent_tools=("Bash",), agent_sandbox=mode)
    found = next(iter(check_agents(settings)))
    assert found[0] == mark
    assert words in found[1]

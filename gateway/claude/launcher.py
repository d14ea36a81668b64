"""Find the CLI and start its processes.

For example:

    launcher = Launcher(load())
    launcher.find_binary()
    process = launcher.start_chat()
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from gateway.accounts.account import DEFAULT, Account, default_account
from gateway.claude.cli.binary import TESTED, Binary, find_binary, format_version
from gateway.claude.cli.launch import (
    agent_arguments,
    agent_environment,
    cache_ttl,
    chat_arguments,
    child_environment,
)
from gateway.claude.cli.login_command import advise_account_login, advise_login
from gateway.claude.cli.process import Process
from gateway.claude.cli.sandbox import find_problem, sandbox_settings
from gateway.errors import AgentsNotAllowed
from gateway.home import IS_CLONE, PROJECT, find_home
from gateway.settings import Settings
from gateway.workspace import AgentWorkspace

log = logging.getLogger(__name__)

SHELL = "Bash"


class Launcher:
    """Starts CLI processes by the settings. Conversations run in an empty folder, which is created if necessary.

    `environs` has the environment of the processes of each account.
    """

    def __init__(self, settings: Settings, accounts: Iterable[Account] = ()) -> None:
        self._accounts: dict[str, Account] = {}
        self.environs: dict[str, dict[str, str]] = {}
        self._config_dirs: set[str] = set()
        self.binary: Binary | None = None
        self._work_dir = settings.claude_work_dir
        self._binary_path = settings.claude_binary_path
        self._settings = settings
        self.add_accounts([*accounts] or [default_account(settings.environ, settings.claude_api_key)])
        self._sandbox_problem: str | None = None

    def find_binary(self) -> None:
        """Search for the CLI. Raises ClaudeUnavailable with advice for the operator."""
        binary = find_binary(self._binary_path)
        if binary.version != TESTED:
            log.warning(
                "Claude Code %s is not the tested version %s", binary.version_text, format_version(TESTED)
            )
        log.info("using Claude Code %s at %s", binary.version_text, binary.path)
        self.binary = binary
        if self._settings.allow_agent_projects and SHELL in self._settings.agent_tools:
            self._check_sandbox()

    def add_accounts(self, accounts: Iterable[Account]) -> None:
        """Add accounts, or replace their logins. Turns may still run with accounts that are no longer listed."""
        for account in accounts:
            self._accounts[account.name] = account
            self.environs[account.name] = _environment(account, self._settings)
            if account.config_dir:
                self._config_dirs.add(account.config_dir)

    def advise_login(self, account: str) -> str:
        """Return a sentence that says how to log in the CLI in use."""
        found, program = self._accounts[account], self.binary.path if self.binary else "claude"
        if found.is_default:
            return advise_login(program, self.environs[account])
        return advise_account_login(program, account, found.config_dir if found.has_windows else None)

    def cache_ttl(self, account: str) -> str | None:
        """Return the lifetime of the CLI's own marks in a prompt; None for the API's default."""
        return cache_ttl(self.environs[account])

    def start_chat(self, account: str = DEFAULT) -> Process:
        """Start a generic process for any conversation. Raises OSError."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        environment = self.environs[account]
        command = [self._program, *chat_arguments(environment)]
        return Process(command, environment, str(self._work_dir), account=account)

    def start_agent(self, workspace: AgentWorkspace, account: str = DEFAULT) -> Process:
        """Start a process for one turn that works in a project. Raises OSError or AgentsNotAllowed."""
        environment = agent_environment(self.environs[account])
        command = [self._program, *agent_arguments(self.environs[account], workspace)]
        if SHELL in workspace.tools and self._has_sandbox():
            hidden = hidden_paths(self._settings, self._config_dirs)
            domains = self._settings.agent_sandbox_domains
            sandbox = sandbox_settings(environment, workspace.folder, hidden, domains)
            command.append(f"--settings={json.dumps(sandbox)}")
        return Process(command, environment, workspace.folder, account=account, runs_programs=True)

    def _check_sandbox(self) -> None:
        """Find out, once, whether agents' commands run in a sandbox, and log if they don't."""
        if self._settings.agent_sandbox == "off":
            return
        self._sandbox_problem = find_problem()
        if self._sandbox_problem is not None:
            state = "are refused" if self._settings.agent_sandbox == "required" else "run without a sandbox"
            log.warning("commands of agents %s: %s", state, self._sandbox_problem)

    def _has_sandbox(self) -> bool:
        """Return True if a command is to run in the sandbox. Raises AgentsNotAllowed if it must, but cannot."""
        if self._sandbox_problem is not None and self._settings.agent_sandbox == "required":
            raise AgentsNotAllowed(
                "Agents cannot use Bash because the gateway's host has no sandbox. Remove Bash from the project's "
                "tools.",
                param="project_id",
            )
        return self._settings.agent_sandbox != "off" and self._sandbox_problem is None

    @property
    def _program(self) -> str:
        assert self.binary is not None, "find_binary was not called"
        return self.binary.path


def _environment(account: Account, settings: Settings) -> dict[str, str]:
    """Return the environment of the processes of an account."""
    return child_environment(
        account.apply(settings.environ),
        api_key=settings.claude_api_key if account.is_default else None,
        max_retries=settings.claude_max_retries,
        lean_runtime=settings.claude_lean_runtime,
    )


def hidden_paths(settings: Settings, config_dirs: Iterable[str] = ()) -> list[str]:
    """Return the existing paths that hold the gateway's data and secrets, other projects, and the accounts' logins."""
    environ = settings.environ
    folders = [find_home(), *([PROJECT] if IS_CLONE else [])]
    paths = [*folders, settings.project_root, settings.claude_work_dir, settings.log_file_path]
    paths += [settings.accounts_path, *map(Path, config_dirs)]
    named = [environ.get(name) for name in ("HOME", "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_API_ENV_FILE")]
    database = settings.database_url.partition("sqlite:///")[2]
    files = [f"{database}{ending}" for ending in ("", "-wal", "-shm")] if database else []
    found = {Path(path).resolve() for path in (*paths, *named, *files) if path}
    return sorted(str(path) for path in found if path.exists() and path != Path("/"))

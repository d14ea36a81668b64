"""Find the CLI and start its processes.

For example:

    launcher = Launcher(load())
    launcher.find_binary()
    process = launcher.start_chat()
"""

import logging

from gateway.claude.cli.binary import TESTED, Binary, find_binary, format_version
from gateway.claude.cli.launch import (
    agent_arguments,
    agent_environment,
    cache_ttl,
    chat_arguments,
    child_environment,
)
from gateway.claude.cli.process import Process
from gateway.settings import Settings
from gateway.workspace import AgentWorkspace

log = logging.getLogger(__name__)


class Launcher:
    """Starts CLI processes by the settings. Conversations run in an empty folder, which is created if necessary."""

    def __init__(self, settings: Settings) -> None:
        self.environ = child_environment(
            settings.environ,
            api_key=settings.claude_api_key,
            max_retries=settings.claude_max_retries,
            lean_runtime=settings.claude_lean_runtime,
        )
        self.cache_ttl = cache_ttl(self.environ)
        self.binary: Binary | None = None
        self._work_dir = settings.claude_work_dir
        self._binary_path = settings.claude_binary_path

    def find_binary(self) -> None:
        """Search for the CLI. Raises ClaudeUnavailable with advice for the operator."""
        binary = find_binary(self._binary_path)
        if binary.version != TESTED:
            log.warning(
                "Claude Code %s is not the tested version %s", binary.version_text, format_version(TESTED)
            )
        log.info("using Claude Code %s at %s", binary.version_text, binary.path)
        self.binary = binary

    def start_chat(self) -> Process:
        """Start a generic process for any conversation. Raises OSError."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        command = [self._program, *chat_arguments(self.environ)]
        return Process(command, self.environ, str(self._work_dir))

    def start_agent(self, workspace: AgentWorkspace) -> Process:
        """Start a process for one turn that works in a project. Raises OSError."""
        command = [self._program, *agent_arguments(self.environ, workspace)]
        return Process(command, agent_environment(self.environ), workspace.folder, runs_programs=True)

    @property
    def _program(self) -> str:
        assert self.binary is not None, "find_binary was not called"
        return self.binary.path

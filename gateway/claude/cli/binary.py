"""Find the Claude Code CLI and check its version.

>>> format_version((2, 1, 332))
'2.1.332'
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ClaudeUnavailable
from gateway.home import INSTALL_CLI, find_home

TESTED = (2, 1, 332)
MINIMUM = (2, 1, 248)  # the first version with `client_composed`: older ones expand @paths in clients' text
ADVICE = f"Run `{INSTALL_CLI}`, or set CLAUDE_BINARY_PATH."


@dataclass(frozen=True, slots=True)
class Binary:
    """A usable CLI: its path and its version, for example (2, 1, 330)."""

    path: str
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """The version with dots."""
        return format_version(self.version)


def format_version(version: tuple[int, ...]) -> str:
    """Return the version with dots."""
    return ".".join(map(str, version))


def install_paths(home: Path) -> list[Path]:
    """Return the paths that installers use for the CLI, and the gateway's own copy at the end."""
    return [
        home / ".local/bin/claude",
        home / ".claude/local/claude",
        Path("/usr/local/bin/claude"),
        Path("/opt/homebrew/bin/claude"),
        home / ".npm-global/bin/claude",
        find_home() / "node_modules/.bin/claude",
        find_home() / ".claude-cli/claude",
    ]


def find_binary(configured: str | None) -> Binary:
    """Return the CLI at `configured`; without it, the first on PATH or at a usual path that is new enough.

    Raises ClaudeUnavailable with advice for the operator.
    """
    found = [configured] if configured else _candidates()
    too_old = None
    for path in found:
        version = read_version(path)
        if version >= MINIMUM:
            return Binary(path, version)
        if too_old is None:
            state = f"is version {format_version(version)}" if version else "is not working"
            too_old = f"The Claude Code CLI at {path} {state}"
    if too_old:
        raise ClaudeUnavailable(
            f"{too_old}; at least {format_version(MINIMUM)} is needed. {ADVICE}", should_retry=False
        )
    raise ClaudeUnavailable(f"The Claude Code CLI was not found. {ADVICE}", should_retry=False)


def _candidates() -> list[str]:
    on_path = shutil.which("claude")
    usual = [str(path) for path in install_paths(Path.home()) if os.access(path, os.X_OK)]
    return [on_path, *usual] if on_path else usual


def read_version(path: str) -> tuple[int, ...]:
    """Return the numbers that `claude --version` prints, or () if it cannot be run."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(rb"(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, match.groups())) if match else ()

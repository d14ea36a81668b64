"""Find the Claude Code CLI and make sure that it is new enough. Done once, at start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ClaudeUnavailable

TESTED = (2, 1, 330)
MINIMUM = (2, 1, 248)  # the first to honour `client_composed`: older ones expand @paths in clients' text
ADVICE = "Run `make install`, or set CLAUDE_BINARY_PATH."
PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Binary:
    """A usable CLI: its path and version, such as (2, 1, 330)."""

    path: str
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """The version with dots."""
        return dotted(self.version)


def dotted(version: tuple[int, ...]) -> str:
    """(2, 1, 330) → "2.1.330"."""
    return ".".join(map(str, version))


def install_places(home: Path) -> list[Path]:
    """Where installers put the CLI, and the project's own copy at the end."""
    return [
        home / ".local/bin/claude",
        home / ".claude/local/claude",
        Path("/usr/local/bin/claude"),
        Path("/opt/homebrew/bin/claude"),
        home / ".npm-global/bin/claude",
        PROJECT / "node_modules/.bin/claude",
        PROJECT / ".claude-cli/claude",
    ]


def find(configured: str | None) -> Binary:
    """The CLI at `configured`, else on PATH, else in a usual place; the first that is new enough.

    Raises ClaudeUnavailable with what to do.
    """
    found = [configured] if configured else _candidates()
    too_old = None
    for path in found:
        version = version_of(path)
        if version >= MINIMUM:
            return Binary(path, version)
        too_old = too_old or f"The Claude Code CLI at {path} is {dotted(version) or 'not working'}"
    if too_old:
        raise ClaudeUnavailable(
            f"{too_old}; at least {dotted(MINIMUM)} is needed. {ADVICE}", should_retry=False
        )
    raise ClaudeUnavailable(f"The Claude Code CLI was not found. {ADVICE}", should_retry=False)


def _candidates() -> list[str]:
    on_path = shutil.which("claude")
    places = [str(path) for path in install_places(Path.home()) if os.access(path, os.X_OK)]
    return [on_path, *places] if on_path else places


def version_of(path: str) -> tuple[int, ...]:
    """What `claude --version` prints, as numbers; () when it does not run."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(rb"(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, match.groups())) if match else ()

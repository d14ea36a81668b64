"""The scripted CLI as a program, and its fixtures' plumbing."""

from __future__ import annotations

import sys
from pathlib import Path

import tests.support.fake_cli


class ScriptedCli:
    """`path` is the program; `home` is the HOME it has to be given, where it reads its mode and notes its starts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "claude"
        # -S -E: nothing of site-packages, which would take longer to load than all the rest.
        self.path.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -S -E "{tests.support.fake_cli.__file__}" "$@"\n'
        )
        self.path.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        """Settings for a gateway."""
        return {"CLAUDE_BINARY_PATH": str(self.path), "HOME": str(self.home)}

    @property
    def starts(self) -> int:
        """How often it has been started."""
        noted = self.home / "starts"
        return len(noted.read_text().splitlines()) if noted.exists() else 0

    def go(self) -> None:
        """Let all answers to WAIT go on."""
        (self.home / "go").touch()

    def set_mode(self, mode: str) -> None:
        """What goes wrong from the next start on; "" for nothing."""
        (self.home / "mode").write_text(mode)

"""The scripted CLI (fake_cli.py) as a program with its own home folder."""

import sys
from pathlib import Path

import tests.support.fake_cli


class ScriptedCli:
    """A scripted CLI. `path` is the program; `home` must be its HOME, where it reads its mode and logs its starts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "claude"
        # -S -E skip site-packages, which would take longer to load than everything else.
        self.path.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -S -E "{tests.support.fake_cli.__file__}" "$@"\n'
        )
        self.path.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        """Return the settings of a gateway that runs this CLI."""
        return {"CLAUDE_BINARY_PATH": str(self.path), "HOME": str(self.home)}

    @property
    def starts(self) -> int:
        """Return the number of starts of the program."""
        log = self.home / "starts"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def finish_waiting(self) -> None:
        """Let all answers to WAIT finish."""
        (self.home / "go").touch()

    def set_mode(self, mode: str) -> None:
        """Choose the failure of all processes that start from now on, a key of `MODES`; "" for none."""
        (self.home / "mode").write_text(mode)

"""The wheel, built and installed as a user would: an empty virtual environment, and an empty home."""

import os
import subprocess
import sys
from pathlib import Path

from gateway.claude.cli.binary import find_binary
from tests.support.gateway import ROOT

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


class Installation:
    """The wheel in a virtual environment of its own, and a home folder without anything."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.program = folder / "venv/bin/claude-gateway"
        build = [sys.executable, "-c", BUILD, str(folder)]
        built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        python, wheel = str(folder / "venv/bin/python"), str(folder / built.stdout.split()[-1])
        install = [python, "-m", "pip", "install", "--quiet", wheel]
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the installed gateway in the home folder. `stdout` of the result also has stderr."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "CLAUDE_BINARY_PATH": find_binary(None).path,
                "ANTHROPIC_API_KEY": "sk-ant-dummy",
                **environ,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
        )

"""Third-party clients, installed once for all test workers, at the versions that are pinned in this folder."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.gateway import ROOT

HERE = Path(__file__).parent
HOME = ROOT / ".venv-sdks"
NODE_MODULES = HOME / "node/node_modules"
INSTALL_SECONDS = 540
RUN_SECONDS = 90

# The clients talk to the gateway only: no proxies, no telemetry, no downloads of price lists.
QUIET = {
    "AGENTS_DISABLE_SPLASH": "1",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NODE_NO_WARNINGS": "1",
    "NO_PROXY": "*",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "PYTHONWARNINGS": "ignore",
}


def python_for(name: str) -> Path:
    """Return the Python of an environment with `requirements-NAME.txt`."""
    pins = HERE / f"requirements-{name}.txt"
    python = HOME / name / "bin/python"

    def build(home: Path) -> None:
        run([sys.executable, "-m", "venv", "--without-pip", str(home)], INSTALL_SECONDS)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
        run([*pip, "install", "--quiet", "--no-compile", "-r", str(pins)], INSTALL_SECONDS)

    _installed(name, pins.read_text("utf-8"), build)
    return python


def node() -> str:
    """Install the packages of `package.json` and return the path of Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise AssertionError("The clients for Node need node and npm on PATH.")
    pins = [HERE / "package.json", HERE / "package-lock.json"]

    def build(home: Path) -> None:
        home.mkdir()
        for file in pins:
            shutil.copy(file, home)
        run(
            [npm, "ci", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(home)], INSTALL_SECONDS
        )

    _installed("node", "".join(file.read_text("utf-8") for file in pins), build)
    return node


def seen_by(command: list[str]) -> str:
    """Run the script of a client and return its output. Of this environment, the script only gets PATH."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(HOME), "NODE_PATH": str(NODE_MODULES), **QUIET}
    return run(command, RUN_SECONDS, environ)


def run(command: list[str], seconds: float, environ: Mapping[str, str] | None = None) -> str:
    """Run a command and return its output. Raise AssertionError with that output if the command fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, env=environ, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _installed(name: str, pins: str, build: Callable[[Path], None]) -> None:
    """Call `build` to fill the folder NAME for these pins. Only the first test worker does it."""
    home = HOME / name
    complete = home / "complete"
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    with (HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text("utf-8") != pins:
            shutil.rmtree(home, ignore_errors=True)
            build(home)
            complete.write_text(pins, "utf-8")

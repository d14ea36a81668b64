"""Other projects' clients, installed on first use at the versions that `tests/clients/pins` names.

A folder there is one installation: `requirements.txt` makes a virtual environment of its own, and `package.json` with
its lock makes a `node_modules`. Install scripts of npm packages run only where `runInstallScriptsOf` asks for it. Test
workers share the installations; they stay until their pins change.

    npm_program("codex", "codex")  # → ["…/.venv-sdks/codex/node_modules/.bin/codex"]
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.gateway import ROOT

PINS = Path(__file__).parent / "pins"
HOME = ROOT / ".venv-sdks"
INSTALL_SECONDS = 540
RUN_SECONDS = 90


def python_of(name: str, pins: Path | None = None) -> Path:
    """Return the Python of a virtual environment with the pins of NAME, or with another file of requirements.

    The file lists everything: a package that is not in it is not installed, even if another one names it.
    """
    requirements = pins or PINS / name / "requirements.txt"
    python = HOME / name / "bin/python"

    def build(home: Path) -> None:
        run([sys.executable, "-m", "venv", "--without-pip", str(home)], INSTALL_SECONDS)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
        run(
            [*pip, "install", "--quiet", "--no-compile", "--no-deps", "-r", str(requirements)],
            INSTALL_SECONDS,
        )

    install_once(name, requirements.read_text("utf-8"), build)
    return python


def node_modules_of(name: str, pins: Path | None = None) -> Path:
    """Return the `node_modules` with the pins of NAME, or with the package.json of another folder."""
    npm = shutil.which("npm")
    if not npm:
        raise AssertionError("Clients for Node need node and npm on PATH.")
    folder = pins or PINS / name
    files = [folder / "package.json", folder / "package-lock.json"]

    def build(home: Path) -> None:
        home.mkdir()
        for file in files:
            shutil.copy(file, home)
        options = ("--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(home))
        run([npm, "install", *options], INSTALL_SECONDS)
        for package in json.loads(files[0].read_text("utf-8")).get("runInstallScriptsOf", ()):
            run([npm, "rebuild", "--prefix", str(home), package], INSTALL_SECONDS)

    install_once(name, "".join(file.read_text("utf-8") for file in files), build)
    return HOME / name / "node_modules"


def npm_program(name: str, program: str, *, node: str | None = None) -> list[str]:
    """Return the command of a program from the npm pins of NAME. `node` names pins with a Node of its own."""
    path = node_modules_of(name) / ".bin" / program
    return [node_of(node), str(path)] if node else [str(path)]


def pypi_program(name: str, program: str) -> list[str]:
    """Return the command of a program from the PyPI pins of NAME."""
    return [str(python_of(name).with_name(program))]


def node_of(name: str) -> str:
    """Return the path of the Node that the pins of NAME install: npm's package `node`."""
    return str(next((node_modules_of(name)).glob("node-*/bin/node")))


def npm_version(name: str, package: str) -> str:
    """Return the version of a package that the pins of NAME install, without installing it."""
    wanted = json.loads((PINS / name / "package.json").read_text("utf-8"))
    return str(wanted["dependencies"][package])


def pypi_version(name: str, package: str, requirements: Path | None = None) -> str:
    """Return the version of a package that `python_of` installs with the same arguments, without installing it."""
    lines = (requirements or PINS / name / "requirements.txt").read_text("utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.partition("==")[0] == package)


def run(command: list[str], seconds: float, environ: Mapping[str, str] | None = None) -> str:
    """Run a command and return its output. Raise AssertionError with that output if the command fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, env=environ, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install_once(name: str, pins: str, build: Callable[[Path], None]) -> None:
    """Call `build` to fill the folder NAME for these pins. Only the first test worker does it.

    Raise AssertionError with the installer's output if the registry cannot be reached.
    """
    home = HOME / name
    complete = home / "complete"
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    with (HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text("utf-8") != pins:
            shutil.rmtree(home, ignore_errors=True)
            try:
                build(home)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                raise AssertionError(
                    f"{name} could not be installed. Is the registry reachable?\n{error}"
                ) from error
            complete.write_text(pins, "utf-8")


def clean_environ(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a client: PATH, its own home, and nothing else of the surrounding one."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "NO_PROXY": "*", **more}

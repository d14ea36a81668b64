#!/usr/bin/env python3
"""Print the path of a usable Claude Code CLI; install a pinned copy first when there is none.

It looks where the gateway looks (CLAUDE_BINARY_PATH, PATH, the usual places, `.claude-cli` in the project) and by
the same rules: gateway/claude/cli/binary.py. When CLAUDE_BINARY_PATH is set, nothing else is tried. The copy comes from
the wheel of the Python package claude-agent-sdk, which carries the CLI, or from npm when pip cannot get it.

The path goes to stdout, everything else to stderr. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.claude.cli import binary  # noqa: E402  the project is not installed: its folder has to be on sys.path
from gateway.errors import ClaudeUnavailable  # noqa: E402

EXECUTABLE = "claude.exe" if os.name == "nt" else "claude"
PINNED = binary.format_version(binary.TESTED)
# The release of the SDK that carries the pinned CLI: change it together with binary.TESTED.
WHEEL = "claude-agent-sdk==0.2.187"
NPM_PACKAGE = "@anthropic-ai/claude-code"

DOWNLOAD_TIMEOUT = 1800.0
ADVICE = f"""\
Any of these gives you one:
  make install                               a copy of {PINNED} in .claude-cli, for this project only
  npm install -g {NPM_PACKAGE}@{PINNED}
  CLAUDE_BINARY_PATH=/path/to/claude         in the environment or in .env, if it is installed elsewhere"""

FIX_SETTING = (
    "That is what CLAUDE_BINARY_PATH says, in the environment or in .env: correct it, or take it out."
)


class InstallFailed(Exception):
    """No copy could be installed; the message is for the user."""


def say(line: str) -> None:
    """A line for the user, beside the path on stdout."""
    print(line, file=sys.stderr, flush=True)


def configured() -> str | None:
    """CLAUDE_BINARY_PATH from the environment, else from the env file; None when unset or empty."""
    if "CLAUDE_BINARY_PATH" in os.environ:
        return os.environ["CLAUDE_BINARY_PATH"] or None
    env_file = Path(os.environ.get("CLAUDE_CODE_API_ENV_FILE") or PROJECT / ".env")
    try:
        text = env_file.read_text(encoding="utf-8")
    except OSError:
        return None
    value = r"""("[^"\n]*"|'[^'\n]*'|[^#\n]*)"""
    found = re.findall(rf"^\s*(?:export\s+)?CLAUDE_BINARY_PATH\s*=[^\S\n]*{value}", text, re.MULTILINE)
    return found[-1].strip().strip("\"'") or None if found else None


def without_advice(fault: Exception) -> str:
    """What is wrong, without the gateway's hint to run this very script."""
    return str(fault).removesuffix(binary.ADVICE).rstrip()


def where(path: str) -> str:
    """How a CLI was found, in words."""
    if path == configured():
        return "from CLAUDE_BINARY_PATH"
    if path == shutil.which("claude"):
        return "on PATH"
    return "the project's own copy" if PROJECT in Path(path).parents else "in a usual place"


def find(copy: Path) -> binary.Binary:
    """The CLI the gateway would use, else `copy`. Raises ClaudeUnavailable."""
    wanted = configured()
    try:
        return binary.find_binary(wanted)
    except ClaudeUnavailable:
        if wanted or not copy.exists():
            raise
        return binary.find_binary(str(copy))


def download(command: list[str | Path], folder: Path) -> None:
    """Run a package manager that leaves one archive in `folder`. Raises InstallFailed with its last words."""
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(str(error)) from error
    if run.returncode:
        last_words = [line.strip() for line in run.stderr.splitlines() if line.strip()][-3:]
        raise InstallFailed(" ".join(last_words) or f"exit code {run.returncode}")


def unpack(stream: IO[bytes], target: Path) -> None:
    """Write the one file we want out of an archive, executable."""
    with stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    target.chmod(0o755)


def from_pip(folder: Path) -> Path:
    """The binary out of the wheel for this platform, in `folder`."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    download([*pip, "--only-binary=:all:", "--dest", folder, WHEEL], folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        unpack(archive.open(f"claude_agent_sdk/_bundled/{EXECUTABLE}"), folder / EXECUTABLE)
    wheel.unlink()
    return folder / EXECUTABLE


def npm_platform() -> str:
    """The platform in npm's words ("linux-x64-musl"): the binary lives in a package of its own for each."""
    systems = {"Darwin": "darwin", "Windows": "win32"}
    system = systems.get(platform.system(), "linux")
    machine = platform.machine().lower()
    cpu = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    return f"{system}-{cpu}{musl}"


def from_npm(folder: Path) -> Path:
    """The binary out of npm's package for this platform, in `folder`. Only fetched: none of its scripts run."""
    npm = shutil.which("npm")
    if npm is None:
        raise InstallFailed("npm is not installed")
    download([npm, "pack", "--silent", f"{NPM_PACKAGE}-{npm_platform()}@{PINNED}"], folder)
    (tarball,) = folder.glob("*.tgz")
    with tarfile.open(tarball) as archive:
        stream = archive.extractfile(f"package/{EXECUTABLE}")
        if stream is None:
            raise InstallFailed("the package holds no binary")
        unpack(stream, folder / EXECUTABLE)
    tarball.unlink()
    return folder / EXECUTABLE


SOURCES: tuple[tuple[str, Callable[[Path], Path]], ...] = (("pip", from_pip), ("npm", from_npm))


def install(copy: Path) -> binary.Binary:
    """Put the pinned CLI at `copy`, all at once or not at all. Raises InstallFailed when no source has it."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    say(f"Installing Claude Code {PINNED} into {copy.parent} (once; about 170 MB to download) ...")
    faults = []
    for name, fetch in SOURCES:
        # Beside its destination: a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(prefix=".new-", dir=copy.parent) as folder:
            try:
                fetched = fetch(Path(folder))
                binary.find_binary(str(fetched))
                fetched.replace(copy)
                return binary.find_binary(str(copy))
            except (InstallFailed, ClaudeUnavailable, OSError, KeyError, ValueError) as error:
                faults.append(f"  {name}: {error}")
            except (zipfile.BadZipFile, tarfile.TarError) as error:
                faults.append(f"  {name}: the download is damaged: {error}")
    raise InstallFailed("\n".join(["Claude Code could not be installed.", *faults]))


def get(copy: Path) -> binary.Binary:
    """A usable CLI, installed at `copy` if need be. Raises ClaudeUnavailable or InstallFailed."""
    try:
        return find(copy)
    except ClaudeUnavailable as fault:
        if configured():
            raise
        if shutil.which("claude") or any(place.exists() for place in binary.install_paths(Path.home())):
            say(without_advice(fault))
    return install(copy)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Print the path of a usable Claude Code CLI; install one if need be."
    )
    folder = PROJECT / ".claude-cli"
    parser.add_argument("--dir", type=Path, default=folder, help="where to install (.claude-cli)")
    parser.add_argument("--check", action="store_true", help="install nothing, say what is there")
    arguments = parser.parse_args()
    copy = arguments.dir.resolve() / EXECUTABLE
    try:
        if arguments.check:
            cli = find(copy)
            print(f"Claude Code {cli.version_text}, {where(cli.path)}: {cli.path}")
        else:
            print(get(copy).path)
    except (ClaudeUnavailable, InstallFailed) as fault:
        say(f"{without_advice(fault)}\n{FIX_SETTING if configured() else ADVICE}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

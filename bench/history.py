"""The figures of each release in `history.jsonl`, and the code of the last one to compare with.

A line is one run of all rows at a release:

    {"version": "1.0.0", "commit": "0123abc…", "date": "2026-11-26", "machine": "2 cores, …", "rows": [{…}, …]}
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.results import Row
from tests.support.gateway import ROOT, Program

HISTORY = Path(__file__).with_name("history.jsonl")
RELEASES = ROOT / ".venv/releases"  # ignored by git and by all checks
REQUIREMENTS = "requirements.txt"


class ReleaseMissing(Exception):
    """The code of a release cannot be found. The message says why."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release and the commit from which it was made."""

    version: str
    commit: str


def record(version: str, ref: str, machine: str, rows: Sequence[Row]) -> None:
    """Append the figures of a release, which is the commit or tag `ref`."""
    line = {
        "version": version,
        "commit": _git("rev-parse", f"{ref}^{{commit}}").strip(),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "machine": machine,
        "rows": [_round(row.as_json()) for row in rows],
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def last_release() -> Release:
    """Return the release in the last line of the history. Raises ReleaseMissing."""
    lines = HISTORY.read_text("utf-8").splitlines() if HISTORY.exists() else []
    if not lines:
        raise ReleaseMissing(
            f"{HISTORY.name} names no release. Name a commit: make bench-check ARGS='--check REF'"
        )
    line = json.loads(lines[-1])
    return Release(line["version"], line["commit"])


def program_at(ref: str) -> Program:
    """Return the code of a commit or tag, unpacked with an environment that has its packages. Raises ReleaseMissing."""
    commit = _git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").strip()
    if not commit:
        raise ReleaseMissing(
            f"There is no commit {ref} in this clone. To get it: git fetch --unshallow --tags"
        )
    folder = RELEASES / commit
    if not folder.exists():
        _unpack(commit, folder)
    return program_in(folder)


def program_in(folder: Path) -> Program:
    """Return the code in a folder. It runs in the folder's own environment, or here if that has the same packages."""
    folder = folder.resolve()
    own = folder / ".venv/bin/python"
    is_same = (folder / REQUIREMENTS).read_bytes() == (ROOT / REQUIREMENTS).read_bytes()
    if not own.exists() and is_same:
        return Program(folder)
    if not own.exists():
        print(f"installing the packages of {folder} ...", file=sys.stderr, flush=True)
        venv.create(folder / ".venv", with_pip=True)
        subprocess.run([own, "-m", "pip", "install", "-q", "-r", folder / REQUIREMENTS], check=True)
    return Program(folder, str(own))


def _unpack(commit: str, folder: Path) -> None:
    partial = folder.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", partial], input=archive.stdout, check=True)
    partial.rename(folder)


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
    return found.stdout


def _round(value: object) -> object:
    """Return JSON with four digits after the point, so that a line stays readable."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _round(inner) for name, inner in value.items()}
    return value

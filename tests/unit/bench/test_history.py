"""The figures of releases: recorded as lines of JSON, and the code of a release from git."""

import json
from pathlib import Path

import pytest

from bench import history
from bench.results import Row
from tests.support.gateway import ROOT, Program


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of an empty history."""
    monkeypatch.setattr(history, "HISTORY", tmp_path / "history.jsonl")
    return history.HISTORY


def test_last_release_is_the_last_one_recorded(file: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        history.record(version, "HEAD", "2 cores", [Row("new conversation", [0.123456789], cpu=0.5)])
    first, last = map(json.loads, file.read_text().splitlines())
    assert (first["version"], last["version"]) == ("1.0.0", "1.1.0")
    assert last["rows"][0]["first_delta_ms"]["median"] == 123.4568
    assert last["rows"][0]["cpu_seconds_per_request"] == 0.5
    assert history.last_release() == history.Release("1.1.0", last["commit"])


def test_missing_release_is_explained(file: Path) -> None:
    with pytest.raises(history.ReleaseMissing, match="names no release"):
        history.last_release()
    with pytest.raises(history.ReleaseMissing, match="git fetch --unshallow"):
        history.program_at("no-such-commit")


def test_release_runs_here_if_it_needs_the_same_packages(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes((ROOT / "requirements.txt").read_bytes())
    assert history.program_in(tmp_path) == Program(tmp_path)


def test_release_with_its_own_environment_runs_in_that(tmp_path: Path) -> None:
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "requirements.txt").write_text("Flask==1.0\n")
    assert history.program_in(tmp_path) == Program(tmp_path, str(python))


def test_recorded_history_can_be_read() -> None:
    for line in map(json.loads, history.HISTORY.read_text("utf-8").splitlines()):
        assert {"version", "commit", "date", "machine", "rows"} <= line.keys()

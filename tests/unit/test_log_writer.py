"""The log of `make start-prod-bg` is rotated, loses no line, and stays private."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.command_line.log_writer import LogFile
from tests.support.gateway import ROOT


def test_log_is_rotated_without_losing_a_line(tmp_path: Path) -> None:
    lines = [b"line %d\n" % number for number in range(10, 40)]
    command = [
        sys.executable,
        str(ROOT / "gateway/command_line/log_writer.py"),
        str(tmp_path / "x.log"),
        "--max-bytes",
        "80",
        "--backups",
        "9",
    ]
    subprocess.run(command, input=b"".join(lines), check=True)
    files = sorted(tmp_path.iterdir(), key=lambda path: path.name, reverse=True)
    assert [path.name for path in files] == ["x.log.2", "x.log.1", "x.log"]
    assert b"".join(path.read_bytes() for path in files) == b"".join(lines)
    assert all(path.stat().st_size <= 80 and path.stat().st_mode & 0o077 == 0 for path in files)


def test_oldest_logs_are_dropped(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", 10, 2)
    for number in range(9):
        log.write(b"%d 345678\n" % number)
    assert {path.name: path.read_text()[0] for path in tmp_path.iterdir()} == {
        "x.log": "8",
        "x.log.1": "7",
        "x.log.2": "6",
    }


def test_full_disk_costs_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(tmp_path / "x.log", 0, 1)
    with monkeypatch.context() as full:
        full.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        log.write(b"lost\n")
    log.write(b"kept\n")
    assert (tmp_path / "x.log").read_bytes() == b"kept\n"

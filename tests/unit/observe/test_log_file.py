"""The log file: no line is lost when it is rotated."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.observe.logs import open_log_file
from tests.support.gateway import ROOT

LONGEST_LINE = 70  # of WRITE: a file is rotated once it has reached its size, so it may be a line longer
WRITE = """
import logging, sys
from pathlib import Path
from gateway.observe.logs import open_log_file
log = logging.getLogger()
log.addHandler(open_log_file(Path(sys.argv[1]), 20_000, 100))
for number in range(1500):
    log.error("%s-%d %s", sys.argv[2], number, "x" * 50)
"""


@pytest.mark.wide
def test_no_line_is_lost_when_three_processes_rotate_one_file(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "gateway.log"
    command = [sys.executable, "-c", WRITE, str(path)]
    writers = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    files = [file for file in path.parent.iterdir() if file.suffix != ".lock"]
    assert 10 < len(files) < 100
    assert all(file.stat().st_size < 20_000 + LONGEST_LINE for file in files)
    lines = [line.split()[0] for file in files for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{name}-{number}" for name in "abc" for number in range(1500))


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Writes a line to a file that is rotated at 100 bytes, with two older ones."""
    handler = open_log_file(tmp_path / "log", 100, 2)
    yield lambda text: handler.emit(logging.makeLogRecord({"msg": text}))
    handler.close()


def test_number_of_old_files_is_limited(tmp_path: Path, write: Callable[[str], None]) -> None:
    for number in range(10):
        write(f"{number}" * 150)
    found = {file.name: file.read_text()[0] for file in tmp_path.iterdir() if file.suffix != ".lock"}
    assert found == {"log": "9", "log.1": "8", "log.2": "7"}


def test_line_longer_than_the_limit_is_written_complete(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("x" * 500)
    assert (tmp_path / "log").read_text() == "x" * 500 + "\n"
    assert not (tmp_path / "log.1").exists()


def test_file_that_was_moved_away_is_created_again(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("one")
    (tmp_path / "log").rename(tmp_path / "moved")
    write("two")
    (tmp_path / "log").unlink()
    write("three")
    assert (tmp_path / "moved").read_text() == "one\n"
    assert (tmp_path / "log").read_text() == "three\n"


def test_file_that_cannot_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        open_log_file(tmp_path / "log", 100, 2)


def test_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        handler = open_log_file(tmp_path / "logs" / "log", 1, 2)
        for text in "abc":
            handler.emit(logging.makeLogRecord({"msg": text}))
        handler.close()
    finally:
        os.umask(before)
    modes = {file.stat().st_mode & 0o077 for file in (tmp_path / "logs").iterdir()}
    assert modes == {0}

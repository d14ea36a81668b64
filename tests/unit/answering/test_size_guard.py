"""The size limit of a project holds while an agent writes."""

import threading
from pathlib import Path

import gevent
import pytest

from gateway.answering import size_guard
from gateway.errors import ProjectTooLarge
from gateway.store.project_folders import ProjectFolders
from tests.unit.answering.fakes import FakeRun, complete_run, meter


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolders:
    monkeypatch.setattr(size_guard, "INTERVAL_SECONDS", 0.01)
    folders = ProjectFolders(tmp_path / "projects", max_bytes=1000)
    folders.create("p")
    return folders


def test_agent_that_exceeds_the_size_limit_is_stopped(folders: ProjectFolders) -> None:
    run = FakeRun()
    answer = meter(run)
    size_guard.guard_size(answer, "p", folders)
    gevent.sleep(0.05)
    assert [run.stopped] == [None]
    Path(folders.locate("p"), "large").write_bytes(b"x" * 1001)
    gevent.sleep(0.2)
    assert [type(run.stopped)] == [ProjectTooLarge]
    answer.close()


def test_answer_that_is_over_is_watched_no_more(folders: ProjectFolders) -> None:
    run = complete_run()
    answer = meter(run)
    list(answer)
    answer.close()
    Path(folders.locate("p"), "large").write_bytes(b"x" * 1001)
    size_guard.guard_size(answer, "p", folders)
    gevent.sleep(0.05)
    assert run.stopped is None


def test_folders_are_asked_in_the_main_thread(
    folders: ProjectFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They use a thread themselves. From another one, gevent would give that thread an event loop of its own."""
    threads: set[int] = set()

    def count_bytes(name: str) -> int:
        threads.add(threading.get_native_id())
        return 0

    monkeypatch.setattr(folders, "count_bytes", count_bytes)
    answer = meter(FakeRun())
    size_guard.guard_size(answer, "p", folders)
    gevent.sleep(0.1)
    answer.close()
    assert threads == {threading.get_native_id()}

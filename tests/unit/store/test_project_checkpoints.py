"""Checkpoints of projects: their content, the way back, and their limits."""

import os
from pathlib import Path

import pytest

from gateway.errors import CheckpointNotFound
from gateway.store import project_checkpoints
from gateway.store.project_checkpoints import Checkpoint, ProjectCheckpoints
from gateway.store.project_folders import ProjectFolders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "p"
    (folder / "src").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "src" / "run.sh").write_text("echo one")
    (folder / "src" / "run.sh").chmod(0o755)
    return folder


@pytest.fixture
def checkpoints(tmp_path: Path) -> ProjectCheckpoints:
    return ProjectCheckpoints(tmp_path, ProjectFolders(tmp_path, 10_000), kept=2, max_bytes=1000)


def create(checkpoints: ProjectCheckpoints, request: str = "r") -> Checkpoint:
    checkpoint = checkpoints.create("p", request, "me")
    assert checkpoint is not None
    return checkpoint


def stored(tmp_path: Path) -> set[str]:
    return {path.read_text() for path in (tmp_path / ".checkpoints/p/content").iterdir()}


def test_rewind_restores_changed_and_deleted_files_and_deletes_new_ones(
    checkpoints: ProjectCheckpoints, folder: Path
) -> None:
    before = create(checkpoints)
    (folder / "a.txt").write_text("two")
    (folder / "src" / "run.sh").unlink()
    (folder / "src").rmdir()
    (folder / "new").mkdir()
    (folder / "new" / "b.txt").write_text("new")
    rewound = checkpoints.restore("p", before.id)
    assert rewound.restored == ("a.txt", "src/run.sh")
    assert (rewound.deleted, rewound.skipped) == (("new/b.txt",), ())
    assert (folder / "a.txt").read_text() == "one"
    assert os.access(folder / "src" / "run.sh", os.X_OK)
    assert not (folder / "new" / "b.txt").exists()


def test_unchanged_files_are_not_touched(checkpoints: ProjectCheckpoints, folder: Path) -> None:
    before = create(checkpoints)
    number = (folder / "a.txt").stat().st_ino
    assert checkpoints.restore("p", before.id).restored == ()
    assert (folder / "a.txt").stat().st_ino == number


def test_change_that_keeps_size_and_time_is_undone(checkpoints: ProjectCheckpoints, folder: Path) -> None:
    before = create(checkpoints)
    times = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("two")
    os.utime(folder / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert checkpoints.restore("p", before.id).restored == ("a.txt",)


def test_links_are_neither_followed_nor_deleted(
    checkpoints: ProjectCheckpoints, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    before = create(checkpoints)
    (folder / "src" / "run.sh").unlink()
    (folder / "src").rmdir()
    (folder / "src").symlink_to(outside)
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(outside / "target")
    rewound = checkpoints.restore("p", before.id)
    assert (rewound.restored, rewound.skipped) == (("a.txt",), ("src/run.sh",))
    assert not (folder / "a.txt").is_symlink()
    assert not list(outside.iterdir())


def test_newest_checkpoints_are_kept_with_their_content(
    checkpoints: ProjectCheckpoints, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_checkpoints, "GRACE_SECONDS", -1.0)
    made = []
    for words in ("one", "two", "three"):
        (folder / "a.txt").write_text(words)
        made.append(create(checkpoints, words))
    assert [checkpoint.request_id for checkpoint in checkpoints.list("p")] == ["three", "two"]
    assert stored(tmp_path) == {"two", "three", "echo one"}
    with pytest.raises(CheckpointNotFound):
        checkpoints.restore("p", made[0].id)
    checkpoints.create("p", "undo", "me", protected=made[1].id)
    assert [checkpoint.request_id for checkpoint in checkpoints.list("p")] == ["undo", "three", "two"]
    checkpoints.remove("p")
    assert checkpoints.list("p") == []


def test_large_projects_and_turned_off_checkpoints_get_none(tmp_path: Path, folder: Path) -> None:
    folders = ProjectFolders(tmp_path, 10_000)
    (folder / "big").write_bytes(bytes(1001))
    assert ProjectCheckpoints(tmp_path, folders, 2, 1000).create("p", "r", "me") is None
    assert ProjectCheckpoints(tmp_path, folders, 0, 9000).create("p", "r", "me") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_that_the_gateway_may_not_read_is_left_alone(
    checkpoints: ProjectCheckpoints, folder: Path
) -> None:
    (folder / "a.txt").chmod(0)
    before = create(checkpoints)
    assert checkpoints.restore("p", before.id).deleted == ()

"""Names of project folders and paths of project files, checked with random text."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.store import project_paths


@given(st.text(max_size=300))
@example("a/b")
@example("..")
def test_accepted_folder_name_is_one_plain_name(name: str) -> None:
    with contextlib.suppress(InvalidRequest):
        folder = project_paths.check_folder_name(name)
        assert folder == name
        assert folder.isascii()
        assert Path("/root", folder).resolve().parent == Path("/root").resolve()


@given(st.one_of(st.text(max_size=60), st.lists(st.text("a.\\/ \u0301", max_size=4)).map("/".join)))
@example("a/../b")
@example("/a")
@example("a/")
def test_accepted_file_path_stays_below_its_folder(path: str) -> None:
    with contextlib.suppress(InvalidRequest):
        parts = project_paths.split_file_path(path)
        assert "/".join(parts) == path
        assert all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts)
        below = Path("/nowhere", *parts)
        assert below.is_relative_to("/nowhere")
        assert len(below.parts) == 2 + len(parts)


@pytest.mark.parametrize(
    "path", ["a", "src/a.py", "Übersicht 2.md", ".claude/settings.json", "日本/語.txt", "a..b"]
)
def test_ordinary_paths_are_accepted(path: str) -> None:
    assert project_paths.split_file_path(path) == tuple(path.split("/"))

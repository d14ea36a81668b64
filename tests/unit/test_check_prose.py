"""The prose checker: which sentences it rejects, which it leaves alone, and where it says they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_prose import PHRASES, check_file, find_files
from tests.support.gateway import ROOT

MODULE = '''"""Count requests per client.

Rows are kept by whoever
asked; nobody else can have them meanwhile.
"""


def find_window(name: str) -> str:
    """Whether anything is left"""
    # A row of
    # which nothing is left.
    if not name:
        raise ValueError("A window is needed, but there is none.")
    return f"{name} had to be had."


def test_what_is_said_besides() -> None:
    """Report `whoever` and "the caller" in plain words."""
'''


def findings(path: Path, text: str) -> list[tuple[int, str]]:
    """Write `text` and return the findings, each as its line and the quoted words."""
    path.write_text(text)
    return [
        (line, message.split("'")[1] if "'" in message else message) for line, message in check_file(path)
    ]


def test_docstrings_comments_and_messages_are_checked(tmp_path: Path) -> None:
    assert findings(tmp_path / "windows.py", MODULE) == [
        (3, "whoever"),
        (4, "meanwhile"),
        (4, "nobody"),
        (9, "first line of the docstring does not end with a period"),
        (9, "Whether"),
        (10, "of which"),
        (13, "is none"),
        (14, "to be had"),
    ]


def test_names_but_not_strings_of_tests_are_checked(tmp_path: Path) -> None:
    found = findings(tmp_path / "test_windows.py", MODULE)
    assert [line for line, _ in found] == [3, 4, 4, 9, 9, 10, 17, 17]
    assert found[-2:] == [(17, "besides"), (17, "what is")]


@pytest.mark.parametrize("opening", ["What", "Whether", "Who", "Whose", "How", "Which", "Where"])
def test_docstrings_must_not_open_with_a_question_word(tmp_path: Path, opening: str) -> None:
    assert findings(tmp_path / "module.py", f'"""{opening} a client may ask."""\n') == [(1, opening)]


def test_markdown_is_checked_without_its_code(tmp_path: Path) -> None:
    page = "# Limits\n\nUse `whoever`, or\n[somebody](anybody.md).\n\n```sh\necho nobody\n```\n\n3 requests a\nminute\n"
    assert findings(tmp_path / "limits.md", page) == [(4, "somebody"), (10, "requests a minute")]


def test_every_line_of_a_makefile_is_checked(tmp_path: Path) -> None:
    assert findings(tmp_path / "Makefile", "all: ## Build anew\n\techo ready\n") == [(1, "anew")]


@pytest.mark.parametrize(
    "sentence",
    [
        "Return None if the key is None.",
        "Limit clients to 100 requests per minute.",
        "Raise `StoreUnavailable` if the database does not answer.",
        "The other workers keep running.",
    ],
)
def test_plain_sentences_pass(tmp_path: Path, sentence: str) -> None:
    assert findings(tmp_path / "module.py", f'"""{sentence}"""\n# {sentence}\n') == []


def test_every_phrase_has_advice() -> None:
    assert all(PHRASES.values())


def test_command_prints_findings_and_fails(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Ask anybody.\n")
    command = [sys.executable, "scripts/check_prose.py", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path}/page.md:1: 'anybody': name the client, caller or thing\n"
    (tmp_path / "page.md").write_text("Ask the administrator.\n")
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("folder", [".venv", ".venv-sdks", ".claude-cli", "node_modules", "data"])
def test_installed_packages_and_data_are_skipped(tmp_path: Path, folder: str) -> None:
    for module in (tmp_path / folder / "lib/module.py", tmp_path / "gateway/module.py"):
        module.parent.mkdir(parents=True)
        module.write_text(MODULE)
    assert list(find_files([tmp_path])) == [tmp_path / "gateway/module.py"]

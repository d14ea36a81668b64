"""Skills of a project: the files that count, and the text that an agent gets."""

from pathlib import Path

import pytest

from gateway.answering.project_skills import describe_skills, parse_front_matter, read_skills
from gateway.store.project_folders import ProjectFolders


@pytest.fixture
def folders(tmp_path: Path) -> ProjectFolders:
    (tmp_path / "p").mkdir()
    return ProjectFolders(tmp_path, 100_000)


def write(folders: ProjectFolders, name: str, text: str) -> None:
    folders.write_file("p", (".claude", "skills", name, "SKILL.md"), [text.encode()])


def test_agent_is_told_the_path_and_description_of_each_skill(folders: ProjectFolders) -> None:
    write(folders, "greet", "---\nname: greet\ndescription: Says hello\nhooks: {x: y}\n---\nSECRET-BODY")
    write(folders, "empty", "no front matter")
    text = describe_skills(read_skills(folders, "p"))
    assert "- `.claude/skills/greet/SKILL.md`: Says hello" in text
    assert "SECRET-BODY" not in text
    assert "empty" not in text


def test_project_without_skills_adds_no_text(folders: ProjectFolders) -> None:
    assert read_skills(folders, "p") == ()
    assert describe_skills(()) == ""


def test_links_lead_to_no_skill(folders: ProjectFolders, tmp_path: Path) -> None:
    write(folders, "own", "---\ndescription: own\n---\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "SKILL.md").write_text("---\ndescription: secret\n---\n")
    (tmp_path / "p/.claude/skills/link").symlink_to(outside)
    assert [description for _, description in read_skills(folders, "p")] == ["own"]


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("---\ndescription: plain\n---", "plain"),
        ('---\ndescription: "quoted: twice"\n---', "quoted: twice"),
        ("---\ndescription: |\n  two\n  lines\nname: x\n---", "two lines"),
        ("\ufeff---\r\ndescription: windows\r\n---\r\n", "windows"),
        ("---\ndescription: never closed", "never closed"),
        ("description: outside", None),
        ("", None),
    ],
)
def test_front_matter(text: str, description: str | None) -> None:
    assert parse_front_matter(text).get("description") == description

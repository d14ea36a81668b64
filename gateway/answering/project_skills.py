"""Skills of a project: files of instructions that an agent reads when it needs them.

A skill is a folder `.claude/skills/NAME` with a file SKILL.md, as Claude Code has it. The CLI would also run the hooks
and commands that a SKILL.md may name, so it does not get to see them as skills: the gateway tells the agent the names
and descriptions, and the agent reads a file with its tool Read.

>>> parse_front_matter("---\\ndescription: >\\n  Say hello\\n  in Latin\\n---\\nSay salve.")["description"]
'Say hello in Latin'
"""

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.store.project_folders import ProjectFolders
from gateway.store.project_paths import is_valid_name

FOLDER = (".claude", "skills")
FILE = "SKILL.md"
MAX_SKILLS = 50
MAX_HEAD_BYTES = 8192  # of a file, in which its front matter is
MAX_DESCRIPTION = 1024  # characters, as in Claude Code


def read_skills(folders: ProjectFolders, name: str) -> tuple[tuple[str, str], ...]:
    """Return the paths of a project's skills and their descriptions. Files without a description are left out."""
    found = []
    for skill in folders.list_names(name, FOLDER)[:MAX_SKILLS]:
        head = _read_head(folders, name, (*FOLDER, skill, FILE)) if is_valid_name(skill) else ""
        description = parse_front_matter(head).get("description", "")
        if description:
            found.append(("/".join((*FOLDER, skill, FILE)), description[:MAX_DESCRIPTION]))
    return tuple(found)


def describe_skills(skills: Sequence[tuple[str, str]]) -> str:
    """Return the text that tells an agent of its skills; "" without any."""
    if not skills:
        return ""
    lines = "\n".join(f"- `{path}`: {description}" for path, description in skills)
    return f"# Skills of this project\n\nRead one of these files before you do what it describes:\n\n{lines}"


def parse_front_matter(text: str) -> dict[str, str]:
    """Return the fields between the two lines `---` at the beginning of a file. Indented lines continue a field."""
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return {}
    fields: dict[str, list[str]] = {}
    name = ""
    for line in lines[1:]:
        if line.strip() == "---":
            break
        if line[:1].isspace() and name:
            fields[name].append(line.strip())
        elif ":" in line:
            name, _, value = (part.strip() for part in line.partition(":"))
            fields[name] = [] if value in (">", "|", ">-", "|-") else [value]
    return {name: " ".join(parts).strip().strip("\"'") for name, parts in fields.items()}


def _read_head(folders: ProjectFolders, name: str, path: tuple[str, ...]) -> str:
    try:
        file, _ = folders.open_file(name, path)
    except GatewayError:
        return ""
    with file:
        return file.read(MAX_HEAD_BYTES).decode("utf-8", "replace")

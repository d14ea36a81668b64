"""Actions of an agent, and the tool calls that perform them with the tools of a client.

`call_for` chooses a tool by its name and fills its arguments by their names, so that one job works with many clients:

>>> shell = {"name": "Bash", "input_schema": {"properties": {"command": {"type": "string"}}, "required": ["command"]}}
>>> call_for(Read("a.py"), [shell], "/work")
('Bash', {'command': 'cat a.py'})
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.standin.outputs import smallest

Tool = dict[str, Any]
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """Run a shell command in the workspace."""

    command: str


@dataclass(frozen=True)
class Read:
    """Read a file. The path is relative to the workspace."""

    path: str


@dataclass(frozen=True)
class Write:
    """Create a file or replace its content."""

    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    """Replace the line `old` of a file by `new`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Use:
    """Call a tool whose name ends with `name`, for example one of an MCP server."""

    name: str
    arguments: dict[str, Any]


Action = Run | Read | Write | Edit | Use

#: Tools by the action they perform, without case and punctuation. The first that a client offers is used.
NAMES: dict[type[Action], tuple[str, ...]] = {
    Run: (
        "bash", "shell", "execcommand", "executecommand", "runcommand", "runcommands", "runterminalcommand",
        "runshellcommand", "shellcommand", "localshell", "terminal",
    ),
    Read: ("read", "readfile", "readfiles", "viewfile", "view"),
    Write: ("write", "writefile", "writetofile", "createfile", "createnewfile", "create"),
    Edit: ("edit", "editfile", "replace", "strreplace", "searchreplace", "singlefindandreplace"),
}  # fmt: skip
PATCH = ("applypatch",)
PATHS = ("path", "filepath", "absolutepath", "targetfile", "filename", "file")
LISTS_OF_PATHS = ("paths", "files", "filepaths")
COMMANDS = ("command", "cmd", "commands", "script")
OLD = ("oldstring", "oldtext", "oldstr", "old", "search")
NEW = ("newstring", "newtext", "newstr", "new", "replace", "replacement")
CONTENT = ("content", "contents", "filetext", "text")
PATCH_TEXT = ("input", "patch", "patchtext")


class NoTool(LookupError):
    """The client offers no tool for an action."""


def call_for(action: Action, tools: Sequence[Tool], workspace: str) -> Call:
    """Return the name and the arguments of a tool call that performs the action. Raise NoTool if no tool can."""
    if isinstance(action, Use):
        tool = next((tool for tool in tools if tool["name"].endswith(action.name)), None)
        if tool is None:
            raise NoTool(f"{action.name} is not among {[tool['name'] for tool in tools]}")
        return tool["name"], action.arguments
    if not isinstance(action, Run) and (tool := find_tool(tools, NAMES[type(action)])):
        return tool["name"], fill(tool, wanted_for(action, workspace))
    if isinstance(action, (Write, Edit)) and (tool := find_tool(tools, PATCH)):
        return tool["name"], fill(tool, dict.fromkeys(PATCH_TEXT, patch_of(action)))
    shell = find_tool(tools, NAMES[Run])
    if shell is None:
        raise NoTool(f"{action} needs other tools than {[tool['name'] for tool in tools]}")
    command = shell_command(action)
    return shell["name"], fill(shell, {**dict.fromkeys(COMMANDS, command), "description": "Do a step"})


def find_tool(tools: Sequence[Tool], names: Sequence[str]) -> Tool | None:
    """Return the first tool with one of these names, in the order of the names."""
    by_name = {plain(tool["name"]): tool for tool in reversed(tools)}
    return next((by_name[name] for name in names if name in by_name), None)


def plain(name: str) -> str:
    """Return a name without case and punctuation: `filePath` and `file_path` are the same."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def wanted_for(action: Action, workspace: str) -> dict[str, Any]:
    """Return the arguments for a tool that reads, writes or edits a file, by their plain names."""
    assert isinstance(action, (Read, Write, Edit))
    path = f"{workspace}/{action.path}"
    wanted: dict[str, Any] = {**dict.fromkeys(PATHS, path), **{name: [path] for name in LISTS_OF_PATHS}}
    if isinstance(action, Write):
        return wanted | dict.fromkeys(CONTENT, action.content)
    if isinstance(action, Edit):
        pair = dict.fromkeys(OLD, action.old) | dict.fromkeys(NEW, action.new)
        return wanted | pair | {"edits": [pair], "replacements": [pair]}
    return wanted


def fill(tool: Tool, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return arguments for the tool: those wanted, and the smallest values of all others that are required."""
    return fill_object(tool["input_schema"], wanted, tool["input_schema"])


def fill_object(schema: Any, wanted: dict[str, Any], root: Any) -> dict[str, Any]:
    """Return an object that fits the schema, with the wanted values."""
    required = schema.get("required", ())
    found: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        if plain(name) in wanted:
            found[name] = fit(wanted[plain(name)], inner, wanted, root)
        elif name in required:
            found[name] = smallest(inner, root)
    return found


def fit(value: Any, schema: Any, wanted: dict[str, Any], root: Any) -> Any:
    """Return the value in the type that the schema asks for."""
    kinds = schema.get("type", ())
    items = schema.get("items", {})
    if "array" not in ([kinds] if isinstance(kinds, str) else kinds):
        return value
    values = value if isinstance(value, list) else [value]
    if items.get("type") == "object":
        inner = {key: item for key, item in wanted.items() if key not in (*LISTS_OF_PATHS, "edits")}
        return [fill_object(items, inner, root)]
    return ["bash", "-c", value] if wanted.get("cmd") == value and items else values


def patch_of(action: Write | Edit) -> str:
    """Return a patch in the form of Codex's apply_patch."""
    if isinstance(action, Write):
        body = "".join(f"+{line}\n" for line in action.content.splitlines())
        return f"*** Begin Patch\n*** Add File: {action.path}\n{body}*** End Patch\n"
    changed = f"@@\n-{action.old}\n+{action.new}\n"
    return f"*** Begin Patch\n*** Update File: {action.path}\n{changed}*** End Patch\n"


def shell_command(action: Action) -> str:
    """Return a shell command that performs the action."""
    if isinstance(action, Run):
        return action.command
    if isinstance(action, Read):
        return f"cat {shlex.quote(action.path)}"
    assert isinstance(action, (Write, Edit))
    if isinstance(action, Write):
        return f"printf %s {shlex.quote(action.content)} > {shlex.quote(action.path)}"
    old, new = (re.sub(r"[]\\/.*^$[&]", r"\\\g<0>", part) for part in (action.old, action.new))
    program = f"s/^{old}$/{new}/".replace("'", "'\\''")
    return f"sed -i '{program}' {shlex.quote(action.path)}"

"""The folder in which Claude Code itself works on an answer, and the reports of what it does there.

>>> workspace = AgentWorkspace("/srv/projects/garden", ("Read",), record=lambda action: print(action.tool))
>>> workspace.record(AgentAction("toolu_1", "Read", "started", {"file_path": "a.txt"}))
Read
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

#: `started` is reported before a tool runs, and one of the others after it.
Status = Literal["started", "completed", "failed", "denied"]


@dataclass(frozen=True, slots=True)
class AgentAction:
    """A step in the use of one of Claude Code's own tools, with the arguments or the result that the CLI reports.

    `call_id` is the same in all reports of one use. `subagent` is the type of the subagent that uses the tool; "" for
    the agent itself.
    """

    call_id: str
    tool: str
    status: Status
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    subagent: str = ""
    milliseconds: int | None = None


def _ignore(action: AgentAction) -> None:
    """Record nothing."""


@dataclass(frozen=True, slots=True)
class AgentWorkspace:
    """The folder in which Claude Code itself works on an answer as an agent, and its permissions.

    - `folder` is the absolute path of its working folder.
    - `tools` are built-in tools of Claude Code. `allowed` holds permission rules (`Bash`, `Bash(git log *)`); all other
      uses are denied, because there is no user to ask.
    - `permission_mode` is default, acceptEdits or dontAsk.
    - `max_turns` limits the number of API messages per answer.
    - `instructions` are the project's own (its CLAUDE.md), and `skills` is a text about its skills.
    - `subagents` are agents that the agent may start, by name: each has a `description`, a `prompt` and maybe `tools`.
    - With `reports_activity`, the use of tools is reported as thinking. With `asks`, a use that needs permission ends
      the answer with an ApprovalRequest; otherwise it is denied.
    - `record` is called with each action: before a tool runs, and when its outcome is known. An error that it raises
      ends the answer, so no tool runs unrecorded.
    """

    folder: str
    tools: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    permission_mode: str = "default"
    max_turns: int = 30
    instructions: str = ""
    reports_activity: bool = False
    asks: bool = False
    skills: str = ""
    subagents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    record: Callable[[AgentAction], None] = field(default=_ignore, compare=False)

    def setup(self) -> list[Any]:
        """Return everything that shapes the process of the agent, in JSON's types."""
        return [getattr(self, each.name) for each in fields(self) if each.compare]

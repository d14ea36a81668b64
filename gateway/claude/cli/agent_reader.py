"""The answer of an agent: several API messages with calls of Claude Code's own tools between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.claude.cli.answer_reader import GOES_ON_AFTER, Answer, plus
from gateway.turn import AgentWorkspace, Event, Text, Thinking, Usage

Line = dict[str, Any]

MOST_SHOWN = 200  # characters of a call's argument, or of what a tool failed with

# What tells best what a tool is called for, by tool.
_SUBJECTS = {
    "Bash": "command",
    "Edit": "file_path",
    "Glob": "pattern",
    "Grep": "pattern",
    "NotebookEdit": "notebook_path",
    "Read": "file_path",
    "WebFetch": "url",
    "WebSearch": "query",
    "Write": "file_path",
}


class AgentAnswer(Answer):
    """Goes on to the CLI's `result`, which has the usage of all messages; their texts are paragraphs of one.

    Calls of tools are the CLI's business: a client sees none. With `workplace.reports_activity` they show as lines of
    thinking.
    """

    def __init__(self, *args: Any) -> None:
        *common, agent_workspace = args
        super().__init__(*common)
        self._workspace: AgentWorkspace = agent_workspace
        self._earlier = Usage()
        self._is_new_part = False
        self._in_thought = False
        self._tools: dict[str, str] = {}

    def _counted(self) -> Usage:
        return plus(self._earlier, super()._counted())

    def _next_message(self, events: list[Event]) -> None:
        self._earlier = self._counted()
        self._usage = {}
        self._stop_reason = None
        self._is_new_part = True

    def _block(self, event: dict[str, Any], events: list[Event]) -> None:
        if event["content_block"]["type"] == "tool_use":
            self._has_output = True
        else:
            super()._block(event, events)

    def _fragment(self, index: int, fragment: str, events: list[Event]) -> None:
        """The arguments of a call: the whole call comes in the CLI's `assistant` message."""

    def _text(self, text: str, events: list[Event]) -> None:
        if self._is_new_part and text and self._said.tell():
            self._said.write("\n\n")
            events.append(Text("\n\n"))
        self._is_new_part = self._is_new_part and not text
        super()._text(text, events)

    def _delta(self, event: dict[str, Any], events: list[Event]) -> None:
        super()._delta(event, events)
        if events and isinstance(events[-1], Thinking):
            self._in_thought = not events[-1].text.endswith("\n")

    def _message_delta(self, event: dict[str, Any], events: list[Event]) -> None:
        self._usage.update(
            {name: value for name, value in event.get("usage", {}).items() if value is not None}
        )
        self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason
        if self._stop_reason is not None:
            self._has_output = False  # what fails from here on is another message
        if self._stop_reason in GOES_ON_AFTER:
            self.finish_early(self._stop_reason, events)

    def _message(self, kind: str, line: Line, events: list[Event]) -> None:
        super()._message(kind, line, events)
        if kind in ("assistant", "user") and self._workspace.reports_activity:
            self._activity(line, events)

    def _result(self, line: Line, events: list[Event]) -> None:
        if line.get("subtype") == "error_max_turns":
            self.is_cut = True
            self._complete({**line, "stop_reason": "max_tokens"}, events)
        else:
            super()._result(line, events)

    def _activity(self, line: Line, events: list[Event]) -> None:
        content = line["message"].get("content")
        if line.get("parent_tool_use_id") is not None or not isinstance(content, list):
            return
        for block in content:
            if block["type"] == "tool_use":
                self._tools[block["id"]] = block["name"]
                self._report(f"{block['name']}({_subject(block)})", events)
            elif block["type"] == "tool_result":
                name = self._tools.get(block["tool_use_id"], "tool")
                self._report(f"{name}: {_outcome(block)}", events)

    def _report(self, text: str, events: list[Event]) -> None:
        """Paths as the project's owner knows them: where the project's folder is, is the operator's business."""
        text = text.replace(f"{self._workspace.folder}/", "").replace(self._workspace.folder, ".")
        start = "\n" if self._in_thought else ""
        self._in_thought = False
        events.append(Thinking(f"{start}{text}\n"))


def _subject(call: Mapping[str, Any]) -> str:
    arguments = call["input"]
    subject = arguments.get(_SUBJECTS.get(call["name"], ""))
    return _short(subject if isinstance(subject, str) else json.dumps(arguments))


def _outcome(result: Mapping[str, Any]) -> str:
    if not result.get("is_error"):
        return "done"
    content = result.get("content")
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    return f"failed: {_short(str(content))}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"

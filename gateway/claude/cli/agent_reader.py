"""Read the answer of an agent: several API messages with calls of Claude Code's own tools between them."""

import json
from collections.abc import Sequence
from typing import Any

from gateway.approvals import ApprovalRequest, Kind
from gateway.claude.cli import protocol
from gateway.claude.cli.agent_hooks import record_denial
from gateway.claude.cli.answer_reader import CONTINUES_AFTER, AnswerContext, AnswerReader
from gateway.turn import (
    Block,
    Event,
    Message,
    RedactedThinking,
    Text,
    Thinking,
    ThinkingSignature,
    Usage,
)
from gateway.workspace import AgentWorkspace

SHOWN_CHARACTERS = 200  # of a call's argument or of an error message

# The tools with which the model asks the user something. All other tools only need permission.
_KINDS: dict[str, Kind] = {"AskUserQuestion": "question", "ExitPlanMode": "plan"}

# The arguments that describe a call of a built-in tool best. Each tool has one of them.
_SUBJECTS = ("command", "file_path", "notebook_path", "pattern", "query", "url")


class AgentAnswerReader(AnswerReader):
    """Reads until the CLI's `result`, which has the usage of all messages. Their texts become paragraphs of one text.

    The CLI runs the tools itself, so the client gets no tool calls. If `workspace.reports_activity` is set, each call
    shows as a line of thinking, for example `Bash(make test)`.

    If the CLI asks for permission to use a tool, the answer ends there with an ApprovalRequest, and the CLI waits. It
    may ask before the model's message is complete.
    """

    def __init__(self, context: AnswerContext, workspace: AgentWorkspace) -> None:
        super().__init__(context)
        self._workspace = workspace
        self._earlier_usage = Usage()
        self._is_new_paragraph = False
        self._is_mid_line = False
        self._tool_names: dict[str, str] = {}
        self._asked: dict[str, ApprovalRequest] = {}  # by the id of the CLI's request

    def read(self, messages: Sequence[protocol.CliMessage]) -> list[Event]:
        """Return the events of these messages. All requests among them end the answer together: none is read again."""
        for message in messages:
            if message["type"] == "control_request" and message["request"].get("subtype") == "can_use_tool":
                self._asked[message["request_id"]] = _approval_request(message["request"])
        return super().read(messages)

    def _reported_usage(self) -> Usage:
        return self._earlier_usage + super()._reported_usage()

    def _start_next_message(self, events: list[Event]) -> None:
        self._earlier_usage = self._reported_usage()
        self._usage = {}
        self._stop_reason = None
        self._is_new_paragraph = True

    def _start_block(self, event: protocol.ContentBlockStart, events: list[Event]) -> None:
        if event["content_block"]["type"] == "tool_use":
            self._has_output = True
        else:
            super()._start_block(event, events)

    def _read_arguments(self, index: int, fragment: str, events: list[Event]) -> None:
        """Skip the fragment: the CLI's `assistant` message has the complete call."""

    def _read_text(self, text: str, events: list[Event]) -> None:
        if self._is_new_paragraph and text and self._text.tell():
            self._text.write("\n\n")
            events.append(Text("\n\n"))
        self._is_new_paragraph = self._is_new_paragraph and not text
        self._add_text(text, events)

    def _add_thinking(self, text: str, events: list[Event]) -> None:
        super()._add_thinking(text, events)
        self._is_mid_line = not text.endswith("\n")

    def _add_proof(self, event: ThinkingSignature | RedactedThinking, events: list[Event]) -> None:
        """Skip the signature: the client gets the thinking of several messages and a report of the tools in one."""

    def _end_message(self, event: protocol.MessageDelta, events: list[Event]) -> None:
        self._update_usage(event)
        if self._stop_reason is not None:
            self._has_output = False  # a later failure belongs to the next message
        if self._stop_reason in CONTINUES_AFTER:
            self.finish_early(self._stop_reason, events)
        else:
            self._end_with_approvals(events)

    def _read_message(self, message: protocol.CliMessage, events: list[Event]) -> None:
        super()._read_message(message, events)
        if message["type"] == "control_request":
            self._end_with_approvals(events)
        elif message["type"] == "control_cancel_request":
            self._asked.pop(message["request_id"], None)
        elif self._workspace.reports_activity and (
            message["type"] == "assistant" or message["type"] == "user"
        ):
            self._report_activity(message, events)

    def _read_system(self, message: protocol.SystemMessage) -> None:
        super()._read_system(message)
        if message.get("subtype") == "permission_denied":
            record_denial(message, self._workspace)

    def _read_result(self, result: protocol.ResultMessage, events: list[Event]) -> None:
        result = _with_subagents(result)
        if result.get("subtype") == "error_max_turns":
            self.is_cut = True
            completed = result.copy()
            completed["stop_reason"] = "max_tokens"
            self._complete(completed, events)
        else:
            super()._read_result(result, events)

    def to_message(self) -> Message:
        """Return the answer as the client will send it back: with the calls that need approval."""
        calls = (
            {"type": "tool_use", "id": asked.id, "name": asked.name, "input": dict(asked.arguments)}
            for asked in self.approvals
        )
        return Message("assistant", (*super().to_message().content, *calls))

    def _end_with_approvals(self, events: list[Event]) -> None:
        """End the answer if the CLI has asked for approvals and the model's message is complete."""
        is_between = not self.started and bool(self._context.resumed_model)
        if not self._asked or (self._stop_reason is None and not is_between):
            return
        if is_between:
            self._start({}, events)
        self.approvals = list(self._asked.values())
        events.extend(self.approvals)
        self._finish("tool_use", events)

    def _report_activity(self, message: protocol.CompleteMessage, events: list[Event]) -> None:
        content = message["message"].get("content")
        if message.get("parent_tool_use_id") is not None or not isinstance(content, list):
            return
        for block in content:
            if block["type"] == "tool_use":
                self._tool_names[block["id"]] = block["name"]
                self._report(f"{block['name']}({_describe_call(block)})", events)
            elif block["type"] == "tool_result":
                name = self._tool_names.get(block["tool_use_id"], "tool")
                self._report(f"{name}: {_describe_result(block)}", events)

    def _report(self, text: str, events: list[Event]) -> None:
        """Add a line of thinking. Paths are relative: the client need not know where the server has its projects."""
        text = text.replace(f"{self._workspace.folder}/", "").replace(self._workspace.folder, ".")
        start = "\n" if self._is_mid_line else ""
        self._is_mid_line = False
        events.append(Thinking(f"{start}{text}\n"))


def _approval_request(request: protocol.CliControlRequest) -> ApprovalRequest:
    name = request["tool_name"]
    return ApprovalRequest(request["tool_use_id"], name, request["input"], kind=_KINDS.get(name, "tool"))


def _with_subagents(result: protocol.ResultMessage) -> protocol.ResultMessage:
    """Return the result with a usage that includes subagents."""
    models = result.get("model_usage_since_last_result")
    if not models:
        return result
    complete = result.copy()
    complete["usage"] = {
        "input_tokens": sum(usage.get("inputTokens", 0) for usage in models.values()),
        "output_tokens": sum(usage.get("outputTokens", 0) for usage in models.values()),
        "cache_read_input_tokens": sum(usage.get("cacheReadInputTokens", 0) for usage in models.values()),
        "cache_creation_input_tokens": sum(
            usage.get("cacheCreationInputTokens", 0) for usage in models.values()
        ),
        "output_tokens_details": {
            "thinking_tokens": sum(usage.get("thinkingTokens", 0) for usage in models.values())
        },
    }
    return complete


def _describe_call(call: Block) -> str:
    arguments: dict[str, Any] = call["input"]
    subject = next((arguments[name] for name in _SUBJECTS if name in arguments), None)
    return _shorten(subject if isinstance(subject, str) else json.dumps(arguments))


def _describe_result(result: Block) -> str:
    if not result.get("is_error"):
        return "done"
    content = result.get("content")
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    return f"failed: {_shorten(str(content))}"


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"

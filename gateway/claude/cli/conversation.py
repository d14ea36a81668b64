"""One CLI process as one conversation: set up over the control protocol, seeded with history, asked, read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway.claude.cli.agent_reader import AgentAnswer
from gateway.claude.cli.answer_reader import Answer, StructuredAnswer, UsageLedger
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, refuse
from gateway.claude.cli.stop_sequences import StopFilter
from gateway.claude.cli.tools import (
    client_names,
    content_for_cli,
    fits_mcp,
    initialize_fields,
    initialize_result,
    mcp_result,
    tools_list,
)
from gateway.claude.cli.tuning import Tuning
from gateway.errors import TurnTimeout, UpstreamError
from gateway.turn import Done, Event, Idle, Message, Model, Turn, Usage

Line = dict[str, Any]

CONTROL_TIMEOUT_SECONDS = 30.0
IDLE_SECONDS = 10.0  # how often a silent stream is told that the turn goes on


class Conversation:
    """Owns its process. A process serves one conversation and is thrown away with it.

    `tool_seconds` is how long the CLI is told to wait for the results of the client's tools.
    """

    def __init__(self, process: Process, turn: Turn, tool_seconds: float) -> None:
        self.process = process
        self._turn = turn
        self._tool_seconds = tool_seconds
        self._names = client_names(turn.tools)
        self._account = UsageLedger()
        self._asked: dict[
            str, tuple[str, Any]
        ] = {}  # by tool call: ids of the control request and the JSON-RPC call
        self._waiting: tuple[str, ...] = ()
        self._tuning: Tuning | None = None
        self.is_new = True
        process.answer = self._answer_request

    @property
    def is_clean(self) -> bool:
        """Whether the process stands just behind its last answer, and can go on."""
        return self.process.alive and not self.last.is_cut

    @property
    def is_waiting(self) -> bool:
        """Whether the CLI waits for the results of tool calls."""
        return bool(self._waiting)

    def set_up(self, tuning: Tuning) -> None:
        """Make the generic process this conversation's, and tune it for the turn. Raises UpstreamError."""
        turn = self._turn
        initialize: dict[str, Any] = {"subtype": "initialize", **_system(turn)}
        initialize |= initialize_fields(turn.tools, self._tool_seconds)
        if turn.output_schema is not None:
            initialize["jsonSchema"] = dict(turn.output_schema)
        self._control([initialize, *tuning.requests()])
        self._tuning = tuning

    def is_tuned(self, tuning: Tuning) -> bool:
        """Whether the process has these parameters already."""
        return tuning == self._tuning

    def tune(self, tuning: Tuning) -> None:
        """Give a process that is set up the parameters of its next turn. Raises UpstreamError."""
        if not self.is_tuned(tuning):
            self._control(tuning.requests())
            self._tuning = tuning

    def seed(self, history: Sequence[Message]) -> None:
        """Give the CLI the earlier messages as true turns; nothing is sent to the model.

        After each user message its `result` is awaited: the CLI loses the order of messages that come in between.
        An assistant message has no answer and goes out together with the user message behind it.
        """
        held: list[Line] = []
        for message in history:
            held.append(_line(message, query=False))
            if message.role == "user":
                self.process.send(*held)
                held.clear()
                self._await_result()
        self.process.send(*held)

    def ask(self, message: Message) -> None:
        """Send the new message, which the model answers."""
        self.is_new = False
        self._account.reported = Usage()
        self.process.send(_line(message, query=True))

    def can_resume(self, message: Message, tuning: Tuning) -> bool:
        """Whether the turn that waits for tools can go on with this message, and the model sees just that.

        New parameters would not reach a turn that has begun.
        """
        results = {block["tool_use_id"]: block for block in message.content if block["type"] == "tool_result"}
        return (
            self.is_tuned(tuning)
            and len(results) == len(message.content)
            and set(results) == set(self._waiting)
            and all(fits_mcp(block) for block in results.values())
        )

    def resume(self, message: Message) -> None:
        """Hand the waiting CLI the results of its tool calls. Raises UpstreamError if it does not take them."""
        results = {block["tool_use_id"]: block for block in message.content}
        self._await_calls()
        for call in self._waiting:
            request, number = self._asked.pop(call)
            self.process.send(_mcp_response(request, number, mcp_result(results[call])))
        self._waiting = ()

    def answer(self, tuning: Tuning, model: Model, silence: float) -> Iterator[list[Event]]:
        """The events of the answer, in batches as they come; never empty, the last ends with Done.

        `silence` is how many seconds the CLI may say nothing at all. Raises GatewayError or ProcessEnded.
        """
        self.last = answer = self._reader(tuning, model)
        stops = StopFilter(tuning.stops) if tuning.stops else None
        heard, has_begun = time.monotonic(), False
        while not answer.is_done:
            lines = self.process.read(min(IDLE_SECONDS, silence))
            if lines:
                heard = time.monotonic()
                events = answer.read(lines)
                if answer.failure is not None:
                    yield from [events] if has_begun and events else ()  # what came before it is not lost
                    raise answer.failure
                if stops is not None:
                    events = _cut_at_stop(stops, answer, events)
                self._settle(answer)
                if events:
                    has_begun = True
                    yield events
            elif time.monotonic() - heard >= silence:
                raise TurnTimeout(f"The Claude Code CLI has been silent for {silence:g} seconds.")
            else:
                yield [Idle()]

    def _reader(self, tuning: Tuning, model: Model) -> Answer:
        common = (tuning.ignored, self._names, model.cost, self._account)
        if self._turn.agent_workspace is not None:
            return AgentAnswer(*common, self._turn.agent_workspace)
        return Answer(*common) if self._turn.output_schema is None else StructuredAnswer(*common)

    def _settle(self, answer: Answer) -> None:
        """What the end of an answer means for the process."""
        if answer.is_cut:
            self.process.kill()  # before it goes on by itself
        elif answer.is_done:
            self._waiting = tuple(call.id for call in answer.calls)

    def _control(self, requests: Sequence[dict[str, Any]]) -> None:
        try:
            self.process.control(requests, CONTROL_TIMEOUT_SECONDS)
        except (ControlRefused, ControlTimeout) as error:
            raise UpstreamError(f"The Claude Code CLI could not be set up: {error}") from error

    def _await_result(self) -> None:
        deadline = time.monotonic() + CONTROL_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for line in self.process.read(max(0.0, deadline - time.monotonic())):
                if line["type"] == "result":
                    if line.get("is_error"):
                        raise UpstreamError(
                            f"The Claude Code CLI did not take the history: {line.get('result')}"
                        )
                    return
        raise UpstreamError("The Claude Code CLI did not take the history in time.")

    def _await_calls(self) -> None:
        """The CLI may ask for a tool shortly after the model's message is complete."""
        deadline = time.monotonic() + CONTROL_TIMEOUT_SECONDS
        while not set(self._waiting) <= set(self._asked):
            if time.monotonic() >= deadline:
                raise UpstreamError("The Claude Code CLI does not ask for the tools that the model called.")
            self.process.read(0.05)

    def _answer_request(self, line: Line) -> dict[str, Any] | None:
        """Control requests of the CLI: calls of the client's tools wait for their results."""
        request = line["request"]
        if request.get("subtype") != "mcp_message":
            return refuse(line)
        message = request["message"]
        method = message.get("method")
        if method == "tools/call":
            self._asked[message["params"]["_meta"]["claudecode/toolUseId"]] = (
                line["request_id"],
                message["id"],
            )
            return None
        results = {"initialize": initialize_result(), "tools/list": tools_list(self._turn.tools)}
        return {"subtype": "success", "response": _json_rpc(message.get("id"), results.get(method, {}))}


def _system(turn: Turn) -> dict[str, Any]:
    """The client's system text alone; for an agent it goes behind Claude Code's own and the project's instructions."""
    if turn.agent_workspace is None:
        return {"systemPrompt": list(turn.system)}
    own = turn.agent_workspace.instructions.strip()
    parts = [*([f"# Instructions of this project (CLAUDE.md)\n\n{own}"] if own else []), *turn.system]
    return {"appendSystemPrompt": "\n\n".join(parts)} if parts else {}


def _cut_at_stop(stops: StopFilter, answer: Answer, events: list[Event]) -> list[Event]:
    """The events up to a stop sequence, and Done behind it."""
    passed = stops.read(events)
    if stops.hit is None:
        return passed
    answer.stop_sequence = stops.hit
    if answer.is_done:
        answer.is_cut = True
        done = cast(Done, events[-1])
        passed.append(replace(done, stop_reason="stop_sequence", stop_sequence=stops.hit))
    else:
        answer.finish_early("stop_sequence", passed)
    return passed


def _json_rpc(number: Any, result: dict[str, Any]) -> dict[str, Any]:
    return {"mcp_response": {"jsonrpc": "2.0", "id": number, "result": result}}


def _mcp_response(request: str, number: Any, result: dict[str, Any]) -> Line:
    response = {"subtype": "success", "request_id": request, "response": _json_rpc(number, result)}
    return {"type": "control_response", "response": response}


def _line(message: Message, *, query: bool) -> Line:
    """`client_composed` keeps the CLI from expanding @paths and running /commands in the text."""
    line: Line = {
        "type": message.role,
        "message": {"role": message.role, "content": content_for_cli(message)},
        "parent_tool_use_id": None,
        "session_id": "",
    }
    if message.role == "user":
        line["client_composed"] = True
        if not query:
            line["shouldQuery"] = False
    return line

"""One CLI process as one conversation: set up over the control protocol, seeded with history, asked, read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.claude.answer import Answer
from gateway.claude.catalogue import Model
from gateway.claude.process import ControlRefused, ControlTimeout, Process
from gateway.claude.tuning import Tuning
from gateway.errors import TurnTimeout, UpstreamError
from gateway.turn import Event, Idle, Message, Turn

Line = dict[str, Any]

CONTROL_TIMEOUT_SECONDS = 30.0
IDLE_SECONDS = 10.0  # how often a silent stream is told that the turn goes on


class Conversation:
    """Owns its process. A process serves one conversation and is thrown away with it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._paid = 0.0

    def set_up(self, turn: Turn, tuning: Tuning) -> None:
        """Make the generic process this turn's: system prompt, model, parameters. Raises UpstreamError."""
        requests: list[dict[str, Any]] = [{"subtype": "initialize", "systemPrompt": list(turn.system)}]
        if tuning.thinking_budget is not None:
            requests.append(
                {"subtype": "set_max_thinking_tokens", "max_thinking_tokens": tuning.thinking_budget}
            )
        requests.append({"subtype": "apply_flag_settings", "settings": tuning.settings})
        try:
            self.process.control(requests, CONTROL_TIMEOUT_SECONDS)
        except (ControlRefused, ControlTimeout) as error:
            raise UpstreamError(f"The Claude Code CLI could not be set up: {error}") from error

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
        self.process.send(_line(message, query=True))

    def answer(self, tuning: Tuning, model: Model, silence: float) -> Iterator[list[Event]]:
        """The events of the answer, in batches as they come; never empty, the last ends with Done.

        `silence` is how many seconds the CLI may say nothing at all. Raises GatewayError or ProcessEnded.
        """
        answer = Answer(tuning.ignored, model.cost, self._paid)
        heard = time.monotonic()
        while not answer.is_done:
            lines = self.process.read(min(IDLE_SECONDS, silence))
            if lines:
                heard = time.monotonic()
                events = answer.read(lines)
                if answer.is_cut:
                    self.process.kill()  # before it goes on by itself
                if events:
                    yield events
            elif time.monotonic() - heard >= silence:
                raise TurnTimeout(f"The Claude Code CLI has been silent for {silence:g} seconds.")
            else:
                yield [Idle()]
        self._paid = answer.paid

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


def _line(message: Message, *, query: bool) -> Line:
    """`client_composed` keeps the CLI from expanding @paths and running /commands in the text."""
    line: Line = {
        "type": message.role,
        "message": {"role": message.role, "content": list(message.content)},
        "parent_tool_use_id": None,
        "session_id": "",
    }
    if message.role == "user":
        line["client_composed"] = True
        if not query:
            line["shouldQuery"] = False
    return line

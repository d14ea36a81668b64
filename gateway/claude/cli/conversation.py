"""One conversation in one CLI process.

A conversation is set up over the control protocol, seeded with its history, asked and read. For example, a turn on a
warm process, and the next turn of the same conversation on the same process:

    conversation = Conversation(process, turn, tool_seconds=300)
    conversation.set_up(tuning)
    conversation.seed(turn.messages[:-1])
    conversation.ask(turn.messages[-1])
    for batch in conversation.read_answer(conversation.expect_answer(model), silence_seconds=300): ...

    conversation.tune(next_tuning)
    conversation.ask(next_message)
    ...
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway.approvals import UNDECIDED, find_decision
from gateway.claude.cli import hangs, rewinding
from gateway.claude.cli.agent_hooks import answer_hook, hooks_request
from gateway.claude.cli.agent_reader import AgentAnswerReader
from gateway.claude.cli.answer_reader import AnswerContext, AnswerReader, UsageLedger
from gateway.claude.cli.hosted_reader import (
    HostedAnswerReader,
    HostedFormattedReader,
    HostedStructuredReader,
)
from gateway.claude.cli.permissions import Permissions
from gateway.claude.cli.process import ControlRefused, ControlTimeout, Process, refuse_request
from gateway.claude.cli.protocol import (
    CliControlRequestMessage,
    CliMessage,
    ControlRequest,
    ControlResponse,
    InputMessage,
)
from gateway.claude.cli.rewinding import TurnGivenUp
from gateway.claude.cli.stop_sequences import StopFilter
from gateway.claude.cli.structured_reader import FormattedAnswerReader, StructuredAnswerReader
from gateway.claude.cli.system_text import agent_system, join_system_texts
from gateway.claude.cli.tools import (
    fits_mcp,
    initialize_request,
    initialize_result,
    mcp_result,
    rpc_response,
    tool_set,
)
from gateway.claude.cli.tuning import Tuning
from gateway.errors import UpstreamError
from gateway.turn import Batch, Done, Event, Idle, Message, Model, Turn, Usage, has_thinking
from gateway.workspace import AgentAction

CONTROL_TIMEOUT_SECONDS = 30.0
BATCH_TIMEOUT_SECONDS = 300.0  # on a busy machine, a process with a low priority takes long to start

# Asks the model to continue an answer that has paused. The CLI sends nothing in the place of an empty message.
CONTINUATION = Message("user", ())

_OUTPUT_READERS = (FormattedAnswerReader, StructuredAnswerReader)
_HOSTED_OUTPUT_READERS = (HostedFormattedReader, HostedStructuredReader)


class Conversation:
    """One conversation and the process that it owns. Another one can follow if it forgets everything.

    The life of a conversation, and who calls what when:

    1. `Run` makes it from a warm process and calls `set_up`, `seed` and `ask`. `Preparation` calls `set_up` alone, so
       that the next new conversation with the same set-up finds a process that `is_new`.
    2. `Run` calls `expect_answer` and iterates `read_answer` until Done.
    3. If the conversation `is_clean` then, `Run` parks it in the `Fleet`. If it `is_waiting`, the CLI waits for the
       results of tool calls, or for decisions about them.
    4. The next turn takes it out again. `Run` calls `resume` with tool results or decisions if `can_resume` says so,
       or else `tune`, `seed` and `ask`. Then it continues at step 2.
    5. If it will not go on, or its turn was stopped, `Recycling` calls `forget`. `Fleet.end_conversation` ends it.

    `tool_seconds` is how long the CLI is told to wait for tool results, and `state` the digest of the set-up. Methods
    that talk to the process may raise ProcessEnded. `Run` replaces the `workspace` of an agent for each turn.
    """

    def __init__(self, process: Process, turn: Turn, tool_seconds: float, state: bytes = b"") -> None:
        self.process = process
        self.tuning: Tuning | None = None
        self.is_new, self.uses = True, 0
        self.state = self._setup_state = state
        self.workspace = turn.agent_workspace
        self._turn = replace(turn, messages=())  # they may be large, and the process lives on
        self._tool_seconds = tool_seconds
        self._control_seconds = BATCH_TIMEOUT_SECONDS if turn.is_batch else CONTROL_TIMEOUT_SECONDS
        self._tools = tool_set(turn)
        self._ledger = UsageLedger()
        self._reader: AnswerReader | None = None
        self._user_ids: list[str] = []
        self._new_ids = rewinding.create_ids()
        self._question = (0, b"")  # the number of user messages before it, and the state
        # By tool call: the ids of the CLI's control request and of the JSON-RPC call inside it.
        self._requested_calls: dict[str, tuple[str, Any]] = {}
        self._waiting_calls: tuple[str, ...] = ()
        self._permissions = Permissions()
        self._is_resumed = False
        process.answer_request = self._answer_request

    @property
    def is_clean(self) -> bool:
        """True if the process has just completed an answer and can continue."""
        return self.process.is_alive and self._reader is not None and not self._reader.is_cut

    @property
    def is_waiting(self) -> bool:
        """True while the CLI waits for the results of tool calls, or for decisions about them."""
        return bool(self._waiting_calls)

    @property
    def can_forget(self) -> bool:
        """True if `forget` can make the process fit for another turn: the model was asked, and no agent worked."""
        return self._reader is not None and not (self.workspace or self.is_waiting) and self.process.is_alive

    def set_up(self, tuning: Tuning) -> None:
        """Give the generic process its system text, tools and output schema, and tune it. Raises UpstreamError."""
        turn = self._turn
        request = initialize_request(self._tools, self._tool_seconds)
        if self.workspace is None:
            request["systemPrompt"] = [join_system_texts(turn.system)] if turn.system else []
        else:
            request["hooks"] = hooks_request()
            if self.workspace.subagents:
                request["agents"] = self.workspace.subagents
            if parts := agent_system(self.workspace, turn.system):
                request["appendSystemPrompt"] = join_system_texts(parts)
        if turn.output_tool_schema is not None:
            request["jsonSchema"] = turn.output_tool_schema
        self._send_requests([request, *tuning.requests()])
        self.tuning = tuning

    def tune(self, tuning: Tuning) -> None:
        """Set the parameters of the next turn, unless the process has them already. Raises UpstreamError."""
        if tuning != self.tuning:
            self._send_requests(tuning.requests(self.tuning))
            self.tuning = tuning

    def seed(self, history: Sequence[Message]) -> None:
        """Give the CLI earlier messages as real turns. Nothing is sent to the model. Raises UpstreamError.

        Each user message must get its `result` before the next message is sent, because the CLI mixes up the order of
        messages that arrive in between. Assistant messages get no result and are sent with the next user message.
        """
        unsent: list[InputMessage] = []
        for message in history:
            unsent.append(self._input_message(message, asks_model=False))
            if message.role == "user":
                self.process.send(*unsent)
                unsent.clear()
                self._await_result()
        self.process.send(*unsent)

    def ask(self, message: Message, state: bytes = b"") -> None:
        """Send the new message, which the model answers. `state` identifies the conversation before it."""
        self.is_new = False
        self._is_resumed = False
        self.uses += 1
        self._question = (len(self._user_ids), state)
        self._ledger.reported = Usage()
        self.process.send(self._input_message(message, asks_model=True))

    def forget(self, *, everything: bool) -> bool:
        """Forget the question and all that followed, and with `everything` also the history before it.

        If the model still answers, it is interrupted, and the greenlet that iterates `read_answer` gets TurnGivenUp.
        Afterwards `state` is the state of the conversation. Return False if the CLI cannot do it in time. Raises
        ProcessEnded.
        """
        deadline = time.monotonic() + rewinding.FORGET_SECONDS
        reader, self._reader = self._reader, None
        if reader is not None and not reader.has_result:
            if not reader.is_cut:
                rewinding.interrupt(self.process)
            if (result := rewinding.await_result(self.process, deadline)) is None:
                return False
            self._ledger.settle(result)
            self._requested_calls.clear()
        known, state = (0, self._setup_state) if everything else self._question
        if not rewinding.rewind(self.process, self._user_ids, known, deadline):
            return False
        self.is_new, self.state = not known, state
        return True

    def serves(self, model_setting: str | None) -> bool:
        """Return True if this model can answer the next turn.

        A change of the model after a turn makes the CLI write about the change into the prompt.
        """
        return self.is_new or (self.tuning is not None and self.tuning.model == model_setting)

    def can_resume(self, message: Message, tuning: Tuning) -> bool:
        """Return True if `resume` would show the model exactly this message.

        The message must have the result of every call, each in a form that MCP can carry, or the decision about it, and
        nothing else. The turn must have the same parameters, because new ones would not reach a turn that has begun.
        """
        results = {block["tool_use_id"]: block for block in message.content if block["type"] == "tool_result"}
        return (
            tuning == self.tuning
            and len(results) == len(message.content)
            and set(results) == set(self._waiting_calls)
            and all(self._permissions.awaits(call) or fits_mcp(block) for call, block in results.items())
        )

    def resume(self, message: Message) -> None:
        """Send the results of the tool calls, or the decisions about them, to the waiting CLI.

        Raises UpstreamError if it does not ask for the results.
        """
        results = {block["tool_use_id"]: block for block in message.content}
        self._await_tool_requests()
        for call in self._waiting_calls:
            if self._permissions.awaits(call):
                decision = find_decision(results[call]) or UNDECIDED
                if not decision.approved and self.workspace is not None:
                    self.workspace.record(AgentAction(call, "", "denied", result=decision.refusal))
                response = self._permissions.respond(call, decision)
            else:
                request_id, rpc_id = self._requested_calls.pop(call)
                response = rpc_response(rpc_id, mcp_result(results[call]))
                response["request_id"] = request_id
            self.process.send({"type": "control_response", "response": response})
        self._waiting_calls = ()
        self._is_resumed = True

    def grant(self, messages: Sequence[Message]) -> None:
        """Let the CLI make the calls that were approved, if the model makes them again: their process was lost.

        `messages` are the answer with the calls and the message with the decisions.
        """
        self._permissions.grant(messages)

    def expect_answer(self, model: Model) -> AnswerReader:
        """Return the reader of the answer that `model` is about to give."""
        assert self.tuning is not None, "set_up was not called"
        resumed_model = self._reader.model if self._is_resumed and self._reader is not None else ""
        tuning = self.tuning
        context = AnswerContext(
            tuning.ignored, self._tools, model.cost, self._ledger, resumed_model, tuning.serving
        )
        if self.workspace is not None:
            self._reader = AgentAnswerReader(context, self.workspace)
        elif self.tuning.output is not None:
            kinds = _HOSTED_OUTPUT_READERS if self._turn.hosted_tools else _OUTPUT_READERS
            kind = kinds[self._turn.output_tool_schema is not None]
            self._reader = kind(context, self.tuning.output.mapping)
        else:
            self._reader = HostedAnswerReader(context) if self._turn.hosted_tools else AnswerReader(context)
        return self._reader

    def read_answer(self, reader: AnswerReader, silence_seconds: float) -> Iterator[Batch]:
        """Yield the events of the answer in batches as they arrive. The last batch ends with Done.

        Yields Idle while there is nothing to send. Raises the GatewayError of a failed turn, TurnGivenUp, and what
        `hangs.listen` raises.
        """
        stops = StopFilter(self.tuning.stops) if self.tuning and self.tuning.stops else None
        hosted = reader if isinstance(reader, HostedAnswerReader) else None
        yielded_at = time.monotonic()
        has_begun = False
        for messages in self._listen(reader, silence_seconds):
            if messages:
                heard_at = time.monotonic()
                events = reader.read(messages)
                if reader.failure is not None:
                    if has_begun and events:  # do not lose the events before the failure
                        yield events
                    raise reader.failure
                if stops is not None:
                    events = _cut_at_stop(stops, reader, events)
                self._follow_end(reader)
                if hosted is not None and hosted.take_pause():
                    self.process.send(self._input_message(CONTINUATION, asks_model=True))
                if events:
                    has_begun = True
                    yield events
                    yielded_at = time.monotonic()
                elif heard_at - yielded_at >= hangs.IDLE_SECONDS:  # the reader holds text back
                    yield [Idle()]
                    yielded_at = heard_at
                if reader.is_done:
                    return
            else:
                yield [Idle()]

    def _listen(self, reader: AnswerReader, silence_seconds: float) -> Iterator[list[CliMessage]]:
        """Yield what `hangs.listen` yields, until `forget` is called: it reads the rest itself."""
        for messages in hangs.listen(self.process, silence_seconds):
            if self._reader is reader:
                yield messages
            else:
                self.process.unread(messages)
            if self._reader is not reader:
                raise TurnGivenUp

    def _input_message(self, message: Message, *, asks_model: bool) -> InputMessage:
        line: InputMessage = {
            "type": message.role,
            "message": {
                "role": message.role,
                "content": self._tools.content_for_cli(message, is_past=not asks_model),
            },
            "parent_tool_use_id": None,
            "session_id": "",
        }
        if message.role == "user":
            line["uuid"] = next(self._new_ids)
            self._user_ids.append(line["uuid"])
            line["client_composed"] = True
            if not asks_model:
                line["shouldQuery"] = False
        elif self.tuning is not None and self.tuning.model and has_thinking(message):
            line["message"]["model"] = self.tuning.model  # the CLI drops the thinking of other models
        return line

    def _follow_end(self, reader: AnswerReader) -> None:
        if reader.is_cut and self.can_forget:
            rewinding.interrupt(self.process)  # before it continues on its own
        elif reader.is_cut:
            self.process.kill()
        elif reader.is_done:
            self._waiting_calls = (
                *(call.id for call in reader.calls),
                *(request.id for request in reader.approvals),
            )

    def _send_requests(self, requests: Sequence[ControlRequest]) -> None:
        try:
            self.process.send_requests(requests, self._control_seconds)
        except (ControlRefused, ControlTimeout) as error:
            raise UpstreamError(f"The Claude Code CLI could not be set up: {error}") from error

    def _await_result(self) -> None:
        deadline = time.monotonic() + self._control_seconds
        while time.monotonic() < deadline:
            for message in self.process.read(max(0.0, deadline - time.monotonic())):
                if message["type"] == "result":
                    if message.get("is_error"):
                        reason = message.get("result")
                        raise UpstreamError(f"The Claude Code CLI rejected the history: {reason}")
                    return
        raise UpstreamError("The Claude Code CLI did not accept the history in time.")

    def _await_tool_requests(self) -> None:
        """Wait until the CLI has asked for all results. It may do so shortly after the message is complete."""
        deadline = time.monotonic() + CONTROL_TIMEOUT_SECONDS
        results = {call for call in self._waiting_calls if not self._permissions.awaits(call)}
        while not results <= set(self._requested_calls):
            if time.monotonic() >= deadline:
                raise UpstreamError(
                    "The Claude Code CLI did not ask for the results of the model's tool calls."
                )
            self.process.read(0.05)

    def _answer_request(self, message: CliControlRequestMessage) -> ControlResponse | None:
        """Answer hooks and MCP messages of the CLI.

        Return None for a call of a client's tool, and for a call that needs approval: its result or the decision about
        it comes later.
        """
        request = message["request"]
        if request.get("subtype") == "can_use_tool":
            return self._permissions.ask(message)
        if request.get("subtype") == "hook_callback" and self.workspace is not None:
            return answer_hook(request, self.workspace)
        if request.get("subtype") != "mcp_message":
            return refuse_request(message)
        rpc = request["message"]
        method = rpc.get("method", "")
        if method == "tools/call":
            call = rpc["params"]["_meta"]["claudecode/toolUseId"]
            self._requested_calls[call] = (message["request_id"], rpc["id"])
            return None
        results = {"initialize": initialize_result(), "tools/list": self._tools.listed()}
        return rpc_response(rpc.get("id"), results.get(method, {}))


def _cut_at_stop(stops: StopFilter, reader: AnswerReader, events: list[Event]) -> list[Event]:
    """Return the events up to a stop sequence, followed by Done."""
    passed = stops.filter_events(events)
    if stops.found is None:
        return passed
    reader.stop_sequence = stops.found
    if reader.is_done:
        reader.is_cut = True
        done = cast(Done, events[-1])
        passed.append(replace(done, stop_reason="stop_sequence", stop_sequence=stops.found))
    else:
        ending: list[Event] = []
        reader.finish_early("stop_sequence", ending)
        passed.append(ending[-1])  # a call after the stop sequence is not passed on
    return passed

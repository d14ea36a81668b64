"""A turn whose model may call tools of remote MCP servers: several runs, with the calls of these tools between them.

Each run is an ordinary turn, which ends with calls as if the client had to run them. The process is parked in the
meantime, and a fresh one takes over if it is lost. The client gets one answer:

    run 1: Started, Text, ToolCall mcp__docs__search, Done(tool_use)      → Started, Text, RemoteCall
    the gateway calls the tool                                             → RemoteResult
    run 2: Started, Text, Done(end_turn)                                   → Text, Done(end_turn)

The answer ends early if a call needs the approval of a person, or if the model also calls a function of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import gevent

from gateway.approvals import ApprovalRequest, find_decision
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.run import Run
from gateway.claude.turn_accounts import Fallback
from gateway.errors import GatewayError, TurnTimeout
from gateway.lenient_json import dumps, loads
from gateway.mcp.toolbox import OfferedTool, Toolbox, failed_result
from gateway.record import RunTimes
from gateway.remote import RemoteArguments, RemoteResult
from gateway.turn import (
    Batch,
    Block,
    Done,
    Event,
    Idle,
    Message,
    Started,
    ToolArguments,
    ToolCall,
    ToolChoice,
    Turn,
)
from gateway.usage import Usage, sum_usage

IDLE_SECONDS = 10.0
EXTRA_ROUNDS = 3  # for a model that goes on calling tools although it was told that the limit is reached

LIMIT_REACHED = "The limit of {} tool calls in one answer is reached. Answer without further calls."
NOT_OFFERED = "This tool is not available."


@dataclass(slots=True)
class _Call:
    """A call that the model has made in a run. `remote` is None for a function of the client.

    If the tool `is_missing`, it belongs to a server, but the model was not offered it.
    """

    event: ToolCall
    remote: OfferedTool | None
    is_missing: bool
    fragments: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments; {} if the model did not write an object."""
        try:
            value = loads("".join(self.fragments) or "{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class RemoteRun:
    """Iterate for the batches of events of one turn, as with `Run`. The caller must call `close`."""

    def __init__(
        self,
        fleet: Fleet,
        turn: Turn,
        toolbox: Toolbox,
        on_close: Callable[[RemoteRun], None],
        before_start: Callable[[], None] | None = None,
        fallback: Fallback | None = None,
    ) -> None:
        self.project = turn.project
        self.times = RunTimes()  # of the first run
        self._fleet = fleet
        self._turn = _with_chosen_tools(turn, toolbox)
        self._tools = turn.tools
        self._toolbox = toolbox
        self._on_close = on_close
        self._before_start = before_start  # of the first run
        self._fallback = fallback  # of the first run
        self._usages: list[Usage] = []
        self._run: Run | None = None
        self._stop_reason: GatewayError | None = None
        self._workers: list[gevent.Greenlet[..., RemoteResult]] = []
        self._pending: list[Event] = []  # to be sent after Started
        self._has_started = False
        self._client_calls = 0
        self._call_count = 0
        self._batches = self._answer()
        fleet.deadlines.add(self._expire)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def stop(self, reason: GatewayError) -> None:
        """End the turn, from any greenlet. The iterating greenlet gets `reason` raised."""
        self._stop_reason = self._stop_reason or reason
        gevent.killall(self._workers, block=False)
        if self._run is not None:
            self._run.stop(reason)

    def usage_so_far(self) -> tuple[Usage, bool]:
        """Return the usage of all runs until now, and True if its output tokens are an estimate."""
        usage, is_estimate = self._run.usage_so_far() if self._run is not None else (Usage(), False)
        return sum_usage([*self._usages, usage]), is_estimate

    def close(self) -> None:
        """Free the process and the slot."""
        self._batches.close()
        self._fleet.deadlines.remove(self._expire)
        gevent.killall(self._workers, block=False)
        if self._run is not None:
            self._run.close()
        self._on_close(self)

    def _expire(self) -> None:
        seconds = self._fleet.settings.turn_timeout_seconds
        self.stop(TurnTimeout(f"The answer took longer than {seconds:g} seconds."))

    def _answer(self) -> Generator[Batch, None, None]:
        self._pending += self._toolbox.new_listings if self._turn.shows_remote_calls else []
        yield from self._apply_decisions()
        for _ in range(self._toolbox.limits.calls + EXTRA_ROUNDS):
            calls: list[_Call] = []
            done = yield from self._play_run(calls)
            remote = [call for call in calls if call.remote is not None]
            missing = [failed_result(call.event.id, NOT_OFFERED) for call in calls if call.is_missing]
            if done.stop_reason != "tool_use" or not (remote or missing):
                yield [replace(done, usage=self.usage_so_far()[0])]
                return
            asking = [call for call in remote if call.remote is not None and call.remote.needs_approval]
            results = yield from self._call_tools([call for call in remote if call not in asking])
            results += missing
            if len(results) < len(calls):
                requests = [_approval_request(call) for call in asking]
                yield [*requests, replace(done, usage=self.usage_so_far()[0])]
                return
            self._continue_with(results)
        yield [Done("max_tokens", self.usage_so_far()[0])]

    def _play_run(self, calls: list[_Call]) -> Generator[Batch, None, Done]:
        """Yield the events of one run, and add its calls to `calls`. Return its Done."""
        self._raise_if_stopped()
        run = self._run = Run(
            self._fleet, self._turn, before_start=self._before_start, fallback=self._fallback
        )
        if not self._usages:
            self.times = run.times
        self._before_start = self._fallback = None
        done = Done("end_turn", Usage())
        try:
            for batch in run:
                passed: list[Event] = []
                for event in batch:
                    if isinstance(event, Done):
                        done = event
                    else:
                        passed += self._translate(event, calls)
                if passed:
                    yield passed
            if run.times.fallback_model:  # the later runs stay with it
                self._turn = replace(self._turn, model=run.route[0], accounts=run.route[1])
            if run.answer is not None:
                self._turn = replace(self._turn, messages=(*self._turn.messages, run.answer))
        finally:
            self._usages.append(run.usage_so_far()[0])
            self._run = None
            run.close()
        return done

    def _translate(self, event: Event, calls: list[_Call]) -> list[Event]:
        """Return the events for the client in place of an event of a run."""
        if isinstance(event, Started):
            withheld = self._toolbox.withheld
            started = [] if self._has_started else [replace(event, ignored=(*event.ignored, *withheld))]
            self._has_started = True
            pending, self._pending = self._pending, []
            return [*started, *pending]
        if isinstance(event, ToolCall):
            name = event.name
            calls.append(_Call(event, self._toolbox.find(name), self._toolbox.misses(name)))
            return self._begin_call(calls[-1])
        if isinstance(event, ToolArguments):
            call = calls[event.index]
            call.fragments.append(event.fragment)
            if call.remote is None and not call.is_missing:
                return [replace(event, index=call.event.index)]
            return [RemoteArguments(call.event.id, event.fragment)] if self._is_shown(call) else []
        return [event]

    def _begin_call(self, call: _Call) -> list[Event]:
        if call.is_missing:
            return []
        if call.remote is None:
            call.event = replace(call.event, index=self._client_calls)
            self._client_calls += 1
            return [call.event]
        shown = self._toolbox.describe_call(call.event.id, call.event.name, number=len(self._usages))
        return [shown] if self._is_shown(call) else []

    def _is_shown(self, call: _Call) -> bool:
        """Return True if the client sees the call now. It sees one that needs approval when that is decided."""
        return self._turn.shows_remote_calls and call.remote is not None and not call.remote.needs_approval

    def _call_tools(self, calls: list[_Call]) -> Generator[Batch, None, list[RemoteResult]]:
        """Call tools in parallel. Yield Idle while they run, and then the results, which are also returned."""
        wanted = [(call.event.id, call.event.name, call.arguments) for call in calls]
        results = yield from self._await_results(wanted)
        if results and self._turn.shows_remote_calls:
            yield [*results]
        return results

    def _await_results(
        self, wanted: list[tuple[str, str, dict[str, Any]]]
    ) -> Generator[Batch, None, list[RemoteResult]]:
        self._workers = [gevent.spawn(self._call_tool, *one) for one in wanted]
        while not all(worker.ready() for worker in self._workers):
            gevent.joinall(self._workers, timeout=IDLE_SECONDS)
            self._raise_if_stopped()
            if not all(worker.ready() for worker in self._workers):
                yield [Idle()]
        self._raise_if_stopped()
        return [worker.get() for worker in self._workers]

    def _call_tool(self, call_id: str, name: str, arguments: dict[str, Any]) -> RemoteResult:
        self._call_count += 1
        if self._call_count > self._toolbox.limits.calls:
            return failed_result(call_id, LIMIT_REACHED.format(self._toolbox.limits.calls))
        return self._toolbox.call(call_id, name, arguments)

    def _continue_with(self, results: list[RemoteResult]) -> None:
        """Prepare the next run. A forced call has been made, so the model is free from then on."""
        message = Message("user", tuple(result.as_block() for result in results))
        choice = self._turn.tool_choice
        if choice.mode in ("any", "tool"):
            choice = ToolChoice(parallel=choice.parallel)
        messages = (*self._turn.messages, message)
        self._turn = replace(self._turn, messages=messages, tool_choice=choice, tools=self._tools)

    def _apply_decisions(self) -> Generator[Batch, None, None]:
        """Call the tools that were approved, and put their results in the place of the decisions."""
        *earlier, newest = self._turn.messages
        calls = {
            block["id"]: block
            for block in (earlier[-1].content if earlier else ())
            if block["type"] == "tool_use"
        }
        approved = [
            calls[block["tool_use_id"]]
            for block in newest.content
            if _is_approved(block) and self._toolbox.find(calls[block["tool_use_id"]]["name"]) is not None
        ]
        results = yield from self._await_results([(one["id"], one["name"], one["input"]) for one in approved])
        by_id = {result.call_id: result for result in results}
        if self._turn.shows_remote_calls:
            for one, result in zip(approved, results, strict=True):
                self._pending.append(self._toolbox.describe_call(one["id"], one["name"], approved=True))
                self._pending += [RemoteArguments(one["id"], dumps(one["input"]).decode()), result]
        content = tuple(_decided(block, by_id) for block in newest.content)
        self._turn = replace(self._turn, messages=(*earlier, Message(newest.role, content)))

    def _raise_if_stopped(self) -> None:
        if self._stop_reason is not None:
            raise self._stop_reason


def _with_chosen_tools(turn: Turn, toolbox: Toolbox) -> Turn:
    """Return the turn with only the tools of the server that a choice names: the API cannot force one of several."""
    if turn.tool_choice.server is None:
        return turn
    names = {tool.name for tool in toolbox.tools if tool.server.label == turn.tool_choice.server}
    return replace(turn, tools=tuple(tool for tool in turn.tools if tool.name in names))


def _is_approved(block: Block) -> bool:
    decision = find_decision(block)
    return decision is not None and decision.approved


def _decided(block: Block, results: dict[str, RemoteResult]) -> Block:
    """Return the result of a call that was decided on."""
    decision = find_decision(block)
    if decision is None:
        return block
    if block["tool_use_id"] in results:
        return results[block["tool_use_id"]].as_block()
    text = NOT_OFFERED if decision.approved else decision.refusal
    return {**block, "content": [{"type": "text", "text": text}], "is_error": True}


def _approval_request(call: _Call) -> ApprovalRequest:
    assert call.remote is not None, "only remote calls need approval"
    return ApprovalRequest(call.event.id, call.remote.own_name, call.arguments, call.remote.server.label)

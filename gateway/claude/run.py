"""One turn from the queue to its last event, with every way it can end early.

A run belongs to the greenlet that iterates it; `stop` may be called from any other (client gone, shutdown, deadline)
and frees the process and the slot at once, even if that greenlet is stuck in a write to a client that does not read.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING

import gevent

from gateway.claude.cli.answer_reader import Answer
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.process import Process, ProcessEnded
from gateway.claude.cli.tuning import Tuning, tune
from gateway.claude.fleet.digests import chain, extend
from gateway.claude.fleet.wait_queue import Ticket
from gateway.errors import (
    ClaudeUnavailable,
    GatewayError,
    InvalidRequest,
    ModelNotSupported,
    NotLoggedIn,
    TurnTimeout,
    UpstreamError,
)
from gateway.turn import Done, Event, Model, Turn, Usage

if TYPE_CHECKING:
    from gateway.claude.service import Claude

log = logging.getLogger(__name__)

DEAD_ONES = 3  # warm processes in a row that may turn out to have ended


class Run:
    """Iterate for the batches of events. The first batch comes when the model has begun to answer; until then every
    failure is raised before anything was yielded. `close` at the end, always; it may be repeated."""

    def __init__(self, claude: Claude, turn: Turn) -> None:
        self._claude = claude
        self._turn = turn
        self._candidates = claude.catalog.candidates(turn.resolved_model)
        self._digests = chain(turn)
        self._tuning = Tuning({}, None, (), ())
        self._batches = self._run()
        self._stopped: GatewayError | None = None
        self._slot: Ticket[bool] = Ticket()
        self._warm: Ticket[Process] = Ticket()
        self._conversation: Conversation | None = None
        self._holds_slot = False
        self._ended = False
        self._begun = False
        self._last: Answer | None = None
        limit = claude.limits.turn_seconds
        timeout = TurnTimeout(f"The answer took longer than {limit:g} seconds.")
        self._deadline = gevent.spawn_later(limit, self.stop, timeout)
        claude.runs.add(self)

    def __iter__(self) -> Iterator[list[Event]]:
        return self._batches

    @property
    def project(self) -> str:
        """The id of the project that the turn belongs to; "" for none."""
        return self._turn.project

    def stop(self, reason: GatewayError) -> None:
        """End the turn from outside; whoever iterates gets `reason` raised."""
        if self._ended or self._stopped:
            return
        self._stopped = reason
        self._slot.cancel(reason)
        self._warm.cancel(reason)
        self._release()

    def used(self) -> tuple[Usage, bool]:
        """What the answer has used until now, and whether its output is an estimate."""
        return self._last.used() if self._last is not None else (Usage(), False)

    def close(self) -> None:
        """Free everything."""
        self._ended = True
        self._batches.close()
        self._deadline.kill(block=False)
        self._release()
        self._claude.runs.discard(self)

    def _release(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self._claude.drop(conversation)
        if self._holds_slot:
            self._holds_slot = False
            self._claude.slots.release()

    def _check(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _run(self) -> Generator[list[Event], None, None]:
        try:
            self._check()
            self._claude.slots.acquire(self._slot)
            self._holds_slot = True
            yield from self._try_models()
        except ProcessEnded as error:
            raise self._stopped or _lost(error) from error
        except GatewayError as error:
            self._claude.note_failure(error)
            raise self._stopped or error from error
        finally:
            self._release()

    def _try_models(self) -> Iterator[list[Event]]:
        """The first of the model and its fallbacks that the CLI does not refuse."""
        refusal: ModelNotSupported | None = None
        for model in self._candidates:
            try:
                yield from self._try_model(model)
                return
            except ModelNotSupported as error:
                log.warning("model %s was refused: %s", model.id, error)
                refusal = error
                self._drop_process()
        tried = ", ".join(model.id for model in self._candidates)
        raise ModelNotSupported(f"Every model tried was refused: {tried}.", param="model") from refusal

    def _try_model(self, model: Model) -> Iterator[list[Event]]:
        """A model's answer; once more without sampling parameters if it turns out to refuse them."""
        try:
            yield from self._answer(model)
            return
        except InvalidRequest as error:
            if not _refuses_sampling(error, self._tuning):
                raise
            log.info("model %s refuses sampling parameters: %s", model.id, error)
            self._claude.catalog.remember_no_sampling(model)
            self._drop_process()
        yield from self._answer(self._claude.catalog.resolve(model.id))

    def _answer(self, model: Model) -> Iterator[list[Event]]:
        """The answer of a process that is kept for this conversation or set up for it, else of a warm one."""
        self._check()
        kept = self._claude.kept.take(self._digests[:-1], partial(self._can_go_on, model))
        if kept is not None:
            try:
                yield from self._go_on(*kept, model)
                return
            except ProcessEnded as error:
                if self._begun or self._stopped:
                    raise
                log.warning("a kept claude process was lost, its conversation is seeded: %s", error)
                self._drop_process()
        self._tuning = tuning = tune(self._turn, model, seeded=True)
        conversation = self._set_up(tuning)
        conversation.seed(self._turn.messages[:-1])
        conversation.ask(self._turn.messages[-1])
        if self._turn.agent_workspace is None:
            self._claude.learn(self._digests[0], self._turn, tuning)
        yield from self._read(conversation, tuning, model)

    def _can_go_on(self, model: Model, conversation: Conversation, known: int) -> bool:
        """Whether a kept conversation that has the first `known` messages can go on with the others."""
        rest = self._turn.messages[known:]
        if conversation.is_waiting:
            tuning = tune(self._turn, model, seeded=False)
            return len(rest) == 1 and conversation.can_resume(rest[0], tuning)
        return True

    def _go_on(self, conversation: Conversation, known: int, model: Model) -> Iterator[list[Event]]:
        self._conversation = conversation
        conversation.process.serve()
        rest = self._turn.messages[known:]
        self._tuning = tuning = tune(self._turn, model, seeded=len(rest) > 1)
        if conversation.is_new:
            self._claude.learn(self._digests[0], self._turn, tuning)
        if conversation.is_waiting:
            conversation.resume(rest[0])
        else:
            conversation.tune(tuning)
            conversation.seed(rest[:-1])
            conversation.ask(rest[-1])
        yield from self._read(conversation, tuning, model)

    def _set_up(self, tuning: Tuning) -> Conversation:
        """A warm process as this conversation's. One that turns out to be dead is no loss: the next is taken.

        An agent's process is started for it, and if that fails once it fails again.
        """
        if self._turn.agent_workspace is not None:
            return self._set_up_agent(tuning)
        lost: GatewayError | None = None
        for _ in range(DEAD_ONES):
            conversation = self._fresh_conversation()
            try:
                conversation.set_up(tuning)
                return conversation
            except ProcessEnded as error:
                lost = self._stopped or _lost(error)
                self._drop_process()
                self._check()
        assert lost is not None
        raise lost

    def _set_up_agent(self, tuning: Tuning) -> Conversation:
        try:
            conversation = self._fresh_conversation()
            conversation.set_up(tuning)
            return conversation
        except (OSError, ProcessEnded) as error:
            self._check()
            log.error("a claude process did not start in a project: %s", error)
            raise ClaudeUnavailable("The Claude Code CLI does not start in the project's folder.") from error

    def _fresh_conversation(self) -> Conversation:
        process = self._process()
        process.serve()
        self._conversation = Conversation(process, self._turn, self._claude.limits.tool_seconds)
        self._check()  # stopped while it was handed over
        return self._conversation

    def _process(self) -> Process:
        if self._turn.agent_workspace is not None:
            return self._claude.start_in(self._turn.agent_workspace)
        self._warm = Ticket()
        return self._claude.pool.take(self._warm, self._claude.limits.start_seconds)

    def _read(self, conversation: Conversation, tuning: Tuning, model: Model) -> Iterator[list[Event]]:
        try:
            for batch in conversation.answer(tuning, model, self._claude.limits.silence_seconds):
                self._begun = True
                self._last = conversation.last
                if isinstance(batch[-1], Done):
                    self._keep(conversation, model)
                yield batch
        finally:
            self._claude.note_windows(conversation.last.windows)

    def _keep(self, conversation: Conversation, model: Model) -> None:
        """Before the client has the end of the answer: its next request may come at once."""
        self._claude.note_success()
        conversation.process.report()
        if conversation.is_clean and _can_be_continued(conversation, self._tuning, model):
            self._conversation = None
            self._claude.keep(extend(self._digests[-1], conversation.last.message()), conversation)

    def _drop_process(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self._claude.drop(conversation)


def _can_be_continued(conversation: Conversation, tuning: Tuning, model: Model) -> bool:
    """A model that thinks within a budget has to have thought before its calls, or the API refuses to go on."""
    must_have_thought = conversation.is_waiting and model.thinking == "budget" and tuning.thinking_budget != 0
    return conversation.last.has_thought or not must_have_thought


def _refuses_sampling(error: InvalidRequest, tuning: Tuning) -> bool:
    extra = tuning.settings["env"]["CLAUDE_CODE_EXTRA_BODY"]
    sent = [name for name in ("temperature", "top_p") if f'"{name}"' in extra]
    return any(name in error.message for name in (*sent, "thinking")) and bool(sent)


def _lost(error: ProcessEnded) -> GatewayError:
    log.error("a claude process was lost in a turn: %s", error)
    if "not logged in" in error.stderr.lower():
        return NotLoggedIn("The gateway's Claude Code CLI is not logged in.", should_retry=False)
    return UpstreamError("The Claude Code process ended in the middle of the turn.")

"""One turn, from the queue to its last event, with all the ways in which it can end early.

A run belongs to the greenlet that iterates it. Any other greenlet may call `stop`, for example when the client has
disconnected, the gateway shuts down or the deadline passes. `stop` frees the process and the slot at once, even if the
iterating greenlet is stuck in a write to a client that does not read.

For example:

    run = Run(fleet, turn)
    try:
        for batch in run: ...       # [Started(…)], [Text(…), Text(…)], …, [Done(…)]
    finally:
        run.close()
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from time import monotonic

from gateway import errors
from gateway.accounts.chooser import FAILURES
from gateway.claude import rejections
from gateway.claude.attempts import Attempt, explain_loss, replace_process
from gateway.claude.cli.answer_reader import AnswerReader
from gateway.claude.cli.conversation import Conversation
from gateway.claude.cli.hangs import HangWatch, ProcessHung
from gateway.claude.cli.process import Process, ProcessEnded
from gateway.claude.cli.tuning import Tuning, model_setting, tune
from gateway.claude.fleet.digests import digest_turn, extend_digest, tool_schemas
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.fleet.habits import shapes_of
from gateway.claude.fleet.parked import ParkedMeanwhile
from gateway.claude.fleet.wait_queue import Ticket
from gateway.claude.rejected_parts import SentRequest, leave_out_rejected
from gateway.claude.turn_accounts import Fallback, TurnAccounts
from gateway.record import RunTimes
from gateway.repairs import Repair
from gateway.turn import Batch, Done, Message, Model, Started, Turn, Usage

log = logging.getLogger(__name__)

_NO_TURN = Turn(())


class Run:
    """Iterate for the batches of events of one turn.

    `Claude.answer` makes a run and one greenlet iterates it. The first batch comes when the model begins to answer;
    until then, failures lead to another attempt if that can help (see `_next_attempt`). The iteration raises a
    GatewayError: the failure of the last attempt, or the reason that was given to `stop`.

    The caller must call `close` at the end and may repeat it. `close` calls `on_close`. `before_start` is called when
    the run has its slot, and may raise a GatewayError. `fallback` answers if all accounts are out of quota.
    """

    def __init__(
        self,
        fleet: Fleet,
        turn: Turn,
        on_close: Callable[[Run], None] = lambda run: None,
        before_start: Callable[[], None] | None = None,
        fallback: Fallback | None = None,
    ) -> None:
        self.project = turn.project  # its id, or ""
        self.times = RunTimes()
        self._fleet = fleet
        self._turn = turn
        self._on_close = on_close
        self._before_start = before_start
        self._models = fleet.catalog.candidates(turn.resolved_model)
        self._untried_models = list(self._models)
        self._digests = digest_turn(turn)
        self._accounts = TurnAccounts(fleet, fallback)
        self._is_strict = not fleet.catalog.rejects_strict(self._digests[0])
        self._repaired: tuple[Repair, ...] = ()
        self._batches = self._run()
        self._stop_reason: errors.GatewayError | None = None
        self._slot_ticket: Ticket[bool] = Ticket()
        self._process_ticket: Ticket[Process] = Ticket()
        self._conversation: Conversation | None = None
        self._reader: AnswerReader | None = None
        self._holds_slot = False
        self._has_ended = False
        fleet.deadlines.add(self._expire)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def stop(self, reason: errors.GatewayError) -> None:
        """End the turn, from any greenlet. The iterating greenlet gets `reason` raised. Only the first call counts."""
        if self._has_ended or self._stop_reason:
            return
        self._stop_reason = reason
        self._slot_ticket.cancel(reason)
        self._process_ticket.cancel(reason)
        self._release()

    @property
    def route(self) -> tuple[Model, tuple[str, ...]]:
        """Return the model that is asked, and the accounts that may answer."""
        return self._turn.resolved_model, self._turn.accounts

    @property
    def answer(self) -> Message | None:
        """Return the answer as the client would send it back; None before the model has begun."""
        return self._reader.to_message() if self._reader is not None else None

    def usage_so_far(self) -> tuple[Usage, bool]:
        """Return the usage until now, and True if its output tokens are an estimate."""
        return self._reader.usage_so_far() if self._reader is not None else (Usage(), False)

    def close(self) -> None:
        """Free the process and the slot."""
        self._has_ended = True
        self._batches.close()
        self._fleet.deadlines.remove(self._expire)
        self._release()
        self._turn = _NO_TURN  # its messages may be large
        self._on_close(self)

    def _expire(self) -> None:
        seconds = self._fleet.settings.turn_timeout_seconds
        self.stop(errors.TurnTimeout(f"The answer took longer than {seconds:g} seconds."))

    @property
    def _has_begun(self) -> bool:
        """True once the model has begun to answer."""
        return self._reader is not None and self._reader.started

    def _release(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self._fleet.give_back(conversation)
        if self._holds_slot:
            self._holds_slot = False
            self._fleet.release_slot()

    def _end_conversation(self) -> Conversation | None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self._fleet.end_conversation(conversation)
        return conversation

    def _raise_if_stopped(self) -> None:
        if self._stop_reason is not None:
            raise self._stop_reason

    def _run(self) -> Generator[Batch, None, None]:
        try:
            self._raise_if_stopped()
            self._fleet.acquire_slot(
                self._slot_ticket, is_batch=self._turn.is_batch, measure=self._turn.count_characters
            )
            self._holds_slot = True
            self.times.slot_at = monotonic()
            if self._before_start is not None:
                self._before_start()
            attempt = self._plan(self._untried_models.pop(0))
            while True:
                try:
                    yield from self._events(attempt)
                    return
                except ParkedMeanwhile:
                    attempt = replace(attempt, parked=self._take_parked(attempt.model))
                except (ProcessEnded, errors.InvalidRequest) as error:
                    attempt = self._next_attempt(attempt, error)
                except FAILURES as error:
                    attempt = self._next_account(attempt, error)
        except ProcessEnded as error:
            self._raise_if_stopped()
            loss = explain_loss(error, has_begun=self._has_begun)
            raise self._accounts.record_failure(loss, self._turn) from error
        except errors.GatewayError as error:
            explained = self._accounts.record_failure(error, self._turn)
            self._end_conversation()  # the process may have an old login, for example
            raise self._stop_reason or explained from error
        finally:
            self._release()

    def _plan(self, model: Model) -> Attempt:
        """Return an attempt that continues a parked conversation if there is one, or else needs a fresh process.

        Batches park no conversations, and take only processes that are set up for them.
        """
        self._raise_if_stopped()
        self._choose_model(model)
        try:
            self._accounts.choose(self._turn, self._digests[1:-1])
        except errors.NoAccountLeft as error:
            return self._fall_back(error)
        return Attempt(model, self._take_parked(model))

    def _take_parked(self, model: Model) -> tuple[Conversation, int] | None:
        known = self._digests[:1] if self._turn.is_batch else self._digests[:-1]
        parked = self._fleet.take_parked(known, partial(self._can_continue, model))
        if parked is not None:
            self._conversation = parked[0]
            self._accounts.prefer(parked[0].process.account)
        if self._fleet.accounts.is_listed:
            self.times.account = self._accounts.current
        return parked

    def _next_account(self, attempt: Attempt, error: errors.GatewayError) -> Attempt:
        """Return an attempt with the next account or the fallback. Raises `error` if nothing can follow."""
        if self._stop_reason or self._has_begun or not self._accounts.has_more(error):
            raise error
        self._end_conversation()
        self._accounts.drop_current(error, self._turn)
        return self._plan(attempt.model)

    def _fall_back(self, error: errors.NoAccountLeft) -> Attempt:
        """Return an attempt with the fallback. Raises NoAccountLeft if it cannot answer, or does not exist."""
        turn = self._accounts.fall_back(self._turn, error)
        self.times.fallback_model = turn.resolved_model.id
        self._turn = replace(self._turn, accounts=turn.accounts)
        self._models = self._fleet.catalog.candidates(turn.resolved_model)
        self._untried_models = self._models[1:]
        return self._plan(self._models[0])

    def _choose_model(self, model: Model) -> None:
        """Note the model of the next attempt. It may need another set-up for the output schema."""
        schema = self._turn.output_schema
        if schema is not None and self._fleet.catalog.rejects_format(model, schema):
            model = replace(model, structured_outputs=False)
        if self._turn.model is model:
            return
        earlier, self._turn = self._turn, replace(self._turn, model=model)
        if self._turn.output_tool_schema != earlier.output_tool_schema:
            self._digests = digest_turn(self._turn)

    def _next_attempt(self, attempt: Attempt, error: ProcessEnded | errors.InvalidRequest) -> Attempt:
        """Return what to try after a failed attempt.

        Raises `error` if another attempt cannot help, or if the client has already got a part of the answer.

        - If the process of a parked conversation was lost, seed a fresh process with the history.
        - If a warm process died before it was set up, or was killed or hung before the model began, take the next one.
        - If the CLI refused the model, ask the model's next fallback.
        - If the API rejected a part of the request, send it without that part (see `rejected_parts`).
        """
        conversation = self._end_conversation()
        if self._stop_reason or conversation is None or self._has_begun:
            raise error
        if isinstance(error, ProcessHung):
            self._fleet.suspect_hangs()
        if isinstance(error, ProcessEnded):
            return replace_process(attempt, conversation, error, is_silent=self._reader is None)
        if isinstance(error, errors.ModelNotSupported):
            return self._replace_model(attempt.model, error)
        return self._change_request(attempt, error, conversation)

    def _change_request(
        self, attempt: Attempt, error: errors.InvalidRequest, conversation: Conversation
    ) -> Attempt:
        """Return an attempt without the part of the request that was rejected. Raises `error` if that is no part."""
        sent = SentRequest(self._turn, self._is_strict, attempt.model, self._digests[0])
        changed = leave_out_rejected(sent, error, conversation, self._fleet.catalog)
        self._turn, self._is_strict = changed.turn, changed.is_strict
        self._repaired = changed.repaired or self._repaired
        return self._plan(changed.model)

    def _replace_model(self, model: Model, error: errors.ModelNotSupported) -> Attempt:
        log.warning("model %s was refused: %s", model.id, error)
        if not self._untried_models:
            tried = ", ".join(model.id for model in self._models)
            raise errors.ModelNotSupported(
                f"Every model tried was refused: {tried}.", param="model"
            ) from error
        return self._plan(self._untried_models.pop(0))

    def _events(self, attempt: Attempt) -> Iterator[Batch]:
        if attempt.parked is not None:
            conversation = self._continue_parked(*attempt.parked, attempt.model)
        else:
            conversation = self._start_fresh(attempt)
        self.times.asked_at = monotonic()
        self.times.attempts += 1
        reader = conversation.expect_answer(attempt.model)
        try:
            for batch in conversation.read_answer(reader, self._fleet.settings.streaming_timeout_seconds):
                self._reader = reader
                if isinstance(batch[-1], Done):
                    self._complete(conversation, reader, attempt.model)
                if self._repaired and isinstance(batch[0], Started):
                    batch[0] = replace(batch[0], repaired=self._repaired)
                yield batch
        finally:
            self._fleet.record_rate_limits(reader.rate_limit_windows, conversation.process.account)

    def _can_continue(self, model: Model, conversation: Conversation, known: int) -> bool:
        """Return True if a conversation that knows the first `known` messages can continue with the others."""
        if not self._accounts.can_continue(conversation.process.account, known):
            return False
        if not conversation.is_waiting:
            return conversation.serves(model_setting(model))
        new = self._turn.messages[known:]
        tuning = self._tune(model, conversation.process.account, is_seeded=False)
        return len(new) == 1 and conversation.can_resume(new[0], tuning)

    def _tune(self, model: Model, account: str, *, is_seeded: bool) -> Tuning:
        ttl = self._fleet.cache_ttl(account)
        return tune(self._turn, model, is_seeded=is_seeded, is_strict=self._is_strict, cache_ttl=ttl)

    def _continue_parked(self, conversation: Conversation, known: int, model: Model) -> Conversation:
        self.times.process_at = monotonic()
        self.times.process = "prepared" if conversation.is_new else "kept"
        conversation.process.adopt_context()
        conversation.workspace = self._turn.agent_workspace
        new = self._turn.messages[known:]
        tuning = self._tune(model, self._accounts.current, is_seeded=len(new) > 1)
        if conversation.is_new and not conversation.uses:  # one that was used will be recycled
            self._fleet.prepare_next(self._digests[0], self._turn, tuning, self._accounts.current)
        with HangWatch(conversation.process):
            if conversation.is_waiting:
                conversation.resume(new[0])
            else:
                conversation.tune(tuning)
                conversation.seed(new[:-1])
                conversation.ask(new[-1], self._digests[-2])
        return conversation

    def _start_fresh(self, attempt: Attempt) -> Conversation:
        turn, tuning = self._turn, self._tune(attempt.model, self._accounts.current, is_seeded=True)
        is_warm = turn.agent_workspace is None and not turn.is_batch
        conversation = self._open_conversation()
        with HangWatch(conversation.process) if is_warm and not attempt.is_last else nullcontext():
            with self._named_errors():
                conversation.set_up(tuning)
            conversation.seed(turn.messages[:-1])
            if turn.agent_workspace is not None:
                conversation.grant(turn.messages[-2:])
            conversation.ask(turn.messages[-1], self._digests[-2])
        if is_warm:
            self._fleet.prepare_next(self._digests[0], turn, tuning, self._accounts.current)
        return conversation

    def _open_conversation(self) -> Conversation:
        with self._named_errors():
            process = self._take_process()
        self.times.process_at = monotonic()
        process.adopt_context()
        seconds = self._fleet.settings.tool_wait_seconds
        conversation = Conversation(process, self._turn, seconds, self._digests[0])
        self._conversation = conversation
        self._raise_if_stopped()  # `stop` may have been called while the process was handed over
        return conversation

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Report a process of an agent that does not start: another attempt would fail as well."""
        try:
            yield
        except (OSError, ProcessEnded) as error:
            if self._turn.agent_workspace is None:
                raise
            self._raise_if_stopped()
            log.error("a claude process did not start in a project: %s", error)
            raise errors.ClaudeUnavailable(
                "The Claude Code CLI does not start in the project's folder."
            ) from error

    def _take_process(self) -> Process:
        self.times.process = "started"
        if self._turn.agent_workspace is None and not self._turn.is_batch:
            self.times.process = "warm" if self._fleet.has_warm(self._accounts.current) else "started"
            self._process_ticket = Ticket()
            return self._fleet.take_warm(self._process_ticket, self._digests[:-1], self._accounts.current)
        if self._turn.agent_workspace is not None:
            process = self._fleet.start_agent(self._turn.agent_workspace, self._accounts.current)
        else:
            process = self._fleet.start_for_batch(self._accounts.current)
        if self._turn.is_batch:
            process.lower_priority(self._fleet.settings.batch_niceness)
        return process

    def _complete(self, conversation: Conversation, reader: AnswerReader, model: Model) -> None:
        """Park or give back the conversation before the client gets the end: its next request may come at once."""
        self._fleet.record_success(self._accounts.current, model.id)
        self._fleet.chooser.note(self._digests[-1], self._accounts.current)
        conversation.process.log_stderr()
        if self._turn.is_batch:
            self._conversation = None
            self._fleet.recycle(conversation)
        elif conversation.is_clean and rejections.has_needed_thinking(conversation, reader, model):
            self._conversation = None
            answered = extend_digest(
                self._digests[-1],
                reader.to_message(),
                tool_schemas(self._turn),
                with_hosted=not self._turn.drops_hosted_calls,
            )
            self._fleet.park(answered, conversation, shapes_of(self._turn, self._digests[0]))
        elif reader.is_cut:
            self._conversation = None
            self._fleet.give_back(conversation)  # now, because the CLI would go on

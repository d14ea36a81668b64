"""The one way from a view to the CLI: turns go in, a metered answer comes out.

An answer is composed of iterators of batches: MeteredAnswer meters the run of the CLI, and in a session PersistedAnswer
wraps the MeteredAnswer (see SessionTurns.persist).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from gateway.answering.account_access import find_accounts
from gateway.answering.agent_activity import record_actions
from gateway.answering.approvals import check_decisions, record_request
from gateway.answering.body_keeping import collects_texts
from gateway.answering.caller import Caller
from gateway.answering.checkpoints import save_checkpoint
from gateway.answering.estimates import estimate_usage
from gateway.answering.fallbacks import make_fallback
from gateway.answering.limits import Admission
from gateway.answering.metering import MeteredAnswer
from gateway.answering.model_access import resolve_model
from gateway.answering.project_policy import find_workspace
from gateway.answering.services import Services
from gateway.answering.size_guard import guard_size
from gateway.claude.token_counts import TokenCount
from gateway.observe.transcript import Transcript
from gateway.record import Record
from gateway.store.projects import ProjectRecord
from gateway.turn import Turn, sum_usage

MAX_NAME_LENGTH = 200


def answer(
    *turns: Turn,
    caller: Caller,
    services: Services,
    path: str,
    admission: Admission | None = None,
    n: int = 1,
    stream: bool = False,
    project: ProjectRecord | None = None,
) -> MeteredAnswer:
    """Return `n` answers to each of the turns, in their order. Nothing runs before the result is iterated.

    The turns have the same parameters. `path` is the URL path of the request, and `admission` its permission by the
    client's limits, if it needed one. The result must be closed. Raises ModelNotSupported, ModelNotAllowed,
    AccountNotAllowed, ClaudeUnavailable, LimitReached, QuotaExceeded, and in a project AgentsNotAllowed,
    ProjectTooLarge or UnsupportedParameter.
    """
    prepared = [
        record_actions(turn, caller, services.activity)
        for turn in prepare_turns(turns, caller, services, project)
    ]
    before_start = None
    if admission is not None and admission.has_budgets:
        admission.reserve(sum_usage([estimate_usage(turn) for turn in prepared for _ in range(n)]))
        before_start = admission.check_again
    save_checkpoint(prepared[0], caller, services, project)
    record = _new_record(prepared[0], caller, path, stream)
    transcript = Transcript() if collects_texts(caller, services.settings) else None
    report = partial(report_answer, services=services, admission=admission)
    on_approval = partial(
        record_request,
        owner=caller.owner_id,
        project=record.project_id,
        approvals=services.approvals,
    )
    fallback = make_fallback(caller, admission)
    runs = services.claude.answer(*prepared, n=n, before_start=before_start, fallback=fallback)
    metered = MeteredAnswer(runs, record, report, transcript, on_approval)
    services.live_answers.add(metered)
    if project is not None and prepared[0].agent_workspace is not None:
        guard_size(metered, project.path, services.folders)
    return metered


def report_answer(answer: MeteredAnswer, services: Services, admission: Admission | None) -> None:
    """Hand the record of an answer that is over to everything that needs it."""
    services.live_answers.discard(answer)
    services.usage_writer.put(answer.record)
    if admission is not None:
        admission.settle(answer.record.usage, answer.record.fallback_usage)
    if services.metrics is not None:
        services.metrics.count_answer(answer.record)


def count_tokens(turn: Turn, caller: Caller, services: Services) -> TokenCount:
    """Return the tokens that `turn` would send. Raises what `answer` raises, TooManyTurns, UpstreamError."""
    return services.claude.count_tokens(*prepare_turns([turn], caller, services))


def prepare_turns(
    turns: Sequence[Turn], caller: Caller, services: Services, project: ProjectRecord | None = None
) -> list[Turn]:
    """Return the turns with their owner, project and resolved model. Raises what `answer` raises."""
    workspace, project_id = None, ""
    if project is not None:
        workspace = find_workspace(turns[0], project, services.settings, services.folders)
        project_id = project.id
        if workspace is not None and caller.is_batch:
            workspace = replace(workspace, asks=False)  # the sender of a batch is not asked
    accounts = find_accounts(caller, services.accounts)
    services.claude.await_ready()  # the CLI's models are known only then
    model = resolve_model(
        turns[0].requested_model,
        caller,
        services.claude.catalog,
        wants_width=turns[0].serving.wide_context,
    )
    prepared = [
        replace(
            check_decisions(turn, caller.owner_id, services.approvals),
            owner=caller.owner_id,
            model=model,
            project=project_id,
            agent_workspace=workspace,
            accounts=accounts,
            is_batch=caller.is_batch,
        )
        for turn in turns
    ]
    return [services.remote_access.equip(turn, caller) for turn in prepared]


def _new_record(turn: Turn, caller: Caller, path: str, stream: bool) -> Record:
    return Record(
        request_id=caller.request_id,
        endpoint=path,
        started_at=datetime.now(timezone.utc),
        model=turn.resolved_model.id[:MAX_NAME_LENGTH],
        key_id=caller.key_id,
        key_name=caller.key_name,
        project_id=turn.project or None,
        client=caller.user_agent[:MAX_NAME_LENGTH],
        address=caller.address,
        streamed=stream,
    )

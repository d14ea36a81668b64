"""The way from a turn to a metered answer, with a run in place of the CLI."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.answering.answer import answer, count_tokens
from gateway.answering.metering import MeteredAnswer
from gateway.answering.project_policy import require_policy_allowed
from gateway.answering.services import Services, build_services
from gateway.claude.token_counts import TokenCount
from gateway.errors import AgentsNotAllowed, ModelNotAllowed, QuotaExceeded, UnsupportedParameter
from gateway.settings import Settings, SettingsError
from gateway.store.limits.budgets import Budgets
from gateway.store.models import LimitReservation
from gateway.store.projects import ProjectRecord
from gateway.turn import Message, Tool, Turn, Usage
from tests.unit.answering.fakes import MODEL, USAGE, caller, complete_run

TURN = Turn(messages=(Message("user", ({"type": "text", "text": "hi"},)),), requested_model="haiku")
AGENT = {
    "mode": "agent",
    "tools": ["Read", "Bash"],
    "allowed_tools": ["Read", "Bash(ls *)"],
    "permission_mode": "default",
    "max_turns": None,
    "report_activity": False,
}
ME = caller("me", is_admin=False)


@pytest.fixture
def services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    settings = Settings(
        database_url=database_url,
        project_root=tmp_path / "projects",
        log_content=True,
        allow_agent_projects=True,
        agent_tools=("Read",),
        rate_limit_tokens_per_day=100_000,
    )
    services = build_services(settings)
    yield services
    services.store.close()


@pytest.fixture
def turns_run(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """Return the list of the turns that are run. Each answer is "hi"."""
    turns: list[Turn] = []

    def run(*given: Turn, n: int = 1, before_start: object = None, fallback: object = None) -> Any:
        turns.extend(given)
        return complete_run("hi")

    def count(turn: Turn) -> TokenCount:
        turns.append(turn)
        return TokenCount(12, "default")

    monkeypatch.setattr(services.claude, "await_ready", lambda: None)
    monkeypatch.setattr(services.claude, "answer", run)
    monkeypatch.setattr(services.claude, "count_tokens", count)
    return turns


def start(services: Services, **options: Any) -> MeteredAnswer:
    return answer(TURN, caller=ME, services=services, path="/v1/messages", **options)


def new_project(services: Services, policy: dict[str, Any]) -> ProjectRecord:
    services.folders.create("p")
    return services.projects.create("p", "me", "p", "P", None, policy)


def test_turn_gets_its_owner_and_its_model(services: Services, turns_run: list[Turn]) -> None:
    record = start(services, stream=True).record
    (turn,) = turns_run
    assert (turn.owner, turn.resolved_model.id, turn.project) == ("me", MODEL, "")
    assert (record.model, record.key_id, record.key_name) == (MODEL, "me", "alice")
    assert (record.endpoint, record.address, record.streamed) == ("/v1/messages", "203.0.113.7", True)


def test_record_of_an_answer_goes_to_usage_limits_and_metrics(
    services: Services, turns_run: list[Turn]
) -> None:
    client = services.limits.find_client(ME)
    metered = start(services, admission=services.limits.admit_answer(client))
    assert services.live_answers == {metered}
    list(metered)
    metered.close()
    assert services.live_answers == set()
    assert len(services.usage_writer) == 1
    assert services.metrics is not None
    assert b'gateway_answers_total{model="claude-haiku-4-5-20251001",outcome="complete"} 1.0' in (
        services.metrics.render()
    )
    assert Budgets(services.limits.storage).get_state("me", "tokens_per_day", 1).used == USAGE.total_tokens
    assert metered.transcript is not None
    assert metered.transcript.texts() == ["hi"]


def test_answer_reserves_a_part_of_the_budget_until_it_ends(
    services: Services, turns_run: list[Turn]
) -> None:
    def count_reservations() -> int:
        return services.store.read(lambda db: LimitReservation.select().count(db))

    metered = start(services, admission=services.limits.admit_answer(services.limits.find_client(ME)))
    (row,) = services.store.read(lambda db: list(LimitReservation.select().execute(db)))
    assert (row.who, row.tokens) == ("me", 4001)  # the prompt is one token
    metered.close()
    assert count_reservations() == 0


def test_budget_is_checked_again_before_the_cli_is_asked(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request may have waited for a slot while other answers of its key used the budget up."""
    client = services.limits.find_client(ME)

    def run(*given: Turn, n: int, before_start: Callable[[], None], fallback: object) -> Any:
        services.limits.charge(client, Usage(input_tokens=100_000))  # in the time of the wait
        before_start()

    monkeypatch.setattr(services.claude, "await_ready", lambda: None)
    monkeypatch.setattr(services.claude, "answer", run)
    with pytest.raises(QuotaExceeded):
        start(services, admission=services.limits.admit_answer(client))


def test_model_that_the_key_may_not_use_starts_no_run(services: Services, turns_run: list[Turn]) -> None:
    limited = caller("me", allowed_models=("opus",))
    with pytest.raises(ModelNotAllowed):
        answer(TURN, caller=limited, services=services, path="/v1/messages")
    assert (turns_run, services.live_answers) == ([], set())


def test_tokens_are_counted_for_the_resolved_model(services: Services, turns_run: list[Turn]) -> None:
    assert count_tokens(TURN, ME, services).tokens == 12
    assert turns_run[0].resolved_model.id == MODEL


def test_end_of_the_worker_records_live_answers(services: Services, turns_run: list[Turn]) -> None:
    next(iter(start(services)))
    services.close()
    (failure,) = services.usage.list_failures(10)
    assert failure.error == "shutting_down"


def test_turn_in_a_chat_project_gets_no_workspace(services: Services, turns_run: list[Turn]) -> None:
    start(services, project=new_project(services, {"mode": "chat"}))
    assert (turns_run[0].project, turns_run[0].agent_workspace) == ("p", None)


def test_agent_gets_only_the_tools_that_the_operator_allows(
    services: Services, turns_run: list[Turn]
) -> None:
    start(services, project=new_project(services, AGENT))
    workspace = turns_run[0].agent_workspace
    assert workspace is not None
    assert (workspace.tools, workspace.allowed, workspace.max_turns) == (("Read",), ("Read",), 30)


def test_agent_takes_no_tools_of_the_client(services: Services, turns_run: list[Turn]) -> None:
    turn = replace(TURN, tools=(Tool("clock", "", {"type": "object"}),))
    project = new_project(services, AGENT)
    with pytest.raises(UnsupportedParameter) as error:
        answer(turn, caller=ME, services=services, path="/v1/messages", project=project)
    assert error.value.param == "tools"


@pytest.mark.parametrize("settings", [Settings(), Settings(allow_agent_projects=True, agent_tools=())])
def test_policy_that_the_operator_forbids_is_rejected(settings: Settings) -> None:
    with pytest.raises(AgentsNotAllowed):
        require_policy_allowed(AGENT, settings)
    require_policy_allowed({"mode": "chat"}, settings)


def test_unusable_database_is_an_error_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="The database cannot be used"):
        build_services(Settings(database_url=f"sqlite:///{tmp_path}/file/gateway.db"))

"""The fallback of a key: it answers only if all accounts are out of quota. The CLI is scripted."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.accounts.account import Account
from gateway.accounts.states import AccountStates, Rest, RestReason
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.remote_run import RemoteRun
from gateway.claude.run import Run
from gateway.claude.turn_accounts import Fallback
from gateway.errors import GatewayError, NoAccountLeft
from gateway.mcp.toolbox import Limits, Toolbox
from gateway.turn import Turn
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import MODEL, assert_idle, make_settings, text_of, turn, user

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]

OTHER = replace(MODEL, id="claude-haiku-4-5-20251001")
ASKED = turn("hello", accounts=("a", "b"))


@pytest.fixture
def fleet(cli: ScriptedCli) -> Iterator[Fleet]:
    """Return a fleet of three accounts: `paid` is meant for fallbacks."""
    accounts = [Account(name, "token", {"CLAUDE_CODE_OAUTH_TOKEN": name}) for name in ("a", "b", "paid")]
    fleet = Fleet(make_settings(cli, warm_processes=0), AccountStates(accounts, is_listed=True))
    fleet.open()
    fleet.await_ready()
    run_until(lambda: fleet.status()["processes"] == 0)
    yield fleet
    fleet.close()


def rest(fleet: Fleet, reason: RestReason, *names: str, models: str = "") -> None:
    for name in names:
        fleet.accounts.record_rest(name, Rest(reason, time.time() + 1000, models))


def ask(fleet: Fleet, fallback: Fallback) -> tuple[str | None, str | None]:
    """Return the account and the model of the fallback that answered."""
    run = Run(fleet, ASKED, fallback=fallback)
    try:
        assert text_of(run) == "You said: hello"
        return run.times.account, run.times.fallback_model
    finally:
        run.close()
        assert_idle(fleet)


def reserve_nothing(asked: Turn, error: NoAccountLeft) -> None:
    """Let the fallback answer without a budget."""


@pytest.mark.parametrize(
    ("model", "account", "answered"),
    [("haiku", "paid", ("paid", OTHER.id)), (None, "paid", ("paid", MODEL.id))],
)
def test_fallback_answers_if_all_accounts_are_out_of_quota(
    fleet: Fleet, model: str | None, account: str | None, answered: tuple[str, str]
) -> None:
    reserved: list[Turn] = []
    fallback = Fallback(model, account, lambda asked, error: reserved.append(asked))
    assert ask(fleet, fallback)[1] is None
    rest(fleet, "quota", "a", "b")
    assert ask(fleet, fallback) == answered
    assert [(asked.resolved_model.id, asked.accounts) for asked in reserved] == [(answered[1], ("paid",))]


def test_another_model_is_asked_at_the_accounts_that_have_quota_for_it(fleet: Fleet) -> None:
    rest(fleet, "quota", "a", "b", models=MODEL.id)
    assert ask(fleet, Fallback("haiku", None, reserve_nothing)) == ("a", OTHER.id)


def test_other_failures_do_not_lead_to_the_fallback(fleet: Fleet) -> None:
    rest(fleet, "quota", "a")
    rest(fleet, "overloaded", "b")
    assert ask(fleet, Fallback(None, "paid", reserve_nothing)) == ("b", None)


def refuse(asked: Turn, error: NoAccountLeft) -> None:
    raise NoAccountLeft(f"{error.message} Its budget is used up.", retry_after=1.0)


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        (Fallback(None, "paid", refuse), "no limit of the API key.* Its budget is used up"),
        (Fallback("gpt-unknown", "paid", reserve_nothing), "Every account that this request may use"),
        (Fallback("haiku", None, reserve_nothing), "Every account that this request may use"),
        (None, "Every account that this request may use"),
    ],
)
def test_request_fails_if_the_fallback_cannot_answer(
    fleet: Fleet, fallback: Fallback | None, words: str
) -> None:
    rest(fleet, "quota", "a", "b")
    run = Run(fleet, ASKED, fallback=fallback)
    with pytest.raises(GatewayError, match=words) as raised:
        text_of(run)
    run.close()
    assert type(raised.value) is NoAccountLeft
    assert_idle(fleet)


@pytest.fixture
def remote(fleet: Fleet) -> Iterator[RemoteRun]:
    """Return an answer that may consist of several runs, with calls of remote tools between them."""
    toolbox = Toolbox([], Limits(), lambda data, kind: {})
    fallback = Fallback("haiku", "paid", reserve_nothing)
    run = RemoteRun(fleet, replace(ASKED, toolbox=toolbox), toolbox, lambda run: None, fallback=fallback)
    yield run
    run.close()


def play_next(remote: RemoteRun) -> None:
    """Play one run of the answer, and add what follows it."""
    list(remote._play_run([]))
    remote._turn = replace(remote._turn, messages=(*remote._turn.messages, user("more")))


def test_later_runs_of_an_answer_stay_with_its_fallback(fleet: Fleet, remote: RemoteRun) -> None:
    rest(fleet, "quota", "a", "b")
    for _ in range(2):
        play_next(remote)
    assert (remote._turn.accounts, remote._turn.resolved_model.id) == (("paid",), OTHER.id)
    assert remote.times.fallback_model == OTHER.id
    assert remote.usage_so_far()[0].output_tokens == 4


def test_answer_that_has_begun_does_not_fall_back_in_a_later_run(fleet: Fleet, remote: RemoteRun) -> None:
    play_next(remote)
    rest(fleet, "quota", "a", "b")
    with pytest.raises(NoAccountLeft):
        play_next(remote)
    assert remote.times.fallback_model is None

"""Several accounts in one fleet: processes of their own within one budget."""

import time
from collections.abc import Iterator

import gevent
import pytest

from gateway.accounts.account import Account
from gateway.accounts.states import AccountStates, Fact
from gateway.claude.fleet.fleet import Fleet
from gateway.claude.run import Run
from gateway.errors import NotLoggedIn
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import answer, make_settings, text_of, turn

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("no_processes_left"),
]


@pytest.fixture
def fleet(cli: ScriptedCli) -> Iterator[Fleet]:
    """Return a fleet of two accounts that may have two processes in all, and has one ready for each."""
    accounts = [Account(name, "token", {"CLAUDE_CODE_OAUTH_TOKEN": name}) for name in ("a", "b")]
    settings = make_settings(cli, warm_processes=2, max_warm_processes=0, max_processes=2, keep_seconds=0.0)
    fleet = Fleet(settings, AccountStates(accounts, is_listed=True))
    fleet.open()
    fleet.await_ready()
    run_until(lambda: [one["warm"] for one in fleet.status()["accounts"]] == [1, 1])
    run_until(lambda: fleet.status()["processes"] == 2)  # the probes that ask for the logins have ended
    yield fleet
    fleet.close()


def test_waiting_turn_ends_an_idle_process_of_another_account(fleet: Fleet) -> None:
    running = [gevent.spawn(answer, fleet, turn(text, accounts=("b",))) for text in ("first", "second")]
    gevent.joinall(running, timeout=8)
    assert all(one.get(block=False) for one in running)
    assert fleet.status()["processes"] <= 2


def test_either_account_answers(fleet: Fleet) -> None:
    assert answer(fleet, turn("hello", accounts=("b", "a")))
    assert fleet.accounts.status("b").logged_in
    assert fleet.status()["logged_in"]


def test_new_login_is_used_at_once(fleet: Fleet) -> None:
    fleet.record_failure(NotLoggedIn("The login has expired."), "a", "claude-scripted")
    run_until(lambda: fleet.status()["warm"] == 2)
    assert fleet.accounts.status("a").state == "logged_out"
    starts = fleet.status()["starts"]
    assert fleet.check_login("a")
    assert (fleet.accounts.status("a").state, fleet.accounts.rests("a")) == ("ready", ())
    run_until(lambda: fleet.status()["starts"] == starts + 1)  # the process that was ready had the old login
    assert fleet.check_login("a")  # again, which is no news
    run_until(lambda: fleet.status()["processes"] == 2)
    assert fleet.status()["starts"] == starts + 1


def test_new_login_that_another_worker_found_is_used(fleet: Fleet) -> None:
    fleet.record_failure(NotLoggedIn("The login has expired."), "a", "claude-scripted")
    run_until(lambda: fleet.status()["warm"] == 2)
    starts = fleet.status()["starts"]
    news = [Fact(name, "login", True, time.time() + 1) for name in ("a", "b")]
    fleet.accounts.merge(news)
    run_until(lambda: fleet.status()["starts"] == starts + 1)
    fleet.accounts.merge(news)
    run_until(lambda: fleet.status()["processes"] == 2)
    assert fleet.status()["starts"] == starts + 1


def listed(**tokens: str) -> AccountStates:
    """Return a list of accounts by their tokens."""
    accounts = [Account(name, "token", {"CLAUDE_CODE_OAUTH_TOKEN": token}) for name, token in tokens.items()]
    return AccountStates(accounts, is_listed=True)


def test_account_that_is_added_gets_its_processes(fleet: Fleet) -> None:
    fleet.change_accounts(listed(a="a", c="c"))
    assert [one["name"] for one in fleet.status()["accounts"]] == ["a", "c"]
    run_until(lambda: [one["warm"] for one in fleet.status()["accounts"]] == [1, 1])
    assert answer(fleet, turn("hello", accounts=("c",)))
    assert fleet.accounts.is_logged_in("c")


def test_turn_of_an_account_that_is_removed_is_answered(fleet: Fleet) -> None:
    run = Run(fleet, turn("SLOW", accounts=("b",)))
    next(iter(run))
    fleet.change_accounts(listed(a="a"))
    assert text_of(run)
    run.close()
    assert answer(fleet, turn("hello", accounts=("b",)))  # it was waiting for its turn
    run_until(lambda: fleet.status()["processes"] == 1)


def test_process_with_an_old_login_answers_no_later_turn(cli: ScriptedCli) -> None:
    settings = make_settings(cli, warm_processes=1, max_processes=4)
    fleet = Fleet(settings, listed(a="old"))
    fleet.open()
    fleet.await_ready()
    running = Run(fleet, turn("hello", accounts=("a",)))
    batches = iter(running)
    next(batches)
    fleet.change_accounts(listed(a="new"))
    list(batches)
    running.close()
    hits = fleet.status()["kept_hits"]
    assert answer(fleet, turn("hello", "You said: hello", "again", accounts=("a",)))
    assert fleet.status()["kept_hits"] == hits
    fleet.close()


def test_same_list_again_changes_nothing(fleet: Fleet) -> None:
    before = fleet.status()["starts"]
    same = [Account(name, "token", {"CLAUDE_CODE_OAUTH_TOKEN": name}) for name in ("a", "b")]
    fleet.change_accounts(AccountStates(same, is_listed=True))
    gevent.sleep(0.2)
    assert (fleet.status()["starts"], fleet.status()["warm"]) == (before, 2)

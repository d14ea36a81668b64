"""Several accounts in one fleet: processes of their own within one budget."""

from collections.abc import Iterator

import gevent
import pytest

from gateway.accounts.account import Account
from gateway.accounts.states import AccountStates
from gateway.claude.fleet.fleet import Fleet
from gateway.errors import NotLoggedIn
from tests.support.processes import run_until
from tests.support.scripted import ScriptedCli
from tests.unit.claude.fleets import answer, make_settings, turn

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
    assert fleet.check_login("a")
    run_until(lambda: fleet.status()["processes"] == 2)
    assert fleet.status()["starts"] == starts + 1

"""The states of accounts, in one worker and among several."""

from gateway.accounts.account import Account, default_account, find_kind
from gateway.accounts.states import AccountStates, Rest, Window
from gateway.store.account_facts import AccountFacts
from gateway.store.database import Store

TEAM = Account("team", "login")


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_windows_are_kept_with_the_time_of_the_news() -> None:
    states = AccountStates([TEAM], Clock())
    states.record_windows("team", {"five_hour": Window(0.75, 2000.0, "allowed_warning")})
    assert states.windows("team") == {"five_hour": Window(0.75, 2000.0, "allowed_warning", 1000.0)}
    assert states.headroom("team") == 0.25


def test_window_that_was_reset_counts_as_empty() -> None:
    clock = Clock()
    states = AccountStates([TEAM], clock)
    states.record_windows("team", {"five_hour": Window(0.75, 2000.0), "seven_day": Window(0.5, 9000.0)})
    clock.now = 2001.0
    assert states.headroom("team") == 0.5


def test_account_rests_until_its_reset() -> None:
    clock = Clock()
    states = AccountStates([TEAM], clock)
    states.record_rest("team", Rest("quota", 2000.0))
    status = states.status("team")
    assert (status.state, status.resting_until) == ("resting", 2000.0)
    clock.now = 2000.0
    assert (states.status("team").state, states.find_rest("team", "claude-x")) == ("ready", None)


def test_rest_of_some_models_leaves_the_others_ready() -> None:
    states = AccountStates([TEAM], Clock())
    states.record_rest("team", Rest("quota", 2000.0, "opus"))
    assert states.status("team").state == "ready"
    assert states.find_rest("team", "claude-opus-5-5") == Rest("quota", 2000.0, "opus")
    assert states.find_rest("team", "claude-haiku-4-5") is None


def test_answer_ends_only_the_rests_of_its_model() -> None:
    states = AccountStates([TEAM], Clock())
    states.record_rest("team", Rest("quota", 2000.0, "opus"))
    states.record_rest("team", Rest("overloaded", 1500.0))
    states.end_rests("team", "claude-haiku-4-5")
    assert states.rests("team") == (Rest("quota", 2000.0, "opus"),)
    states.end_rests("team")
    assert states.rests("team") == ()


def test_rests_are_ended_by_their_reasons() -> None:
    states = AccountStates([TEAM], Clock())
    states.record_rest("team", Rest("quota", 2000.0, "opus"))
    states.record_rest("team", Rest("login", 1500.0))
    states.end_rests("team", reasons=("login", "start"))
    assert states.rests("team") == (Rest("quota", 2000.0, "opus"),)


def test_workers_share_what_they_know_and_the_later_fact_counts(store: Store) -> None:
    clock, facts = Clock(), AccountFacts(store)
    first, second = AccountStates([TEAM], clock), AccountStates([TEAM], clock)
    first.record_windows("team", {"five_hour": Window(0.5, 2000.0)})
    first.record_login("team", is_good=True)
    clock.now += 1
    second.record_windows("team", {"five_hour": Window(0.6, 2000.0)})
    second.record_rest("team", Rest("quota", 2000.0))
    for states in (second, first):  # the older fact is stored last
        facts.save(states.take_changes())
    for states in (first, second):
        states.merge(facts.load())
        assert states.windows("team")["five_hour"].utilization == 0.6
        assert states.is_logged_in("team") is True
        assert states.rests("team") == (Rest("quota", 2000.0),)


def test_facts_of_an_account_that_was_removed_are_ignored(store: Store) -> None:
    states = AccountStates([TEAM], Clock())
    states.record_login("team", is_good=True)
    other = AccountStates([default_account({}, None)], Clock())
    other.merge(states.take_changes())
    assert [status.logged_in for status in other.all()] == [None]


def test_changes_that_could_not_be_shared_are_kept_unless_later_ones_exist() -> None:
    clock = Clock()
    states = AccountStates([TEAM], clock)
    states.record_windows("team", {"five_hour": Window(0.5, None), "seven_day": Window(0.1, None)})
    changes = states.take_changes()
    clock.now += 1
    states.record_windows("team", {"five_hour": Window(0.6, None)})
    states.keep_changes(changes)
    assert {fact.name: fact.value["utilization"] for fact in states.take_changes()} == {
        "window:five_hour": 0.6,
        "window:seven_day": 0.1,
    }


def test_secrets_of_an_account_are_not_shown() -> None:
    account = Account("team", "api_key", {"ANTHROPIC_API_KEY": "sk-ant-secret"})
    assert "secret" not in f"{account!r} {AccountStates([account]).status('team')}"


def test_kind_of_a_login_follows_from_its_environment() -> None:
    assert find_kind({}) == "login"
    assert find_kind({"CLAUDE_CODE_OAUTH_TOKEN": "x"}) == "token"
    assert find_kind({"ANTHROPIC_AUTH_TOKEN": "x"}) == "api_key"
    assert find_kind({}, "sk-ant-x") == "api_key"
    assert find_kind({"CLAUDE_CODE_USE_VERTEX": "1", "ANTHROPIC_API_KEY": "x"}) == "vertex"

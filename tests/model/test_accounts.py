"""Three accounts with logins of their own, each at a stand-in of its own."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.accounts.accounts_file import read_accounts
from gateway.accounts.states import AccountStates
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.models import UsageRow
from tests.standin import StandIn, error, stream_error, text
from tests.support.api_client import Api, body_of, error_of, reply_of
from tests.support.gateway import Gateway, wait_for
from tests.support.logins import folder_login

pytestmark = pytest.mark.wide

NAMES = ("a", "b", "c")
PAID = "paid"  # the account of a fallback
HOURS = 7200
MESSAGES_BODY = {"max_tokens": 50, "messages": [{"role": "user", "content": "Stream."}], "stream": True}


class Site(NamedTuple):
    """A gateway, the stand-ins and folders of its accounts, and clients: `alice` may use a and b, and `bob` only c.

    The fallback of bob is another model at the account `paid`.
    """

    gateway: Gateway
    standins: dict[str, StandIn]
    logins: Path
    alice: Api
    bob: Api
    admin: Api
    keys: Keys
    bob_id: str

    def counts(self) -> list[int]:
        """Return the number of questions that each account got."""
        return [len(self.standins[name].messages) for name in (*NAMES, PAID)]


@pytest.fixture(scope="module")
def site(claude_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("accounts")
    with ExitStack() as stack:
        standins = {name: stack.enter_context(StandIn()) for name in (*NAMES, PAID)}
        for name in NAMES:
            standin = standins[name]
            (folder / "logins" / name).mkdir(parents=True)
            folder_login(folder / "logins" / name)
            credentials = folder / "logins" / name / ".credentials.json"
            credentials.write_text(credentials.read_text().replace("oat01-dummy", f"oat01-{name}"))
            section = f'[{name}]\nconfig_dir = "{credentials.parent}"\nshared = {str(name == "a").lower()}\n'
            section += f'variables = {{ ANTHROPIC_BASE_URL = "{standin.url}" }}\n'
            with (folder / "accounts.toml").open("a") as file:
                file.write(section)
        with (folder / "accounts.toml").open("a") as file:
            url = standins[PAID].url
            file.write(
                f'[paid]\nvariables = {{ ANTHROPIC_API_KEY = "sk-paid", ANTHROPIC_BASE_URL = "{url}" }}\n'
            )
        settings = {
            "ACCOUNTS_PATH": str(folder / "accounts.toml"),
            "REQUIRE_AUTH": "true",
            "API_KEYS": "anyone",
            "WARM_PROCESSES": "3",
            "MAX_WARM_PROCESSES": "0",
            "MAX_PROCESSES": "6",
            "AUDITED_FOLDER": str(folder / "logins"),
            "AUDIT_LOG": str(folder / "audit.log"),
            "CLAUDE_BINARY_PATH": claude_path,
        }
        gateway = Gateway(settings, "tests.support.audited_wsgi:app")
        stack.callback(gateway.close)
        gateway.await_warm(4)
        wait_for(lambda: all(one["logged_in"] for one in gateway.api.health()["claude"]["accounts"]), 30)
        states = AccountStates(read_accounts(folder / "accounts.toml", {}), is_listed=True)
        keys = Keys(Store(f"sqlite:///{gateway.home.name}/gateway.db"), states)
        fallback = {"model": "haiku", "account": PAID, "usd_per_day": 5.0}
        alice = gateway.api.with_key(keys.create("alice", accounts=["a", "b"])[1])
        bob_key, secret = keys.create("bob", accounts=["c"], fallback=fallback)
        bob = gateway.api.with_key(secret)
        admin = gateway.api.with_key(keys.create("admin", is_admin=True)[1])
        yield Site(gateway, standins, folder / "logins", alice, bob, admin, keys, bob_key.id)
        assert not (folder / "audit.log").exists(), "the gateway opened files of a login"


@pytest.fixture(autouse=True)
def _begin(site: Site) -> None:
    for name, standin in site.standins.items():
        standin.begin()
        standin.default(text(f"I am {name}."))


def limits(status: str, used: float, seconds: float = HOURS) -> dict[str, str]:
    """Return the headers of a subscription whose window of five hours is used to this part."""
    prefix, reset = "anthropic-ratelimit-unified", str(int(time.time() + seconds))
    return {
        f"{prefix}-status": status,
        f"{prefix}-reset": reset,
        f"{prefix}-representative-claim": "five_hour",
        f"{prefix}-5h-status": status,
        f"{prefix}-5h-utilization": str(used),
        f"{prefix}-5h-reset": reset,
    }


def ask(api: Api, content: str, account: str | None = None) -> tuple[str, str]:
    """Return the answer and the account that gave it."""
    headers = {"x-account": account} if account else {}
    body = {"messages": [{"role": "user", "content": content}]}
    response = api.post("/v1/chat/completions", json=body, headers=headers)
    return reply_of(response), response.headers["x-account"]


def list_usage(site: Site, key_name: str) -> list[tuple[str | None, str | None]]:
    """Return the error and the account of each answer of a key."""
    query = UsageRow.select(UsageRow.error, UsageRow.account).where(UsageRow.key_name == key_name)
    store = Store(f"sqlite:///{site.gateway.home.name}/gateway.db")
    return store.read(lambda db: [*query.order_by(UsageRow.id).tuples().execute(db)])


def test_key_and_header_choose_the_account(site: Site) -> None:
    assert ask(site.bob, "Bob here.") == ("I am c.", "c")
    assert ask(site.alice, "Alice here.", "b") == ("I am b.", "b")
    assert ask(site.alice, "Alice here.", "a") == ("I am a.", "a")
    assert ask(site.gateway.api.with_key("anyone"), "I have an own key.") == ("I am a.", "a")
    refused = site.alice.post("/v1/chat/completions", json={"messages": []}, headers={"x-account": "c"})
    assert refused.status_code == 400  # the body is checked first
    body = {"messages": [{"role": "user", "content": "hi"}]}
    refused = site.alice.post("/v1/chat/completions", json=body, headers={"x-account": "c"})
    assert error_of(refused)[:2] == (403, "account_not_allowed")
    for name in NAMES:
        standin = site.standins[name]
        assert {record.headers["authorization"] for record in standin.messages} == {
            f"Bearer sk-ant-oat01-{name}"
        }


def test_tokens_are_counted_with_the_account_that_would_answer(site: Site) -> None:
    body = {"messages": [{"role": "user", "content": "How many?"}]}
    urls = {"/v1/messages/count_tokens": body, "/v1/responses/input_tokens": {"input": "How many?"}}
    for url, counted in urls.items():
        assert site.bob.post(url, json=counted, headers={}).headers["x-account"] == "c"
        named = site.alice.post(url, json=counted, headers={"x-account": "b"})
        assert (named.status_code, named.headers["x-account"]) == (200, "b")
    asked = [site.standins[name].requests for name in NAMES]
    assert [any("count_tokens" in one.path for one in requests) for requests in asked] == [False, True, True]


def test_conversation_stays_and_new_ones_go_where_most_is_left(site: Site) -> None:
    site.standins["a"].default(text("I am a.", headers=limits("allowed", 0.9)))
    site.standins["b"].default(text("I am b.", headers=limits("allowed", 0.1)))
    first, _ = ask(site.alice, "The first conversation.", "a")
    assert ask(site.alice, "The second conversation.") == ("I am b.", "b")
    messages = [
        {"role": "user", "content": "The first conversation."},
        {"role": "assistant", "content": first},
        {"role": "user", "content": "Go on."},
    ]
    assert site.alice.chat(messages=messages).headers["x-account"] == "a"


def test_lost_login_is_found_without_asking_the_model(site: Site) -> None:
    """After a new login, the account answers at once: its warm processes were replaced."""
    credentials, test = site.logins / "c/.credentials.json", "/v1/admin/accounts/c/test"
    kept = credentials.rename(site.logins / "kept.json")
    lost = body_of(site.admin.post(test))
    assert (lost["account"], lost["logged_in"]) == ("c", False)
    assert f"CLAUDE_CONFIG_DIR={credentials.parent} " in lost["advice"]
    shown = body_of(site.admin.get("/v1/admin/accounts/c"))
    assert (shown["state"], shown["advice"]) == ("logged_out", lost["advice"])
    kept.rename(credentials)
    assert body_of(site.admin.post(test))["logged_in"] is True
    assert site.counts() == [0, 0, 0, 0]
    assert body_of(site.admin.get("/v1/admin/accounts/c"))["state"] == "ready"
    assert ask(site.bob, "I am back.") == ("I am c.", "c")
    entries = body_of(site.admin.get("/v1/admin/audit?target_id=c"))["data"]
    assert [entry["after"] for entry in entries] == [{"logged_in": True}, {"logged_in": False}]


def test_failure_after_the_first_byte_is_not_repeated(site: Site) -> None:
    site.standins["a"].default(stream_error(3, reply=text("one two three four five", delay=0.05)))
    body = {"messages": [{"role": "user", "content": "Stream."}], "stream": True}
    with site.alice.stream("POST", "/v1/chat/completions", json=body, headers={}) as response:
        response.read()
    before = site.counts()
    with site.alice.stream("POST", "/v1/chat/completions", json=body, headers={"x-account": "a"}) as response:
        assert response.headers["x-account"] == "a"
        assert b'"error"' in response.read()
    assert site.counts()[1:] == before[1:]


def test_account_without_quota_rests_and_another_one_answers(site: Site) -> None:
    limited = {name: limits("rejected", 1.0, seconds) for name, seconds in (("a", 2 * HOURS), ("b", HOURS))}
    site.standins["b"].default(error(429, headers=limited["b"] | {"retry-after": str(HOURS)}))
    assert ask(site.alice, "Take the next one.") == ("I am a.", "a")
    assert site.counts() == [1, 1, 0, 0]
    assert ask(site.alice, "The first one rests.") == ("I am a.", "a")
    assert site.counts() == [2, 1, 0, 0]
    site.standins["a"].default(error(429, headers=limited["a"] | {"retry-after": str(2 * HOURS)}))
    for _ in range(2):  # at Anthropic, and then without asking again
        refused = site.alice.chat("None is left.")
        assert error_of(refused)[:2] == (429, "no_account_left")
        assert HOURS - 60 < int(refused.headers["retry-after"]) <= HOURS
        assert site.counts() == [3, 1, 0, 0]
    states = {one["name"]: one["state"] for one in site.gateway.api.health()["claude"]["accounts"]}
    assert states == {"a": "resting", "b": "resting", "c": "ready", PAID: "ready"}
    assert ask(site.bob, "I have my own.") == ("I am c.", "c")
    used = [
        ("overloaded", "a"),
        (None, "a"),
        (None, "a"),
        ("no_account_left", "a"),
        ("no_account_left", None),
    ]
    wait_for(lambda: list_usage(site, "alice")[-5:] == used)  # usage is written in the background
    assert "account b cannot answer, so account a is asked" in site.gateway.log


def test_fallback_answers_within_its_budget_if_all_accounts_are_out_of_quota(site: Site) -> None:
    site.standins["c"].default(error(429, headers=limits("rejected", 1.0) | {"retry-after": str(HOURS)}))
    site.standins[PAID].default(text("I am paid."))
    model = site.bob.get("/v1/models/haiku").json()["id"]
    for asked in (1, 1):  # at Anthropic, and then without asking again
        answered = site.bob.chat("Are you there?")
        assert (reply_of(answered), answered.json()["model"]) == ("I am paid.", model)
        assert (answered.headers["x-account"], answered.headers["x-fallback"]) == (PAID, model)
        assert site.counts()[2] == asked
    assert {record.body["model"] for record in site.standins[PAID].messages} == {model}
    with site.bob.stream("POST", "/v1/messages", json=MESSAGES_BODY, headers={}) as response:
        assert response.headers["x-fallback"] == model
        assert b"paid" in response.read()
    fallback = site.bob.get("/v1/quota").json()["fallback"]
    assert 0 < fallback["budgets"][0]["used"] < 5
    newest = partial(site.bob.get, "/v1/requests?limit=1")
    wait_for(
        lambda: newest().json()["data"][0]["fallback_model"] == model
    )  # rows are written in the background
    (row,) = newest().json()["data"]
    assert (row["account"], row["model"]) == (PAID, model)

    site.keys.change(site.bob_id, {"fallback": {"account": PAID, "usd_per_day": 0.000001}})
    refused = site.bob.chat("Are you still there?")
    assert error_of(refused)[:2] == (429, "no_account_left")
    assert "The fallback of your key cannot answer either: Its budget" in refused.text
    assert "x-fallback" not in refused.headers
    assert site.counts() == [0, 0, 1, 3]
    body = {"messages": [{"role": "user", "content": "hi"}]}
    named = site.bob.post("/v1/chat/completions", json=body, headers={"x-account": "c"})
    assert error_of(named)[1] == "no_account_left"
    assert "fallback" not in named.text


def test_account_is_added_and_removed_without_a_restart(site: Site) -> None:
    path = site.logins.parent / "accounts.toml"
    before = path.read_text()
    site.standins[PAID].default(text("I am new."))
    url = site.standins[PAID].url
    section = '[new]\nshared = true\nvariables = { ANTHROPIC_API_KEY = "sk-new", '
    path.write_text(f'{before}{section}ANTHROPIC_BASE_URL = "{url}" }}\n')
    wait_for(lambda: list_names(site) == [*NAMES, PAID, "new"])
    assert ask(site.gateway.api.with_key("anyone"), "Who are you?", "new") == ("I am new.", "new")
    assert site.standins[PAID].messages[-1].headers["x-api-key"] == "sk-new"
    path.write_text(before)
    wait_for(lambda: list_names(site) == [*NAMES, PAID])
    body = {"messages": [{"role": "user", "content": "hi"}]}
    api = site.gateway.api.with_key("anyone")
    refused = api.post("/v1/chat/completions", json=body, headers={"x-account": "new"})
    assert error_of(refused)[:2] == (403, "account_not_allowed")


def list_names(site: Site) -> list[str]:
    return [one["name"] for one in site.gateway.api.health()["claude"]["accounts"]]

"""axe-core, which checks web pages for people with disabilities, finds nothing on the pages of the dashboard.

It runs in headless Chromium, on a database with keys and requests of all outcomes, in light and dark colors, at the
width of a desktop and of a phone. https://github.com/dequelabs/axe-core
"""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gateway.accounts.states import Fact
from gateway.store.account_facts import AccountFacts
from gateway.store.audit import Actor
from gateway.store.database import Store
from gateway.store.keys import Keys
from gateway.store.request_log import RequestTable
from gateway.store.runtime_settings import RuntimeSettings
from gateway.store.teams import Teams
from tests.clients.installs import node_modules_of
from tests.support.browser import Browser, needs_browser
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.scripted import ScriptedCli

pytestmark = [pytest.mark.clients, needs_browser]

PAGES = (
    "", "/requests", "/requests?status=nonsense", "/requests?model=none&min_seconds=5", "/requests/req_0",
    "/requests/req_1", "/requests/compare?pick=1&pick=2", "/keys", "/keys?q=none", "/keys/new", "/keys/KEY", "/me",
    "/accounts", "/stored", "/alerts", "/teams", "/teams/TEAM", "/models", "/try", "/connect", "/settings",
    "/settings?said=saved&name=KEEP_SECONDS#row-KEEP_SECONDS",
)  # fmt: skip
SCREENS = ((1280, "light"), (390, "dark"))
OUTCOMES = (
    (200, "complete", None),
    (499, "cut", "client_closed_request"),
    (502, "failed", "upstream_error"),
    (401, "refused", "invalid_api_key"),
)
ACCOUNTS = """
[team-a]
shared = true
variables = { CLAUDE_CODE_OAUTH_TOKEN = "sk-ant-oat01-dummy" }
[night]
variables = { ANTHROPIC_API_KEY = "sk-ant-dummy" }
[bob]
config_dir = "/nonexistent"
"""
RUN = """axe.run().then((found) => found.violations.map((one) =>
  `${one.impact} ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`))"""


def make_facts(now: float) -> list[Fact]:
    """Return facts by which one account has windows, one rests and one is logged out. They outdate later ones."""
    heard_at = now + 3600
    windows = {"five_hour": 0.92, "seven_day": 0.8, "seven_day_opus": 0.1}
    return [
        *(
            Fact(
                "team-a",
                f"window:{name}",
                {"utilization": used, "resets_at": now + 9000, "status": "allowed"},
                heard_at,
            )
            for name, used in windows.items()
        ),
        Fact("night", "rest:", {"reason": "overloaded", "until": now + 9000}, heard_at),
        Fact("bob", "login", False, heard_at),
    ]


def fill(database_url: str) -> tuple[str, str, str]:
    """Write keys, requests and facts. Return the secret of an admin key, the id of another, and of its team."""
    with closing(Store(database_url)) as store:
        keys, team = Keys(store), Teams(store).create("web", limits={"usd_per_month": 100}, by=Actor("test"))
        key, _ = keys.create("alice", limits={"usd_per_day": 5}, team_id=team.id, notes="Desk 4")
        keys.revoke(keys.create("bob")[0].id)
        now = datetime.now(timezone.utc)
        rows = [
            {
                "created_at": now, "request_id": f"req_{number}", "owner": key.id, "key_id": key.id,
                "key_name": "alice", "address": "192.0.2.1", "client": "test", "method": "POST", "path": "/v1/messages",
                "dialect": "messages", "model": "claude-haiku-4-5", "status": status, "outcome": outcome, "code": code,
                "reason": code, "output_tokens": 5, "cost": 0.01, "queue_seconds": 0.5, "process_seconds": 0.1,
                "setup_seconds": 0.1, "parse_seconds": 0.001, "first_seconds": 1.0, "answer_seconds": 3.0,
                "seconds": 3.1, "process": "kept",
            }
            for number, (status, outcome, code) in enumerate(OUTCOMES)
        ]  # fmt: skip
        RequestTable(store).add(rows)
        AccountFacts(store).save(make_facts(now.timestamp()))
        RuntimeSettings(store).change("KEEP_SECONDS", "60", Actor("test"))
        return keys.create("boss", is_admin=True)[1], key.id, team.id


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    accounts = cli.home / "accounts.toml"
    accounts.write_text(ACCOUNTS)
    settings = {
        "REQUIRE_AUTH": "true",
        "API_KEYS": "unused",
        "ACCOUNTS_PATH": str(accounts),
        "WARM_PROCESSES": "1",
    }
    with closing(Gateway({**NOTHING_KEPT, **cli.environ, **settings})) as started:
        started.await_warm(1)
        yield started


def test_axe_finds_nothing_on_any_page(gateway: Gateway) -> None:
    secret, key_id, team_id = fill(f"sqlite:///{gateway.home.name}/gateway.db")
    axe = Path(node_modules_of("axe") / "axe-core/axe.min.js").read_text("utf-8")
    found: dict[str, list[str]] = {}
    with closing(Browser()) as browser:
        browser.open(f"{gateway.url}/dashboard/models")
        found["sign-in"] = browser.run(f"{axe};{RUN}")
        browser.run(f"document.querySelector('#key').value = {json.dumps(secret)}")
        browser.run("document.querySelector('form').requestSubmit()")
        browser.wait_for("!!document.querySelector('nav')")
        for width, scheme in SCREENS:
            browser.set_screen(width, scheme)
            for page in PAGES:
                browser.open(f"{gateway.url}/dashboard{page.replace('KEY', key_id).replace('TEAM', team_id)}")
                assert browser.run("document.documentElement.scrollWidth") <= width, page
                found[f"{page} {width} {scheme}"] = browser.run(f"{axe};{RUN}")
    assert {page: problems for page, problems in found.items() if problems} == {}

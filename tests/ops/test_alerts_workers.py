"""Alerts of several workers: each is sent exactly once, also when the gateway restarts in between.

tests/ops/test_limits_workers.py has a shorter test of the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.support import postgres
from tests.support.alerts import ask, connections, percents, reload_workers
from tests.support.api_client import Api, error_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.hook_server import HookServer
from tests.support.scripted import ScriptedCli

pytestmark = pytest.mark.wide

ANSWERS = 10  # of 3 tokens each: the budget of the key
Start = Callable[[], Gateway]


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with closing(HookServer()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty database that outlives the gateway's processes."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            programs = postgres.find_programs()
            if programs is None:
                pytest.skip("PostgreSQL is not installed")
            yield stack.enter_context(postgres.run_server(programs)).url
        else:
            yield f"sqlite:///{tmp_path}/shared.db"


@pytest.fixture
def start(database_url: str, hook: HookServer, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a gateway with three workers and a webhook."""
    cli = ScriptedCli(tmp_path)
    environ = {
        **NOTHING_KEPT,
        **cli.environ,
        "WEB_CONCURRENCY": "3",
        "REQUIRE_AUTH": "true",
        "DATABASE_URL": database_url,
        "ALERT_WEBHOOK_URL": f"http://{hook.address}/alerts",
        "ALERT_KINDS": "budget",
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
    }
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Gateway(environ)))


def make_key(database_url: str) -> str:
    with closing(Store(database_url)) as store:
        store.open()
        return Keys(store).create("alice", limits={"tokens_per_month": 3 * ANSWERS})[1]


def test_budget_alerts_are_sent_once_over_three_workers_and_restarts(
    start: Start, hook: HookServer, database_url: str
) -> None:
    key = make_key(database_url)
    gateway = start()
    ask(gateway, key, 7)
    assert not hook.received
    ask(gateway, key, 1)
    wait_for(lambda: percents(hook) == [80])
    reload_workers(gateway)
    ask(gateway, key, 1)
    assert percents(hook) == [80]
    ask(gateway, key, 1)
    wait_for(lambda: percents(hook) == [80, 100])
    assert gateway.stop() == 0
    again = start()
    with connections(again, key, 9) as clients, ThreadPoolExecutor(3) as pool:
        refused = list(pool.map(Api.chat, clients))  # a refusal is a reason to look at the budget again
    assert {error_of(response).code for response in refused} == {"insufficient_quota"}
    assert again.stop() == 0  # looks at the budgets once more
    assert Counter(percents(hook)) == {80: 1, 100: 1}
    assert len({received.json["id"] for received in hook.received}) == 2

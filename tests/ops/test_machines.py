"""Three machines behind nginx, which share PostgreSQL and Redis: killed, drained, and without their services.

Each machine is a gateway at a loopback address of its own (127.0.0.2 to 127.0.0.4). A scripted CLI answers, and each
client has its own key and session. Nothing that a client has seen may be lost, no question may be answered twice, and
limits are exact.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.store.database import Store
from gateway.store.keys import Key, Keys
from gateway.store.limits.budgets import Budgets
from gateway.store.limits.redis_storage import RedisCounters
from gateway.store.usage import UsageTable
from tests.support import postgres, redis_server
from tests.support.client_load import Client, await_answers, running_clients
from tests.support.gateway import wait_for
from tests.support.machines import Machine
from tests.support.nginx import Nginx, needs_nginx
from tests.support.redis_server import RedisServer

pytestmark = [
    needs_nginx,
    pytest.mark.slow,
    pytest.mark.skipif(redis_server.PROGRAM is None, reason="redis-server is not installed"),
    pytest.mark.timeout(300),
]

ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
CLIENTS = 9
TOKENS = 3  # of an answer of the scripted CLI
OUTAGE_SECONDS = 2.0
ENOUGH = 10**6


class Site(NamedTuple):
    """Everything that a test needs."""

    machines: list[Machine]
    front: Nginx
    database: postgres.Server
    redis: RedisServer
    store: Store


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("machines")
    with postgres.run_server(programs) as database, redis_server.run_redis(folder) as redis:
        settings = {
            "DATABASE_URL": database.url,
            "RATE_LIMIT_STORAGE_URL": redis.url,
            "REQUIRE_AUTH": "true",
            "TRUSTED_PROXIES": "1",
            "RATE_LIMIT_BURST": "0",
            "MAX_WARM_PROCESSES": "2",
            "GRACEFUL_TIMEOUT_SECONDS": "20",
        }
        machines = [Machine(address, folder / address, settings) for address in ADDRESSES]
        yield from _run_site(machines, folder, database, redis)


def _run_site(
    machines: list[Machine], folder: Path, database: postgres.Server, redis: RedisServer
) -> Iterator[Site]:
    store = Store(database.url)
    store.open()
    Keys(store).create("first")  # without any key, a gateway that requires one does not start
    front = Nginx(folder, *(machine.upstream for machine in machines))
    try:
        yield Site(machines, front, database, redis, store)
    finally:
        front.close()
        for machine in machines:
            machine.close()
        store.close()


@pytest.fixture(autouse=True)
def _all_run(site: Site) -> None:
    """Start the machines that an earlier test has stopped."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Machine.start, [machine for machine in site.machines if machine.gateway is None]))


def make_keys(site: Site, count: int, **limits: float) -> list[tuple[Key, str]]:
    """Return new keys with these limits, and their secrets."""
    return [Keys(site.store).create(f"client {number}", limits=limits) for number in range(count)]


def counts_of_usage(site: Site) -> dict[str, int]:
    """Return the number of answers of each key in the database."""
    today = datetime.now(timezone.utc).date()
    groups = UsageTable(site.store).sum_by("key", today - timedelta(1), today)
    return {str(group.name): group.figures.requests for group in groups}


def machine_of(site: Site, client: Client) -> Machine:
    """Return the only machine that has seen the client's questions."""
    (machine,) = (
        machine for machine in site.machines if any(question in machine.asked for question in client.answered)
    )
    return machine


def assert_nothing_lost_or_double(
    site: Site, clients: Sequence[Client], keys: Sequence[Key], lost: Sequence[Client] = ()
) -> None:
    """Check sessions, usage and the questions that reached the model. `lost` are clients that had to ask again."""
    asked = Counter(question for machine in site.machines for question in machine.asked)
    wait_for(lambda: all(counts_of_usage(site).get(key.id, 0) for key in keys))
    time.sleep(1)  # usage is written within 0.1 s
    counts = counts_of_usage(site)
    for client, key in zip(clients, keys, strict=True):
        again = {attempt.question for attempt in client.failures}
        assert list(dict.fromkeys(client.stored_questions)) == client.answered
        if client in lost:
            continue
        assert client.stored_questions == client.answered
        assert [asked[question] for question in client.answered if question not in again] == [1] * len(
            set(client.answered) - again
        )
        assert counts[key.id] == len(client.answered)


def failures_of(clients: Sequence[Client]) -> set[tuple[int, str]]:
    """Return the statuses and codes of all failures."""
    return {(attempt.status, attempt.code) for client in clients for attempt in client.failures}


def test_killed_machine_loses_only_the_answers_that_it_was_writing(site: Site) -> None:
    """Its clients move to other machines, where their sessions go on. All others stay where they are."""
    keys, secrets = zip(*make_keys(site, CLIENTS), strict=True)
    with running_clients(site.front.url, secrets) as clients:
        await_answers(clients, 3)
        homes = {client.name: machine_of(site, client) for client in clients}
        victim = next(machine for machine in site.machines if machine in homes.values())
        victim.kill()
        await_answers(clients, 5)
    moved = [client for client in clients if homes[client.name] is victim]
    stayed = [client for client in clients if client not in moved]
    assert moved
    assert stayed
    assert not failures_of(stayed)
    assert all(machine_of(site, client) is homes[client.name] for client in stayed)
    assert {status for status, _ in failures_of(moved)} <= {0, 200, 409, 502}
    assert all(len({attempt.question for attempt in client.failures}) <= 1 for client in moved)
    assert_nothing_lost_or_double(site, clients, keys, lost=moved)
    counts = counts_of_usage(site)
    for client, key in zip(clients, keys, strict=True):
        if client in moved:
            assert len(client.answered) - 1 <= counts[key.id] <= len(client.attempts)


def test_drained_machine_loses_nothing(site: Site) -> None:
    keys, secrets = zip(*make_keys(site, CLIENTS), strict=True)
    with running_clients(site.front.url, secrets) as clients:
        await_answers(clients, 3)
        homes = {client.name: machine_of(site, client) for client in clients}
        leaving = next(machine for machine in site.machines if machine in homes.values())
        assert leaving.drain() == 0
        await_answers(clients, 3)
        leaving.start()
        await_answers(clients, 3)
    assert not failures_of(clients)
    assert_nothing_lost_or_double(site, clients, keys)


def test_limits_are_exact_across_machines(site: Site) -> None:
    """Requests per minute, tokens per day and answers at once, with one key on all machines."""
    ((_, per_minute),) = make_keys(site, 1, requests_per_minute=20)
    ((_, per_day),) = make_keys(site, 1, tokens_per_day=10 * TOKENS)
    await_most_of_a_minute()
    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda n: ask(site, n, per_minute), range(60)))
    assert Counter(answers) == {200: 20, 429: 40}
    assert [ask(site, n, per_day) for n in range(12)] == [200] * 10 + [429] * 2


def test_answers_at_once_are_exact_and_a_killed_machine_frees_its_own(site: Site) -> None:
    ((_, secret),) = make_keys(site, 1, answers_at_once=3)
    clients = [machine.api.with_key(secret) for machine in site.machines]
    streams = [
        client.send(
            client.build_request(
                "POST",
                "/v1/chat/completions",
                json={"messages": [{"role": "user", "content": "HANGLATER"}], "stream": True},
            ),
            stream=True,
        )
        for client in [*clients, *clients]
    ]
    assert [stream.status_code for stream in streams] == [200] * 3 + [429] * 3
    site.machines[0].kill()
    assert clients[1].chat().status_code == 429
    wait_for(lambda: clients[1].chat().status_code == 200, 15)
    for stream in streams:
        stream.close()


def await_most_of_a_minute() -> None:
    """Wait until at least 40 s of the current minute are left, so that it does not end during a test."""
    second = time.time() % 60
    if second > 20:
        time.sleep(60 - second)


def ask(site: Site, number: int, secret: str) -> int:
    """Ask the machines in turn, and return the status."""
    machine = site.machines[number % len(site.machines)]
    return machine.api.with_key(secret).chat("hi").status_code


def test_redis_restart_loses_no_count(site: Site) -> None:
    """Without Redis, requests are refused, because limits protect money. Answers that are running are charged later."""
    keys, secrets = zip(
        *make_keys(site, CLIENTS, tokens_per_day=ENOUGH, requests_per_minute=ENOUGH, answers_at_once=5),
        strict=True,
    )
    with running_clients(site.front.url, secrets) as clients:
        await_answers(clients, 3)
        site.redis.stop()
        time.sleep(OUTAGE_SECONDS)
        site.redis.start()
        await_answers(clients, 3)
    assert failures_of(clients) == {(503, "store_unavailable")}
    assert_nothing_lost_or_double(site, clients, keys)
    budgets = Budgets(RedisCounters(site.redis.url))
    charged = [budgets.get_state(key.id, "tokens_per_day", ENOUGH).used for key in keys]
    assert charged == [len(client.answered) * TOKENS for client in clients]


def outage(database: postgres.Server) -> None:
    database.stop()
    time.sleep(OUTAGE_SECONDS)
    database.start()


@pytest.mark.parametrize(
    "interrupt", [lambda database: database.restart(), outage], ids=["restart", "outage"]
)
def test_postgresql_restart_loses_nothing(site: Site, interrupt: Callable[[postgres.Server], None]) -> None:
    keys, secrets = zip(*make_keys(site, CLIENTS), strict=True)
    with running_clients(site.front.url, secrets) as clients:
        await_answers(clients, 3)
        interrupt(site.database)
        await_answers(clients, 3)
    assert failures_of(clients) <= {(503, "store_unavailable")}
    assert_nothing_lost_or_double(site, clients, keys)

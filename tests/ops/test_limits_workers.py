"""Limits with three workers, which count as one, and what rejected clients read.

The rate limits read a clock that stands still, so that no minute ends during a test.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import psutil
import pytest

from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.support.alerts import ask, connections, percents, reload_workers
from tests.support.api_client import Api, chat_body, error_of
from tests.support.gateway import NOTHING_KEPT, Gateway, wait_for
from tests.support.hook_server import HookServer
from tests.support.scripted import ScriptedCli
from tests.support.wide import wide

PATH = "/v1/chat/completions"
REQUEST_HEADERS = [f"x-ratelimit-{name}-requests" for name in ("limit", "remaining")]
TOKEN_HEADERS = [f"x-ratelimit-{name}-tokens" for name in ("limit", "remaining")]
BURST = 2

MakeClient = Callable[..., Api]


@pytest.fixture(scope="module")
def hook() -> Iterator[HookServer]:
    """Return a server that records the gateway's alerts."""
    with contextlib.closing(HookServer()) as server:
        yield server


@pytest.fixture(scope="module")
def three_workers(
    tmp_path_factory: pytest.TempPathFactory, cli_environ: dict[str, str], hook: HookServer
) -> Iterator[Gateway]:
    """Return a gateway with three workers. Its scripted CLI reports 3 tokens and a cent for each answer."""
    cli = ScriptedCli(tmp_path_factory.mktemp("limits"))
    settings = {
        "WEB_CONCURRENCY": "3",
        "REQUIRE_AUTH": "true",
        "API_KEYS": "configured",
        "RATE_LIMIT_BURST": str(BURST),
        "ALERT_WEBHOOK_URL": f"http://{hook.address}/",
        "ALERT_KINDS": "budget",
        "WARM_PROCESSES": "0",  # then a CLI process shows which worker is answering
    }
    environ = {**cli_environ, **NOTHING_KEPT, **cli.environ, **settings}
    gateway = Gateway(environ, "tests.support.fixed_clock_wsgi:app")
    yield gateway
    gateway.close()


@pytest.fixture
def make_client(three_workers: Gateway) -> Iterator[MakeClient]:
    """Return a function that makes a client whose new key has these limits."""
    store = Store(f"sqlite:///{three_workers.home.name}/gateway.db")
    store.open()  # the workers may not have created the tables yet
    keys = Keys(store)
    yield lambda **limits: three_workers.api.with_key(keys.create("client", limits=limits)[1])
    store.close()


def rejection(answer: httpx.Response, code: str) -> str:
    """Return the message of a 429 with this error code."""
    error = error_of(answer)
    assert error[:2] == (429, code), answer.text
    return error.message


def rejected_or_none(answer: httpx.Response) -> httpx.Response | None:
    """Return a response that is a 429, and None for any other."""
    return answer if answer.status_code == 429 else None


# Requests and tokens per minute


def test_exactly_the_limit_and_the_burst_pass(make_client: MakeClient) -> None:
    client = make_client(requests_per_minute=5)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat(), range(24)))
    assert sorted({answer.status_code for answer in answers}) == [200, 429]
    assert sum(answer.status_code == 200 for answer in answers) == 5 + BURST
    rejected = next(answer for answer in answers if answer.status_code == 429)
    message = rejection(rejected, "rate_limit_exceeded")
    assert message.startswith("Rate limit reached: 5 requests per minute (plus a burst of 2). Try again in ")
    assert 1 <= int(rejected.headers["retry-after"]) <= 60
    assert [rejected.headers[name] for name in REQUEST_HEADERS] == ["5", "0"]
    assert "x-should-retry" not in rejected.headers


def test_every_response_reports_the_remaining_limits(make_client: MakeClient) -> None:
    client = make_client(requests_per_minute=3, tokens_per_minute=100)
    answers = [client.chat(), client.chat(), client.get("/v1/models"), client.post(PATH, json={})]
    requests = [[answer.headers[name] for name in REQUEST_HEADERS] for answer in answers]
    assert requests == [["3", "2"], ["3", "1"], ["3", "1"], ["3", "0"]]
    tokens = [[answer.headers[name] for name in TOKEN_HEADERS] for answer in answers]
    assert tokens == [["100", "97"], ["100", "94"], ["100", "94"], ["100", "94"]]
    for answer in answers:
        assert answer.headers["x-ratelimit-reset-requests"].endswith("s")
        assert answer.headers["x-ratelimit-reset-tokens"].endswith("s")


def test_streams_report_limits_and_count_like_other_answers(make_client: MakeClient) -> None:
    client = make_client(requests_per_minute=5, tokens_per_minute=3)
    with client.stream("POST", PATH, json=chat_body(stream=True)) as answer:
        assert answer.status_code == 200
        assert [answer.headers[name] for name in REQUEST_HEADERS] == ["5", "4"]
        assert answer.headers["x-ratelimit-remaining-tokens"] == "3"
        assert "data: [DONE]" in list(answer.iter_lines())
    rejected = wait_for(
        lambda: rejected_or_none(client.chat()), 5
    )  # tokens are counted when the stream has ended
    message = rejection(rejected, "rate_limit_exceeded")
    assert message.startswith("Rate limit reached: 3 tokens per minute, ")
    assert 1 <= int(rejected.headers["retry-after"]) <= 60
    assert rejected.headers["x-ratelimit-remaining-tokens"] == "0"


# Budgets


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"usd_per_month": 0.015}, r"Your budget of $0.01 per month is used up ($0.02). It is renewed at "),
        ({"tokens_per_day": 4}, "Your budget of 4 tokens per day is used up (6 tokens). It is renewed at "),
    ],
)
def test_exhausted_budget_is_insufficient_quota(
    make_client: MakeClient, limits: dict[str, float], words: str
) -> None:
    client = make_client(**limits)
    assert [client.chat().status_code for _ in range(2)] == [200, 200]
    rejected = client.chat()
    message = rejection(rejected, "insufficient_quota")
    assert message.startswith(words)
    assert message.endswith("-01 00:00 UTC." if "usd_per_month" in limits else " 00:00 UTC.")
    assert error_of(rejected).type == "insufficient_quota"
    assert rejected.headers["x-should-retry"] == "false"
    assert 1 <= int(rejected.headers["retry-after"]) <= 31 * 86_400
    assert make_client().chat().status_code == 200  # other keys are not affected


def test_last_cent_admits_one_of_many_requests_that_come_together(make_client: MakeClient) -> None:
    client = make_client(usd_per_day=0.02)
    assert client.chat().status_code == 200
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.chat("SLOW"), range(24)))
    assert sorted(answer.status_code for answer in answers) == [200, *[429] * 23]
    assert {error_of(answer).code for answer in answers if answer.status_code == 429} <= {
        "rate_limit_exceeded",
        "insufficient_quota",
    }
    wait_for(lambda: sum_of_costs(client) == pytest.approx(0.02))


def sum_of_costs(client: Api) -> float:
    """Return the cost of all answers of the client's key."""
    cost: float = client.get("/v1/usage").json()["totals"]["cost"]
    return cost


@pytest.mark.wide
def test_alert_of_a_budget_is_sent_once_by_three_workers_and_their_successors(
    three_workers: Gateway, make_client: MakeClient, hook: HookServer
) -> None:
    """tests/ops/test_alerts_workers.py stops the whole gateway in between, and uses PostgreSQL too."""
    client = make_client(tokens_per_month=30)
    key = client.headers["authorization"].removeprefix("Bearer ")
    ask(three_workers, key, 8)
    wait_for(lambda: percents(hook) == [80])
    reload_workers(three_workers)
    ask(three_workers, key, 2)
    wait_for(lambda: percents(hook) == [80, 100])
    with connections(three_workers, key, 9) as clients, ThreadPoolExecutor(3) as pool:
        refused = list(pool.map(Api.chat, clients))  # a refusal is a reason to look at the budget again
    assert {error_of(response).code for response in refused} == {"insufficient_quota"}
    assert percents(hook) == [80, 100]


# Answers at once


@contextlib.contextmanager
def endless_streams(client: Api, count: int) -> Iterator[list[int]]:
    """Ask for answers that do not end, all at the same time, and yield their sorted statuses."""
    body = chat_body("HANGLATER", stream=True)

    def begin(_: int) -> httpx.Response:
        return client.send(client.build_request("POST", PATH, json=body), stream=True)

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(begin, range(count)))
    yield sorted(answer.status_code for answer in answers)
    for answer in answers:
        answer.close()


def test_answers_at_once_are_limited_and_each_frees_its_slot(make_client: MakeClient) -> None:
    client = make_client(answers_at_once=2)
    with endless_streams(client, 5) as statuses:
        assert statuses == [200, 200, 429, 429, 429]
        rejected = client.chat()
        assert "2 answers at once" in rejection(rejected, "rate_limit_exceeded")
        assert rejected.headers["retry-after"] == "1"
        assert make_client(answers_at_once=1).chat().status_code == 200
    wait_for(lambda: client.chat().status_code == 200, 30)
    for _ in range(4):
        assert client.chat().status_code == 200
        assert client.chat("CRASHFIRST").status_code == 503
        assert client.post(PATH, json={}).status_code == 400


def test_background_response_holds_its_slot_until_it_ends(make_client: MakeClient) -> None:
    client = make_client(answers_at_once=1)
    answer = client.create_response("HANGLATER", background=True).json()
    assert answer["status"] == "queued"
    assert client.chat().status_code == 429
    client.cancel_response(answer["id"])
    wait_for(lambda: client.chat().status_code == 200, 30)


@wide
def test_slot_is_freed_after_its_worker_was_killed(three_workers: Gateway, make_client: MakeClient) -> None:
    client = make_client(answers_at_once=1)
    wait_for(lambda: not three_workers.cli_processes(), 30)
    with endless_streams(client, 1) as statuses:
        assert statuses == [200]
        assert client.chat().status_code == 429
        (orphan,) = wait_for(three_workers.cli_processes)
        worker = orphan.parent()
        assert worker in three_workers.workers
        worker.kill()
        psutil.wait_procs([worker], timeout=10)
    orphan.kill()  # it hangs, and would not end on its own
    began = time.monotonic()
    wait_for(lambda: status_of_chat(client) == 200, 60)
    assert time.monotonic() - began > 1  # the slot stayed taken until its lease expired


def status_of_chat(client: Api) -> int:
    """Return the status of a chat completion, or 0 if the connection led to a worker that is gone."""
    try:
        return client.chat().status_code
    except httpx.TransportError:
        return 0


def test_concurrent_requests_cause_no_database_failure(
    three_workers: Gateway, make_client: MakeClient
) -> None:
    """Check the log of all tests above as well, so this test comes last."""
    client = make_client(requests_per_minute=1000, answers_at_once=100, tokens_per_day=10**6, usd_per_day=100)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(PATH, json={}), range(200)))
    assert {answer.status_code for answer in answers} == {400}
    assert "could not be recorded" not in three_workers.log
    assert "could not be charged" not in three_workers.log
    assert "the database failed" not in three_workers.log
    assert "Traceback" not in three_workers.log

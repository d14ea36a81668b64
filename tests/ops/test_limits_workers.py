"""Limits over HTTP: three workers that count as one, and what clients are told."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.settings import Settings
from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.support.gateway import NOTHING_KEPT, Gateway, clear_of_the_minute, wait_for
from tests.support.scripted import ScriptedCli

PATH = "/v1/chat/completions"
TOLD = [f"x-ratelimit-{what}-requests" for what in ("limit", "remaining", "reset")]
BURST = 2


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# Three workers


@pytest.fixture(autouse=True)
def _within_a_minute() -> None:
    clear_of_the_minute()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, cli_environ: dict[str, str]) -> Iterator[Gateway]:
    """A gateway whose keys have limits of their own; the scripted CLI says 3 tokens and a cent for each answer."""
    cli = ScriptedCli(tmp_path_factory.mktemp("limits"))
    settings = {
        "WEB_CONCURRENCY": "3",
        "REQUIRE_AUTH": "true",
        "API_KEYS": "configured",
        "RATE_LIMIT_BURST": str(BURST),
        "WARM_PROCESSES": "0",  # then a CLI process shows which worker is at work
    }
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, **cli.environ, **settings})
    yield gateway
    gateway.close()


@pytest.fixture
def key(three: Gateway) -> Iterator[Callable[..., dict[str, str]]]:
    """Makes a key with limits of its own: the headers that it is sent in."""
    store = Store(f"sqlite:///{three.home.name}/gateway.db")
    store.open()  # the workers may not have come to it yet
    yield lambda **limits: bearer(Keys(store).create("somebody", limits=limits)[1])
    store.close()


def ask(gateway: Gateway, headers: dict[str, str], content: str = "hi") -> httpx.Response:
    body = {"messages": [{"role": "user", "content": content}]}
    return gateway.api.post(PATH, json=body, headers=headers)


def within_a_minute(attempt: Callable[[], None]) -> None:
    """Try it again if a minute ended meanwhile, which lets more in."""
    for _ in range(3):
        began = time.time() // 60
        try:
            return attempt()
        except AssertionError:
            if time.time() // 60 == began:
                raise
    raise AssertionError("a minute ended every time")


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """The message of an error."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    message: str = error["message"]
    return message


def test_exactly_as_many_pass_as_may(three: Gateway, key: Callable[..., dict[str, str]]) -> None:
    def attempt() -> None:
        headers = key(requests_per_minute=5)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(three, headers), range(24)))
        assert sorted({answer.status_code for answer in answers}) == [200, 429]
        assert sum(answer.status_code == 200 for answer in answers) == 5 + BURST
        refused = next(answer for answer in answers if answer.status_code == 429)
        message = problem(refused, 429, "rate_limit_exceeded")
        assert message.startswith(
            "Rate limit reached: 5 requests a minute (in a burst 2 more). Try again in "
        )
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert [refused.headers[name] for name in TOLD[:2]] == ["5", "0"]
        assert "x-should-retry" not in refused.headers

    within_a_minute(attempt)


def test_what_is_left_is_told(three: Gateway, key: Callable[..., dict[str, str]]) -> None:
    def attempt() -> None:
        headers = key(requests_per_minute=3, tokens_per_minute=100)
        answers = [ask(three, headers) for _ in range(2)]
        answers.append(three.api.get("/v1/models", headers=headers))
        answers.append(three.api.post(PATH, json={}, headers=headers))
        told = [[answer.headers[name] for name in TOLD[:2]] for answer in answers]
        assert told == [["3", "2"], ["3", "1"], ["3", "1"], ["3", "0"]]
        tokens = [
            [answer.headers[f"x-ratelimit-{x}-tokens"] for x in ("limit", "remaining")] for answer in answers
        ]
        assert tokens == [["100", "97"], ["100", "94"], ["100", "94"], ["100", "94"]]
        for answer in answers:
            assert answer.headers["x-ratelimit-reset-requests"].endswith("s")
            assert answer.headers["x-ratelimit-reset-tokens"].endswith("s")

    within_a_minute(attempt)


def test_streams_are_told_and_counted_alike(three: Gateway, key: Callable[..., dict[str, str]]) -> None:
    def attempt() -> None:
        headers = key(requests_per_minute=5, tokens_per_minute=3)
        body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
        with three.api.stream("POST", PATH, json=body, headers=headers) as answer:
            assert answer.status_code == 200
            assert [answer.headers[name] for name in TOLD[:2]] == ["5", "4"]
            assert answer.headers["x-ratelimit-remaining-tokens"] == "3"
            assert "data: [DONE]" in list(answer.iter_lines())
        refused = wait_for(lambda: _refused(ask(three, headers)), 5)
        message = problem(refused, 429, "rate_limit_exceeded")
        assert message.startswith("Rate limit reached: 3 tokens a minute, ")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-tokens"] == "0"

    within_a_minute(attempt)


def _refused(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 429 else None


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"usd_per_month": 0.015}, r"Your budget of $0.01 a month is used up ($0.02). It begins anew at "),
        ({"tokens_per_day": 4}, "Your budget of 4 tokens a day is used up (6 tokens). It begins anew at "),
    ],
)
def test_a_budget_that_is_used_up_is_insufficient_quota(
    three: Gateway, key: Callable[..., dict[str, str]], limits: dict[str, float], words: str
) -> None:
    headers = key(**limits)
    assert [ask(three, headers).status_code for _ in range(2)] == [200, 200]
    refused = ask(three, headers)
    message = problem(refused, 429, "insufficient_quota")
    assert message.startswith(words)
    assert message.endswith("-01 00:00 UTC." if "usd_per_month" in limits else " 00:00 UTC.")
    assert refused.json()["error"]["type"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"
    assert 1 <= int(refused.headers["retry-after"]) <= 31 * 86_400
    assert ask(three, key()).status_code == 200  # nobody else


@contextlib.contextmanager
def streams(gateway: Gateway, headers: dict[str, str], count: int) -> Iterator[list[int]]:
    """Answers that do not end, asked for at once: their statuses, in order."""
    body = {"messages": [{"role": "user", "content": "HANGLATER"}], "stream": True}

    def begin(_: int) -> httpx.Response:
        request = gateway.api.build_request("POST", PATH, json=body, headers=headers)
        return gateway.api.send(request, stream=True)

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(begin, range(count)))
    yield sorted(answer.status_code for answer in answers)
    for answer in answers:
        answer.close()


def test_answers_at_once(three: Gateway, key: Callable[..., dict[str, str]]) -> None:
    headers = key(answers_at_once=2)
    with streams(three, headers, 5) as statuses:
        assert statuses == [200, 200, 429, 429, 429]
        refused = ask(three, headers)
        assert "2 answers at once" in problem(refused, 429, "rate_limit_exceeded")
        assert refused.headers["retry-after"] == "1"
        assert ask(three, key(answers_at_once=1)).status_code == 200
    wait_for(lambda: ask(three, headers).status_code == 200, 30)
    for _ in range(4):  # each gives its place back
        assert ask(three, headers).status_code == 200
        assert ask(three, headers, "CRASHFIRST").status_code == 502
        assert three.api.post(PATH, json={}, headers=headers).status_code == 400


def test_an_answer_in_the_background_keeps_its_place_until_its_end(
    three: Gateway, key: Callable[..., dict[str, str]]
) -> None:
    headers = key(answers_at_once=1)
    body = {"input": "HANGLATER", "background": True}
    answer = three.api.post("/v1/responses", json=body, headers=headers)
    assert answer.json()["status"] == "queued"
    assert ask(three, headers).status_code == 429
    three.api.post(f"/v1/responses/{answer.json()['id']}/cancel", json={}, headers=headers)
    wait_for(lambda: ask(three, headers).status_code == 200, 30)


def test_a_place_is_free_again_when_a_worker_was_killed(
    three: Gateway, key: Callable[..., dict[str, str]]
) -> None:
    headers = key(answers_at_once=1)
    wait_for(lambda: not three.cli_processes(), 30)
    with streams(three, headers, 1) as statuses:
        assert statuses == [200]
        assert ask(three, headers).status_code == 429
        (orphan,) = wait_for(three.cli_processes)
        worker = orphan.parent()
        assert worker in three.workers
        worker.kill()
        psutil.wait_procs([worker], timeout=10)
    orphan.kill()  # it hangs, and would not end by itself
    began = time.monotonic()
    wait_for(lambda: _status(three, headers) == 200, 60)
    assert time.monotonic() - began > 1  # it was held, and ran out


def _status(gateway: Gateway, headers: dict[str, str]) -> int:
    try:
        return ask(gateway, headers).status_code
    except httpx.TransportError:  # a connection to the worker that is gone
        return 0


def test_no_failure_of_the_database_shows(three: Gateway, key: Callable[..., dict[str, str]]) -> None:
    """Comes last: all that the tests above had the workers write at once."""
    headers = key(requests_per_minute=1000, answers_at_once=100, tokens_per_day=10**6, usd_per_day=100)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: three.api.post(PATH, json={}, headers=headers), range(200)))
    assert {answer.status_code for answer in answers} == {400}
    assert "could not be recorded" not in three.log
    assert "the database failed" not in three.log
    assert "Traceback" not in three.log


# One worker, without gunicorn


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Makes a client of an app of the test's own."""
    stores: list[Store] = []

    def make(**settings: Any) -> FlaskClient:
        app = create_app(Settings(**{"database_url": f"sqlite:///{tmp_path}/gateway.db", **settings}))
        stores.append(app.extensions["store"])
        return app.test_client()

    yield make
    for store in stores:
        store.close()


def test_the_default_is_a_hundred_a_minute_and_a_burst(client: Callable[..., FlaskClient]) -> None:
    def attempt() -> None:
        caller = client()
        caller.application.extensions["limits"].reset()
        statuses = [caller.post(PATH, json={}).status_code for _ in range(115)]
        assert statuses == [400] * 110 + [429] * 5
        answer = caller.get("/v1/models")  # costs nothing, and is never refused
        assert (answer.status_code, [answer.headers[name] for name in TOLD[:2]]) == (200, ["100", "0"])

    within_a_minute(attempt)


def told_in(answer: TestResponse) -> set[str]:
    return {name.lower() for name, _ in answer.headers if name.lower().startswith("x-ratelimit")}


def test_what_needs_no_key_is_not_told_of_limits(client: Callable[..., FlaskClient]) -> None:
    caller = client(rate_limit_requests_per_minute=1, rate_limit_burst=0, rate_limit_tokens_per_minute=5)
    for method, url in (("GET", "/"), ("GET", "/openapi.json"), ("OPTIONS", PATH), ("GET", "/nothing")):
        for _ in range(3):
            answer = caller.open(url, method=method)
            assert answer.status_code in (200, 404)
            assert not told_in(answer)
    assert caller.post(PATH, json={}).status_code == 400


def test_no_limit_no_headers(client: Callable[..., FlaskClient]) -> None:
    caller = client(rate_limit_requests_per_minute=0)
    answers = [caller.post(PATH, json={}) for _ in range(120)]
    assert {(answer.status_code, len(told_in(answer))) for answer in answers} == {(400, 0)}


def test_browsers_may_read_the_headers(client: Callable[..., FlaskClient]) -> None:
    answer = client().get("/v1/models", headers={"Origin": "https://example.com"})
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    told = told_in(answer)
    assert told == set(TOLD)
    assert told | {"x-ratelimit-remaining-tokens", "retry-after", "x-should-retry"} <= exposed


def test_without_keys_each_address_counts_for_itself(client: Callable[..., FlaskClient]) -> None:
    def status(address: str, proxies: int) -> int:
        caller = client(trusted_proxies=proxies, rate_limit_requests_per_minute=1, rate_limit_burst=0)
        return caller.post(PATH, json={}, headers={"X-Forwarded-For": address}).status_code

    assert [status(address, 1) for address in ("9.9.9.9", "9.9.9.8", "9.9.9.9")] == [400, 400, 429]
    assert [status(address, 1) for address in ("2600::1:1", "2600::1:2")] == [400, 429]
    assert status("1.2.3.4, 9.9.9.8", 1) == 429  # what the proxy itself has seen
    assert [status(address, 0) for address in ("9.9.9.1", "9.9.9.2")] == [400, 429]  # said by anybody


def test_an_address_that_guesses_keys_is_refused_for_a_while(client: Callable[..., FlaskClient]) -> None:
    caller = client(
        require_auth=True, api_keys=("good",), trusted_proxies=1, rate_limit_failed_auth_per_minute=3
    )

    def get(key: str, address: str) -> Any:
        return caller.get("/v1/models", headers={"X-Forwarded-For": address, **bearer(key)})

    assert get("good", "9.9.9.9").status_code == 200
    assert [get(f"bad{number}", "9.9.9.9").status_code for number in range(4)] == [401, 401, 401, 429]
    refused = get("good", "9.9.9.9")
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert get("good", "9.9.9.8").status_code == 200
    for address in ("10.0.0.1", "127.0.0.1", "nonsense"):  # may be a proxy's: all clients would be shut out
        assert [get("bad", address).status_code for _ in range(5)] == [401] * 5
        assert get("good", address).status_code == 200
    unknown = [caller.get("/v1/models", headers={"X-Forwarded-For": "9.9.9.7"}) for _ in range(5)]
    assert [answer.status_code for answer in unknown] == [401] * 5  # without a key nothing is guessed


def test_counters_that_are_gone_are_a_503(client: Callable[..., FlaskClient]) -> None:
    caller = client(
        rate_limit_storage_url="redis://:secret@127.0.0.1:1/0",
        rate_limit_answers_at_once=1,
        require_auth=True,
        api_keys=("good",),
        trusted_proxies=1,
    )
    headers = {**bearer("good"), "X-Forwarded-For": "10.0.0.1"}
    answer = caller.post(PATH, json={}, headers=headers)
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["error"]["code"] == "store_unavailable"
    assert "secret" not in answer.text
    assert answer.headers["retry-after"] == "1"
    models = caller.get("/v1/models", headers=headers)
    assert (models.status_code, TOLD[0] in models.headers) == (200, False)

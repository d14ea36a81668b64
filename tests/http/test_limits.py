"""Rate limits over HTTP in one worker: what they count, whom they count, and the headers that report them.

tests/ops/test_limits_workers.py has several workers that count together.
"""

from typing import Any

import httpx2 as httpx
import pytest

from gateway.answering.limits import ClientLimits
from gateway.api.http.context import services_of
from gateway.errors import LimitReached
from gateway.settings import SettingsError, load
from gateway.store.keys import Keys
from gateway.store.limits.budgets import Allowance
from tests.support.api_client import Api, bearer, error_of
from tests.support.apps import Clock, MakeApi, MakeApp

PATH = "/v1/chat/completions"
HEADERS = [f"x-ratelimit-{name}-requests" for name in ("limit", "remaining", "reset")]


def limit_headers(answer: httpx.Response) -> set[str]:
    """Return the names of the headers that report limits."""
    return {name for name in answer.headers if name.startswith("x-ratelimit")}


def invalid_chat(api: Api, **headers: str) -> httpx.Response:
    """Send a chat completion without messages: it counts as a request and needs no CLI."""
    return api.post(PATH, json={}, headers=headers)


# Requests per minute


def test_default_is_100_requests_per_minute_plus_a_burst_of_10(make_api: MakeApi) -> None:
    api = make_api(now=Clock())
    statuses = [invalid_chat(api).status_code for _ in range(115)]
    assert statuses == [400] * 110 + [429] * 5
    answer = api.get("/v1/models")  # a GET costs nothing and is never rejected
    assert (answer.status_code, [answer.headers[name] for name in HEADERS[:2]]) == (200, ["100", "0"])


def test_requests_are_accepted_again_as_the_last_minute_fades_out(make_api: MakeApi) -> None:
    clock = Clock()
    api = make_api(now=clock, rate_limit_requests_per_minute=2, rate_limit_burst=0)
    assert [invalid_chat(api).status_code for _ in range(3)] == [400, 400, 429]
    clock.seconds += 60  # both requests still count fully
    assert invalid_chat(api).status_code == 429
    clock.seconds += 30  # half of the minute is gone, and with it one of the two requests
    assert [invalid_chat(api).status_code for _ in range(2)] == [400, 429]


def test_public_endpoints_report_no_limits(make_api: MakeApi) -> None:
    api = make_api(
        rate_limit_requests_per_minute=1, rate_limit_burst=0, rate_limit_tokens_per_minute=5, now=Clock()
    )
    for method, url in (("GET", "/"), ("GET", "/openapi.json"), ("OPTIONS", PATH), ("GET", "/nothing")):
        for _ in range(3):
            answer = api.request(method, url)
            assert answer.status_code in (200, 404)
            assert not limit_headers(answer)
    assert invalid_chat(api).status_code == 400


def test_no_limit_sends_no_headers(make_api: MakeApi) -> None:
    api = make_api(rate_limit_requests_per_minute=0)
    answers = [invalid_chat(api) for _ in range(120)]
    assert {(answer.status_code, len(limit_headers(answer))) for answer in answers} == {(400, 0)}


def test_browsers_may_read_the_limit_headers(make_api: MakeApi) -> None:
    answer = make_api().get("/v1/models", headers={"Origin": "http://localhost:3000"})
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert limit_headers(answer) == set(HEADERS)
    assert {*HEADERS, "x-ratelimit-remaining-tokens", "retry-after", "x-should-retry"} <= exposed


def test_each_address_has_its_own_limit_without_keys(make_api: MakeApi) -> None:
    clock = Clock()

    def statuses(*addresses: str, proxies: int = 1) -> list[int]:
        api = make_api(
            now=clock, trusted_proxies=proxies, rate_limit_requests_per_minute=1, rate_limit_burst=0
        )
        return [invalid_chat(api, **{"X-Forwarded-For": address}).status_code for address in addresses]

    assert statuses("9.9.9.9", "9.9.9.8", "9.9.9.9") == [400, 400, 429]
    assert statuses("2600::1:1", "2600::1:2") == [400, 429]  # one subscriber
    assert statuses("1.2.3.4, 9.9.9.8") == [429]  # the proxy itself has added the last address
    assert statuses("9.9.9.1", "9.9.9.2", proxies=0) == [
        400,
        429,
    ]  # without a proxy the header is the client's word


# Guessed keys


def test_address_that_guesses_keys_is_rejected_for_a_minute(make_api: MakeApi) -> None:
    api = make_api(
        require_auth=True, api_keys=("good",), trusted_proxies=1, rate_limit_failed_auth_per_minute=3
    )

    def get(key: str, address: str) -> httpx.Response:
        return api.get("/v1/models", headers={"X-Forwarded-For": address, **bearer(key)})

    assert get("good", "9.9.9.9").status_code == 200
    assert [get(f"bad{number}", "9.9.9.9").status_code for number in range(4)] == [401, 401, 401, 429]
    rejected = get("bad", "9.9.9.9")
    assert error_of(rejected)[:2] == (429, "rate_limit_exceeded")
    assert 1 <= int(rejected.headers["retry-after"]) <= 60
    assert get("good", "9.9.9.8").status_code == 200
    placeholder = {"X-Forwarded-For": "9.9.9.6", "x-api-key": "unused", **bearer("good")}
    assert [api.get("/v1/models", headers=placeholder).status_code for _ in range(5)] == [200] * 5
    three_guesses = {"X-Forwarded-For": "9.9.9.5", "x-api-key": "a", "api-key": "b", **bearer("c")}
    assert [api.get("/v1/models", headers=three_guesses).status_code for _ in range(2)] == [401, 429]
    for address in (
        "10.0.0.1",
        "127.0.0.1",
        "nonsense",
    ):  # may be a proxy's: blocking it would lock out all clients
        assert [get("bad", address).status_code for _ in range(5)] == [401] * 5
        assert get("good", address).status_code == 200
    without_key = [api.get("/v1/models", headers={"X-Forwarded-For": "9.9.9.7"}) for _ in range(5)]
    assert [answer.status_code for answer in without_key] == [
        401
    ] * 5  # a request without a key guesses nothing


@pytest.fixture
def guarded(make_api: MakeApi) -> Api:
    """Return a client of a gateway that brakes after ten bad keys."""
    return make_api(
        require_auth=True, api_keys=("good",), trusted_proxies=1, rate_limit_failed_auth_per_minute=10
    )


def guess(api: Api, address: str, key: str = "bad") -> int:
    return api.get("/v1/models", headers={"X-Forwarded-For": address, **bearer(key)}).status_code


def test_good_keys_pass_from_an_address_that_guesses(guarded: Api, keys: Keys) -> None:
    """An office shares one address, so a colleague's wrong key locked everyone out."""
    _, stored = keys.create("alice")
    assert [guess(guarded, "9.9.9.9") for _ in range(12)] == [401] * 10 + [429] * 2
    assert [guess(guarded, "9.9.9.9", key) for key in ("good", stored, "worse")] == [200, 200, 429]


@pytest.mark.parametrize(
    "addresses",
    [
        [f"2001:4860:4860:1::{number:x}" for number in range(40)],
        [f"2001:4860:4860:1:{number:x}:1:2:3" for number in range(40)],
        [f"[2001:4860:4860:1::{number:x}]:{4000 + number}" for number in range(40)],
        [f"8.8.8.8:{4000 + number}" for number in range(40)],
        ["::ffff:8.8.8.8", "8.8.8.8"] * 20,
    ],
    ids=["v6", "v6-far-apart", "v6-with-ports", "v4-with-ports", "v4-in-v6"],
)
def test_addresses_of_one_client_guess_together(guarded: Api, addresses: list[str]) -> None:
    assert [guess(guarded, address) for address in addresses] == [401] * 10 + [429] * 30
    assert guess(guarded, "2001:4860:4860:2::1") == guess(guarded, "8.8.4.4") == 401


# Counters that fail, and bad settings


def test_unreachable_counters_are_a_503(make_api: MakeApi) -> None:
    api = make_api(
        "good",
        rate_limit_storage_url="redis://:secret@127.0.0.1:1/0",
        rate_limit_answers_at_once=1,
        require_auth=True,
        api_keys=("good",),
        trusted_proxies=1,
    )
    answer = invalid_chat(api, **{"X-Forwarded-For": "10.0.0.1"})
    assert error_of(answer)[:2] == (503, "store_unavailable")
    assert "secret" not in answer.text
    assert answer.headers["retry-after"] == "1"
    models = api.get("/v1/models", headers={"X-Forwarded-For": "10.0.0.1"})
    assert models.status_code == 200
    assert HEADERS[0] not in models.headers


def test_invalid_limit_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    invalid = {
        "RATE_LIMIT_REQUESTS_PER_MINUTE": "-1",
        "RATE_LIMIT_USD_PER_DAY": "-0.5",
        "RATE_LIMIT_STORAGE_URL": "memory://",
        "TRUSTED_PROXIES": "x",
    }
    for name, value in invalid.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    assert all(name in str(error.value) for name in invalid)
    for name in invalid:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RATE_LIMIT_STORAGE_URL", "rediss://host:6379/0")
    assert load().rate_limit_storage_url == "rediss://host:6379/0"


def test_key_cannot_take_all_turns_by_default(make_app: MakeApp) -> None:
    """A key had no limit of answers at once, so one key could take all turns, and all others got 429."""
    limits = services_of(make_app(require_auth=True, api_keys=("a", "b"), max_concurrent_sessions=5)).limits
    alice, bob = (ClientLimits(name, Allowance()) for name in ("alice", "bob"))
    held = [limits.admit_answer(alice) for _ in range(4)]
    with pytest.raises(LimitReached, match="4 answers at once"):
        limits.admit_answer(alice)
    limits.admit_answer(bob)
    for _ in range(2):
        held[0].release()  # the second time has no effect
    limits.admit_answer(alice)
    with pytest.raises(LimitReached):
        limits.admit_answer(alice)
    own = ClientLimits("carol", Allowance(answers_at_once=6))
    assert len([limits.admit_answer(own) for _ in range(6)]) == 6
    unlimited = ClientLimits("dave", Allowance(), has_share=False)  # by `keys limit ID --answers-at-once 0`
    assert len([limits.admit_answer(unlimited) for _ in range(9)]) == 9


@pytest.mark.parametrize(
    "settings", [{}, {"require_auth": True, "api_keys": ("a",), "max_key_share_percent": 100}]
)
def test_without_keys_or_by_choice_a_client_may_take_all_turns(
    make_app: MakeApp, settings: dict[str, Any]
) -> None:
    limits = services_of(make_app(max_concurrent_sessions=5, **settings)).limits
    client = ClientLimits("alice", Allowance())
    assert len([limits.admit_answer(client) for _ in range(30)]) == 30

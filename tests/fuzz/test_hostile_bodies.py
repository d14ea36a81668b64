"""Hostile bodies for every endpoint of a gateway with the scripted CLI: each is answered or refused, and none harms it.

`make fuzz` sends 10,000. A failure names its seed and number, which make the same body again.
"""

import sys
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from tests.fuzz.hostile import Case, Hostile
from tests.support.api_client import body_of
from tests.support.client_bodies import BODIES
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.openapi import operations_of
from tests.support.scripted import ScriptedCli

CHUNK = 1000
CHUNKS = 10
SAMPLE = 200
SHOWN = 500  # characters of a body in the report


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Return a gateway with the scripted CLI, whose silence is soon noticed."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    settings = {"ANTHROPIC_API_KEY": "sk-ant-dummy", "STREAMING_TIMEOUT_SECONDS": "5"}
    gateway = Gateway({**NOTHING_KEPT, **cli.environ, **settings})
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def examples(target: Gateway) -> list[tuple[str, str, Any]]:
    """Return the method, the path and an example of each operation that may have a body, and clients' bodies."""
    found: list[tuple[str, str, Any]] = [("post", "/v1/chat/completions", body) for body in BODIES.values()]
    for method, path, operation in operations_of(body_of(target.api.get("/openapi.json"))):
        if method == "get":
            continue
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        values = [example["value"] for example in content.get("examples", {}).values()]
        found += [(method, path, value) for value in values or [content.get("example", {})]]
    return found


def _problem(answer: httpx.Response, path: str) -> str:
    """Return the problem with an answer, or ""."""
    if answer.status_code >= 500 and answer.status_code != 501:
        return f"status {answer.status_code}: {answer.text[:SHOWN]}"
    if answer.status_code < 400:
        return ""
    error = answer.json().get("error", {})
    is_whole = isinstance(error, dict) and error.get("message") and error.get("type")
    return "" if is_whole else f"no error in {answer.text[:SHOWN]}"


def _send(target: Gateway, case: Case) -> str:
    headers = {"content-type": "application/json"}
    try:
        answer = target.api.request(case.method, case.path, content=case.body, headers=headers)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return _problem(answer, case.path)


def _check(target: Gateway, examples: list[tuple[str, str, Any]], seed: int, count: int) -> None:
    print(f"seed {seed}: {count} bodies")
    before = target.workers
    failures = [
        f"#{case.number} {case.method} {case.path} {case.body[:SHOWN]!r}\n   {problem}"
        for case in Hostile(seed).cases(examples, count)
        if (problem := _send(target, case))
    ]
    assert not failures, f"seed {seed}:\n" + "\n".join(failures[:8])
    assert target.workers == before
    assert "Traceback" not in target.log
    assert target.api.get("/health").json()["status"] == "healthy"


@pytest.fixture(autouse=True, scope="module")
def _any_number_of_digits() -> Iterator[None]:
    """Write integers of any length, as clients in other languages do."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


def test_sample_of_hostile_bodies_does_no_harm(target: Gateway, examples: list[tuple[str, str, Any]]) -> None:
    _check(target, examples, 0, SAMPLE)


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(1, CHUNKS + 1))
def test_hostile_bodies_do_no_harm(target: Gateway, examples: list[tuple[str, str, Any]], seed: int) -> None:
    _check(target, examples, seed, CHUNK)

"""The largest bodies that are allowed do not stop the other requests of their worker.

The gateway's own watchdog reports how much CPU time passes before the event loop runs again. CPU time, because the
machine may be busy with other tests.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from tests.support.api_client import error_of
from tests.support.gateway import NOTHING_KEPT, Gateway
from tests.support.scripted import ScriptedCli
from tests.support.wide import wide_cases_except

LONGEST_SECONDS = 0.25
SAMPLE = orjson.dumps([[f"text {number}" for number in range(300_000)], "word \n" * 2_000_000])
QUIET_SECONDS = 0.035  # to read the sample, which has many values and a long text like the bodies below
STALL = re.compile(r"stood still for [\d.]+ s \(([\d.]+) s of CPU\) in (.*)")
MESSAGE = {"role": "user", "content": "x"}
ANSWER = {"role": "assistant", "content": "y"}
SCHEMA = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(20)}}
TEXT = "SLOW " + "word \n" * 8_000_000  # the scripted CLI does not repeat it
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"

Make = Callable[[], dict[str, Any]]


def text_blocks(count: int, kind: str = "text") -> list[dict[str, Any]]:
    return [{"type": kind, "text": "x"}] * count


def turns(count: int) -> list[dict[str, Any]]:
    return [MESSAGE, ANSWER] * (count // 2 - 1) + [MESSAGE]


def functions(count: int) -> list[dict[str, Any]]:
    return [{"name": f"f{number}", "parameters": SCHEMA} for number in range(count)]


#: Bodies at the limits of gateway/dialects/common/body_limits.py.
ALLOWED: dict[str, tuple[str, Make]] = {
    "chat messages": (CHAT, lambda: {"messages": turns(10_000)}),
    "chat blocks": (CHAT, lambda: {"messages": [{"role": "user", "content": text_blocks(20_000)}]}),
    "chat tools": (
        CHAT,
        lambda: {
            "messages": [MESSAGE],
            "tools": [{"type": "function", "function": tool} for tool in functions(1000)],
        },
    ),
    "chat validation": (f"{CHAT}/debug", lambda: {"messages": turns(10_000)}),
    "responses items": (RESPONSES, lambda: {"input": [MESSAGE] * 9999}),
    "responses blocks": (
        RESPONSES,
        lambda: {"input": [{"role": "user", "content": text_blocks(20_000, "input_text")}]},
    ),
    "responses tools": (
        RESPONSES,
        lambda: {"input": "x", "tools": [{"type": "function", **tool} for tool in functions(1000)]},
    ),
    "responses tokens": (f"{RESPONSES}/input_tokens", lambda: {"input": [MESSAGE] * 9999}),
    "responses compaction": (f"{RESPONSES}/compact", lambda: {"model": "haiku", "input": [MESSAGE] * 9999}),
    "messages": (MESSAGES, lambda: {"max_tokens": 9, "messages": turns(10_000)}),
    "messages blocks": (
        MESSAGES,
        lambda: {"max_tokens": 9, "messages": [{"role": "user", "content": text_blocks(20_000)}]},
    ),
    "messages tools": (
        MESSAGES,
        lambda: {
            "max_tokens": 9,
            "messages": [MESSAGE],
            "tools": [{"name": f"f{number}", "input_schema": SCHEMA} for number in range(1000)],
        },
    ),
    "messages tokens": (f"{MESSAGES}/count_tokens", lambda: {"messages": turns(10_000)}),
}

#: 56 MB of text. It is read in one step of 0.1 s, which takes four times as long if other programs use the memory too.
TEXTS: dict[str, tuple[str, Make]] = {
    "chat": (CHAT, lambda: {"messages": [{"role": "user", "content": TEXT}]}),
    "responses": (RESPONSES, lambda: {"input": TEXT}),
    "messages": (MESSAGES, lambda: {"max_tokens": 9, "messages": [{"role": "user", "content": TEXT}]}),
    "completions": ("/v1/completions", lambda: {"prompt": TEXT}),
}

#: Bodies above a limit, with the field that the error names.
REFUSED: dict[str, tuple[str, Make, str | None]] = {
    "messages": (CHAT, lambda: {"messages": [MESSAGE] * 200_000}, "messages"),
    "items": (RESPONSES, lambda: {"input": [MESSAGE] * 100_000}, "input"),
    "blocks": (
        MESSAGES,
        lambda: {"max_tokens": 9, "messages": [{"role": "user", "content": text_blocks(100_000)}]},
        "messages[0].content",
    ),
    "tools": (CHAT, lambda: {"messages": [MESSAGE], "functions": functions(1001)}, "functions"),
    "schema": (
        RESPONSES,
        lambda: {
            "input": "x",
            "text": {"format": {"type": "json_schema", "schema": [SCHEMA] * 300}},
        },
        "text",
    ),
    "values": (MESSAGES, lambda: {"max_tokens": 9, "messages": [MESSAGE], "x": [1] * 4_000_000}, None),
}


@pytest.fixture(scope="module")
def large_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    gateway = Gateway({**NOTHING_KEPT, **cli.environ, "ANTHROPIC_API_KEY": "sk-ant-dummy"})
    gateway.await_warm(2)
    yield gateway
    gateway.close()


@pytest.fixture(autouse=True)
def _no_long_stalls(large_gateway: Gateway) -> Iterator[None]:
    """Ask for /health ten times per second during the test, and check the watchdog's reports."""
    slowness = measure_slowness()
    start, is_over = len(large_gateway.log), threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        with httpx.Client(base_url=large_gateway.url, timeout=60) as client:
            while not is_over.wait(0.1):
                statuses.append(client.get("/health").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    yield
    time.sleep(0.2)  # the watchdog reports when the loop runs again
    is_over.set()
    asking.join()
    assert set(statuses) <= {200}
    stalls = STALL.findall(large_gateway.log[start:])
    longest = LONGEST_SECONDS * max(slowness, measure_slowness())
    assert [stall for stall in stalls if float(stall[0]) > longest] == []


def check_answered(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    answer = gateway.api.post(path, json={"model": "haiku", **body}, timeout=90)
    assert answer.status_code == 200, answer.text[:300]


def measure_slowness() -> float:
    """Return how many times slower this machine is now than a quiet one: other programs share its caches."""
    begun = time.thread_time()
    orjson.loads(SAMPLE)
    return max(1.0, (time.thread_time() - begun) / QUIET_SECONDS)


@pytest.mark.parametrize(
    ("path", "make"), wide_cases_except(ALLOWED, "responses items", "messages", "chat tools")
)
def test_largest_body_is_answered_while_others_are_served(
    large_gateway: Gateway, path: str, make: Make
) -> None:
    check_answered(large_gateway, path, make())


@pytest.mark.slow
@pytest.mark.parametrize(("path", "make"), TEXTS.values(), ids=TEXTS)
def test_longest_text_is_answered_while_others_are_served(
    large_gateway: Gateway, path: str, make: Make
) -> None:
    check_answered(large_gateway, path, make())


@pytest.mark.parametrize(("path", "make", "field"), wide_cases_except(REFUSED, "items", "tools"))
def test_larger_body_is_refused_by_the_name_of_its_field(
    large_gateway: Gateway, path: str, make: Make, field: str | None
) -> None:
    refused = large_gateway.api.post(path, json={"model": "haiku", **make()}, timeout=90)
    assert refused.status_code == 400
    assert (field or "too many values") in refused.json()["error"]["message"]


def test_rest_of_a_body_that_was_refused_is_read_while_others_are_served(large_gateway: Gateway) -> None:
    """gunicorn reads it, so that the client gets the response and not a reset connection."""
    answer = large_gateway.api.post(CHAT, content=b" " * 100_000_000, timeout=90)
    assert answer.status_code == 413


def test_stored_items_of_a_large_response_can_be_read(large_gateway: Gateway) -> None:
    api = large_gateway.api
    response = api.post(RESPONSES, json={"model": "haiku", "input": [MESSAGE] * 9999}, timeout=90).json()
    assert response["store"] is True
    page = api.get(f"{RESPONSES}/{response['id']}/input_items", params={"limit": 1}).json()
    assert len(page["data"]) == 1
    full = {"model": "haiku", "input": "x", "previous_response_id": response["id"]}
    error = error_of(api.post(RESPONSES, json=full, timeout=90))
    assert (error.status, error.param) == (400, "previous_response_id")

"""Helpers of tests of alerts with several workers: answers that use up a budget, and new workers."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from tests.support.api_client import Api, error_of
from tests.support.gateway import Gateway, wait_for
from tests.support.hook_server import HookServer


def get_answer(client: Api) -> None:
    """Ask until there is an answer: while others run, the rest of the budget may be reserved for them."""
    while (response := client.chat()).status_code != 200:
        assert error_of(response).code == "rate_limit_exceeded", response.text
        time.sleep(0.02)


def ask(gateway: Gateway, key: str, count: int) -> None:
    """Get answers over as many connections, which lead to all workers."""
    with connections(gateway, key, count) as clients, ThreadPoolExecutor(3) as pool:
        list(pool.map(get_answer, clients))


@contextmanager
def connections(gateway: Gateway, key: str, count: int) -> Iterator[list[Api]]:
    """Yield clients, each with a connection of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Api(gateway.url, key=key))) for _ in range(count)]


def percents(hook: HookServer, budget: str = "tokens_per_month") -> list[Any]:
    """Return the shares of a budget about which there were alerts, in their order."""
    found = [received.json["data"] for received in hook.received]
    return [data["percent"] for data in found if data["budget"] == budget]


def reload_workers(gateway: Gateway) -> None:
    """Replace all workers, as `claude-gateway restart` does."""
    old = {worker.pid for worker in gateway.workers}
    gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(gateway.workers) == len(old) and not old & {one.pid for one in gateway.workers})
    gateway.reconnect()

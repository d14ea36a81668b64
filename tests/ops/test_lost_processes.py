"""The real CLI's processes are killed or stopped while the gateway needs them."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.standin import StandIn, text
from tests.support.api_client import reply_of
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import assistant, user
from tests.support.sockets import cli_figures, cli_pids
from tests.support.wide import wide

pytestmark = wide


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway], standin: StandIn) -> Gateway:
    """Return a gateway with two warm processes and a kept conversation."""
    standin.default(text("Hello"))
    gateway = start_gateway(MAX_CONCURRENT_SESSIONS="20", MAX_PROCESSES="22")
    gateway.await_warm(2)
    assert reply_of(gateway.api.chat("hi")) == "Hello"
    gateway.await_warm(2)
    return gateway


def test_health_is_right_soon_after_all_processes_were_killed(gateway: Gateway) -> None:
    killed = cli_pids(gateway)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not set(cli_pids(gateway)) & set(killed), 2)
    wait_for(lambda: cli_figures(gateway)["kept"] == 0, 2)
    assert cli_figures(gateway)["processes"] <= 3
    began = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(gateway.api.chat, [f"question {number}" for number in range(20)]))
    print(f"20 answers after {time.monotonic() - began:.1f} s")
    assert [answer.status_code for answer in answers] == [200] * 20


@pytest.mark.parametrize("kind", ["new", "follow-up"])
def test_processes_that_are_stopped_cost_three_seconds_at_most(gateway: Gateway, kind: str) -> None:
    history = [user("hi"), assistant("Hello")] if kind == "follow-up" else []
    for pid in cli_pids(gateway):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert reply_of(gateway.api.chat(messages=[*history, user("and now?")])) == "Hello"
    took = time.monotonic() - began
    print(f"{kind}: {took:.1f} s")
    assert took < 6  # the next process may be stopped, too, or have to start

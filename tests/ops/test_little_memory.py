"""The real CLI in one gigabyte: no request fails, and the processes stay within the limit."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.standin import StandIn, text
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import assistant, user
from tests.support.wide import wide

LIMIT_MB = 1000


class Sampler(threading.Thread):
    """Notes the most memory that a gateway and its processes use, in MB. Pages that they share count once."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self.is_over = False
        self._root = psutil.Process(gateway.process.pid)

    def run(self) -> None:
        while not self.is_over:
            used = 0
            with contextlib.suppress(psutil.Error):  # one has just ended
                for process in [self._root, *self._root.children(recursive=True)]:
                    used += process.memory_full_info().pss
            self.peak = max(self.peak, used / 1e6)
            time.sleep(0.1)  # between two samples


@wide
@pytest.mark.timeout(180)
def test_one_gigabyte_is_enough_for_many_conversations(
    start_gateway: Callable[..., Gateway], standin: StandIn
) -> None:
    standin.default(text("word " * 50, delay=0.002))
    gateway = start_gateway(MAX_MEMORY_MB=str(LIMIT_MB), KEEP_SECONDS="20", QUEUE_TIMEOUT_SECONDS="60")
    assert gateway.api.health()["claude"]["max_processes"] == 4
    sampler = Sampler(gateway)
    sampler.start()

    def converse(number: int) -> list[int]:
        messages = [user(f"conversation {number}")]
        first = gateway.api.chat(messages=messages)
        messages += [assistant("word " * 50), user("and now?")]
        return [first.status_code, gateway.api.chat(messages=messages).status_code]

    assert [converse(number) for number in range(24)] == [[200, 200]] * 24
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(converse, range(100, 110))) == [[200, 200]] * 10
    sampler.is_over = True
    sampler.join()
    print(f"peak {sampler.peak:.0f} MB, given up {gateway.api.health()['claude']['given_up']}")
    assert sampler.peak < LIMIT_MB
    assert "killed" not in gateway.log
    wait_for(lambda: gateway.api.health()["claude"]["processes"] <= 2, 90)  # the warm pool

"""A worker that scales images answers other requests at the same time."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.support.gateway import Gateway
from tests.support.pictures import data_url, screenshot
from tests.support.recorded import user

MAX_HEALTH_SECONDS = 0.25


@pytest.mark.slow
def test_health_is_answered_while_screenshots_are_scaled(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(WEB_CONCURRENCY="1")
    shots = [screenshot(2400, 1350, seed) for seed in range(25)]
    parts = [{"type": "image_url", "image_url": {"url": data_url(shot)}} for shot in shots]
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(gateway.api.chat(messages=[user(parts)]).status_code)
    )
    gateway.api.health()
    asking.start()
    seconds = []
    while asking.is_alive():
        began = time.perf_counter()
        gateway.api.health()
        seconds.append(time.perf_counter() - began)
        time.sleep(0.01)
    assert answers == [200]
    assert len(seconds) > 25
    assert max(seconds) < MAX_HEALTH_SECONDS

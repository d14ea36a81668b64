"""A batch through a crash of the whole gateway, and other requests beside a running batch."""

import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Batch

from tests.standin import Reply, StandIn, text
from tests.support.batches import chat_line
from tests.support.gateway import Gateway, wait_for
from tests.support.recorded import last_user_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REQUESTS = 200
BLOCKS, ASKED = 4, 5  # blocks with and without a batch take turns, because the load of a machine changes
PAUSE_SECONDS = 0.7
Start = Callable[..., Gateway]


@pytest.fixture(autouse=True)
def _model(standin: StandIn) -> None:
    """Repeat what the user said. Batches get their answers later than other requests."""

    def reply(body: dict[str, Any]) -> Reply:
        said = last_user_text(body)
        return text(f"You said {said}", first_delay=0.3 if "item" in said else 0.05)

    standin.default(reply)


@pytest.fixture
def start(start_gateway: Start, tmp_path: Path) -> Start:
    """Return a function that starts a gateway with two workers on the same database."""
    return lambda: start_gateway(WEB_CONCURRENCY="2", DATABASE_URL=f"sqlite:///{tmp_path}/gateway.db")


def connect(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="key", max_retries=0)


def create_batch(client: openai.OpenAI) -> Batch:
    lines = (json.dumps(chat_line(f"id-{number}", f"item {number}")) for number in range(REQUESTS))
    file = client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )


def await_batch(client: openai.OpenAI, batch: Batch, is_reached: Callable[[Batch], bool]) -> Batch:
    wait_for(lambda: is_reached(client.batches.retrieve(batch.id)), 600)
    return client.batches.retrieve(batch.id)


def completed(batch: Batch) -> int:
    assert batch.request_counts is not None
    return batch.request_counts.completed


def test_batch_is_answered_once_and_completely_after_a_crash_of_the_gateway(start: Start) -> None:
    gateway = start()
    batch = create_batch(connect(gateway))
    await_batch(connect(gateway), batch, lambda one: completed(one) >= REQUESTS // 2)
    os.killpg(gateway.process.pid, signal.SIGKILL)
    gateway.process.wait()
    client = connect(start())
    batch = await_batch(client, batch, lambda one: one.status == "completed")
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"completed": REQUESTS, "failed": 0, "total": REQUESTS}
    lines = [json.loads(line) for line in client.files.content(str(batch.output_file_id)).text.splitlines()]
    answers = {
        line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines
    }
    assert len(lines) == len(answers) == REQUESTS
    assert answers == {f"id-{number}": f"You said item {number}" for number in range(REQUESTS)}


def ask(client: openai.OpenAI) -> list[float]:
    """Return the seconds that some requests took. Each begins a conversation."""
    taken = []
    for number in range(ASKED):
        begin = time.monotonic()
        client.chat.completions.create(
            model="haiku", messages=[{"role": "user", "content": f"question {number}"}]
        )
        taken.append(time.monotonic() - begin)
        time.sleep(PAUSE_SECONDS)
    return taken


def test_other_requests_are_as_fast_beside_a_batch(start: Start) -> None:
    gateway = start()
    client = connect(gateway)
    gateway.await_warm(2)
    ask(client)
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(BLOCKS):
        alone += ask(client)
        batch = create_batch(client)
        await_batch(client, batch, lambda one: completed(one) > 0)
        beside += ask(client)
        client.batches.cancel(batch.id)
        await_batch(client, batch, lambda one: one.status == "cancelled")
    assert statistics.median(beside) <= 1.2 * statistics.median(alone)

"""Clients that hold conversations in sessions, through nginx, until a test has seen enough.

Each client sends a question again until it is answered in full, as SDKs do, and records every attempt. For example:

    with running_clients(front.url, secrets) as clients:
        machine.kill()
        await_answers(clients, 5)
    assert {attempt.status for client in clients for attempt in client.failures} <= {0, 502}
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx2 as httpx

from tests.support.api_client import Api, chat_body, event_data
from tests.support.gateway import wait_for

ANSWER_WORD = "SLOW"  # an answer of 0.2 s
RETRY_SECONDS = 0.3
PAUSE_SECONDS = 0.2  # between two questions, so that nginx sees fewer than 20 requests per second


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `status` is 0 if the connection broke; `code` is the error's."""

    question: str
    status: int
    is_complete: bool
    code: str = ""


class Client(threading.Thread):
    """Asks one question after the other with its own key, in one session."""

    def __init__(self, url: str, name: str, secret: str) -> None:
        super().__init__(daemon=True)
        self.name = name
        self.attempts: list[Attempt] = []
        self.stored_questions: list[str] = []  # in the session, in order; known at the end
        self.stopping = threading.Event()
        self.api = Api(url, key=secret)
        self.session = self.api.create_session()

    def run(self) -> None:
        for number in itertools.count():
            question = f"{self.session} {number} {ANSWER_WORD}"  # unique among all tests
            while not self._ask(question).is_complete:
                if self.stopping.wait(RETRY_SECONDS):
                    return
            if self.stopping.wait(PAUSE_SECONDS):
                return

    def _ask(self, question: str) -> Attempt:
        events: list[str] = []
        status = 0
        body = chat_body(question, session_id=self.session, stream=True)
        chat = self.api.stream("POST", "/v1/chat/completions", json=body)
        with suppress(httpx.TransportError), chat as response:
            status = response.status_code
            if status == 200:
                events.extend(event_data(response.iter_lines()))
            else:
                events.append(response.read().decode())
        is_complete = events[-1:] == ["[DONE]"]
        code = "" if is_complete or not events else json.loads(events[-1]).get("error", {}).get("code", "")
        self.attempts.append(Attempt(question, status, is_complete, code))
        return self.attempts[-1]

    @property
    def answered(self) -> list[str]:
        """Return the questions that were answered in full."""
        return [attempt.question for attempt in self.attempts if attempt.is_complete]

    @property
    def failures(self) -> list[Attempt]:
        """Return the attempts without a full answer."""
        return [attempt for attempt in self.attempts if not attempt.is_complete]

    def finish(self) -> None:
        """Wait for the last answer, and read the stored session."""
        self.join(60)
        messages = self.api.show_session(self.session)["messages"]
        self.api.close()
        self.stored_questions = [message["content"] for message in messages if message["role"] == "user"]


@contextmanager
def running_clients(url: str, secrets: Sequence[str]) -> Iterator[list[Client]]:
    """Run a client per key during the block, and then wait for their last answers."""
    clients = [Client(url, f"client-{number}", secret) for number, secret in enumerate(secrets)]
    for client in clients:
        client.start()
        time.sleep(PAUSE_SECONDS / len(clients))
    try:
        yield clients
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.finish()


def await_answers(clients: Sequence[Client], count: int, timeout: float = 60.0) -> None:
    """Wait until each client has `count` more answers than now."""
    goals = [(client, len(client.answered) + count) for client in clients]
    wait_for(lambda: all(len(client.answered) >= goal for client, goal in goals), timeout)

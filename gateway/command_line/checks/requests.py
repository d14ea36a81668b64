"""Live checks of a running gateway: one short request per dialect, and a stream that must not be held up.

They use the account of the gateway, for some hundred tokens.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gateway.command_line.checks.findings import NOTE, OK, WRONG, Finding
from gateway.command_line.client import Client, NoAnswer, Refused
from gateway.home import COMMAND
from gateway.settings import Settings

MODEL = "haiku"
MAX_TOKENS = 64
QUESTION = "Say hello world, nothing else."
COUNTING = "Count from 1 to 60 in words, with spaces between them, nothing else."
PATIENCE_SECONDS = 120.0
UNAUTHORIZED = 401
SHOWN_CHARACTERS = 40
#: A model takes longer than this between two pieces. If most of them arrive sooner, a proxy has collected them.
TOGETHER_SECONDS = 0.001
MAX_TOGETHER = 0.9  # of all gaps
MIN_PIECES = 20
STREAM = "/v1/chat/completions"


@dataclass(frozen=True)
class Probe:
    """A request of one dialect, and the place of the text in its answer."""

    path: str
    body: dict[str, Any]
    find_text: Callable[[Any], str]


MESSAGES = [{"role": "user", "content": QUESTION}]
PROBES = (
    Probe(
        "/v1/chat/completions",
        {"messages": MESSAGES, "max_tokens": MAX_TOKENS},
        lambda answer: answer["choices"][0]["message"]["content"],
    ),
    Probe(
        "/v1/responses",
        {"input": QUESTION, "max_output_tokens": MAX_TOKENS, "store": False},
        lambda answer: answer["output"][-1]["content"][0]["text"],
    ),
    Probe(
        "/v1/messages",
        {"messages": MESSAGES, "max_tokens": MAX_TOKENS},
        lambda answer: answer["content"][-1]["text"],
    ),
    Probe(
        "/v1/completions",
        {"prompt": QUESTION, "max_tokens": MAX_TOKENS},
        lambda answer: answer["choices"][0]["text"],
    ),
)


def check_requests(settings: Settings) -> Iterator[Finding]:
    """Have a short answer written in each dialect, and one that is streamed."""
    client = Client(settings, timeout=PATIENCE_SECONDS)
    try:
        for probe in PROBES:
            yield _try_probe(client, probe)
        yield _try_stream(client)
    except NoAnswer:
        yield NOTE, "no request was made because no gateway answers"
    except Refused as error:
        if error.status != UNAUTHORIZED:
            raise
        how = f"API_KEY=sk-… {COMMAND} doctor"
        yield NOTE, f"no request was made because the gateway asks for a key: {how}"


def _try_probe(client: Client, probe: Probe) -> Finding:
    """Send the request. Raise NoAnswer, or Refused if the gateway asks for a key."""
    begun = time.monotonic()
    try:
        answer = client.post(probe.path, {"model": MODEL, **probe.body})
        text = probe.find_text(answer)
    except Refused as error:
        if error.status == UNAUTHORIZED:
            raise
        return WRONG, f"{probe.path}: {error}"
    except (ValueError, LookupError, TypeError):
        return WRONG, f"{probe.path}: the answer has no text; is another server at {client.url}?"
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return OK, f"{probe.path} answered {shown!r} in {time.monotonic() - begun:.1f} s ({answer['model']})"


def _try_stream(client: Client) -> Finding:
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": COUNTING}]}
    try:
        times = [time.monotonic() for event in client.stream(STREAM, body) if _has_text(event)]
    except Refused as error:
        return WRONG, f"a stream: {error}"
    return judge_stream(times, is_direct=not os.environ.get("BASE_URL"))


def _has_text(event: str) -> bool:
    choices = [] if event == "[DONE]" else json.loads(event).get("choices", [])
    return any(choice["delta"].get("content") for choice in choices)


def judge_stream(times: list[float], *, is_direct: bool) -> Finding:
    """Say whether the pieces of a streamed answer arrived as they were written, at these `times`."""
    if not times:
        return WRONG, "a stream had no text"
    arrived = f"{len(times)} pieces of a stream arrived within {times[-1] - times[0]:.1f} s"
    gaps = [later - earlier for earlier, later in pairwise(times)]
    together = sum(gap < TOGETHER_SECONDS for gap in gaps)
    if is_direct or together < MAX_TOGETHER * len(gaps):
        return OK, arrived
    if len(times) < MIN_PIECES:
        return NOTE, f"{arrived}: too few to tell whether a proxy holds them up"
    return (
        WRONG,
        f"{arrived}, {together} of them together with the one before: a proxy holds them up. For nginx: "
        "proxy_buffering off; (docs/deploy.md)",
    )

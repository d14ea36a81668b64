"""Reading what reached the model out of a recorded request, and what reached the client out of a stream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.standin import Recorded, StandIn
from tests.standin.prompt import texts

# The two lines the CLI puts before every system text: what it is, and for whom it is billed.
CLI_BILLING = "x-anthropic-billing-header:"
CLI_IDENTITY = "You are a Claude agent, built on Anthropic's Claude Agent SDK."

GOES_ON_SECONDS = 0.3  # the CLI would send its next request at once

Utterance = list[tuple[str, list[str]]]
Body = dict[str, Any]


def asks_once(standin: StandIn, ask: Callable[[], None], tries: int = 4) -> None:
    """`ask` leads to one request, though the CLI would go on by itself.

    Its process is ended within milliseconds; on a busy machine it may be quicker once, but not every time.
    """
    for _ in range(tries):
        before = len(standin.messages)
        ask()
        time.sleep(GOES_ON_SECONDS)
        if len(standin.messages) == before + 1:
            return
    raise AssertionError("the CLI went on by itself every time")


def user(content: Any) -> Body:
    """A user message, as a client sends it."""
    return {"role": "user", "content": content}


def assistant(content: Any) -> Body:
    """An assistant message, as a client replays it."""
    return {"role": "assistant", "content": content}


def system(content: Any) -> Body:
    """A system message."""
    return {"role": "system", "content": content}


def conversation(record: Recorded) -> Utterance:
    """Role and texts of each recorded message. Only text may be there; turns without content say nothing."""
    messages = record.body["messages"]
    for message in messages:
        assert isinstance(message["content"], str) or all(
            block["type"] == "text" for block in message["content"]
        ), message
    return [(message["role"], list(texts(message["content"]))) for message in messages if message["content"]]


def spoken(record: Recorded) -> Utterance:
    """The conversation without the CLI's own turns."""
    return [(role, said) for role, said in conversation(record) if role != "system"]


def system_texts(record: Recorded) -> list[str]:
    """The system texts of the client: all but the CLI's two lines, which must come first."""
    billing, identity, *own = [block["text"] for block in record.body["system"]]
    assert billing.startswith(CLI_BILLING)
    assert len(billing) < 200
    assert identity == CLI_IDENTITY
    return own


def chunks(events: Iterable[str]) -> list[Body]:
    """The chunks of a stream that ends with `[DONE]`."""
    *data, last = events
    assert last == "[DONE]"
    return [json.loads(event) for event in data]


def content(parsed: Iterable[Body]) -> str:
    """The text of a stream's chunks."""
    deltas = (choice["delta"] for chunk in parsed for choice in chunk["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)


def last_said(body: Body) -> str:
    """The text of the last user message of a request to the model."""
    messages = [message for message in body["messages"] if message["role"] == "user"]
    content = messages[-1]["content"]
    return content if isinstance(content, str) else str(content[-1].get("text", ""))

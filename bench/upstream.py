"""The model's side: the tests' stand-in for the Messages API, answering at once. Run as a process of its own.

It answers 20 words, or a call of the tool TOOL where a request offers it and holds no result yet. The first line
printed is the URL.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from tests.standin import Reply, StandIn, text, thinking, tool_calls

TOOL = "get_weather"
WORDS = [f"word{number} " for number in range(20)]


def answer(body: dict[str, Any]) -> Reply:
    """The scripted answer to a request."""
    tool = next((tool["name"] for tool in body.get("tools") or () if tool["name"].endswith(TOOL)), None)
    if tool and not _has_result(body["messages"]):
        # Thinking comes first, as a real model's would: without it the turn could not be continued everywhere.
        return thinking("The tool knows.", tool_calls([(tool, {"city": "Paris"})]))
    return text(chunks=WORDS)


def _has_result(messages: list[dict[str, Any]]) -> bool:
    blocks = (
        block for message in messages if isinstance(message["content"], list) for block in message["content"]
    )
    return any(block["type"] == "tool_result" for block in blocks)


def _await_end(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


def main() -> None:
    """Serve until SIGINT or SIGTERM, or until whoever started it is gone."""
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with StandIn() as standin:
        standin.default(answer)
        print(standin.url, flush=True)
        threading.Thread(target=_await_end, args=(done,), daemon=True).start()
        done.wait()


if __name__ == "__main__":
    main()

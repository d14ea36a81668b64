"""The model: the tests' stand-in for the Messages API, which answers at once. It runs as its own process.

It answers with 20 words, or with a call of TOOL if the request offers that tool and has no result yet. A question with
"in 50 words" gets 50 words, and one with "slowly" gets them at the pace of a model. The first line that it prints is
the URL.
"""

import json
import re
import signal
import sys
import threading
from typing import Any

from tests.standin import Reply, StandIn, text, thinking, tool_calls

TOOL = "get_weather"
WORDS = 20
WORD_SECONDS = 0.02  # the pace of an answer that is slow on purpose
LENGTH = re.compile(r"in (\d+) words")


def answer(body: dict[str, Any]) -> Reply:
    """Return the scripted answer to a request."""
    tool = next((tool["name"] for tool in body.get("tools") or () if tool["name"].endswith(TOOL)), None)
    if tool and not _has_result(body["messages"]):
        # A real model thinks first, and some servers cannot continue a turn without that.
        return thinking("The tool knows.", tool_calls([(tool, {"city": "Paris"})]))
    question = json.dumps(body["messages"][-1])
    wanted = LENGTH.search(question)
    words = [f"word{number} " for number in range(int(wanted[1]) if wanted else WORDS)]
    return text(chunks=words, delay=WORD_SECONDS if "slowly" in question else 0.0)


def _has_result(messages: list[dict[str, Any]]) -> bool:
    blocks = (
        block for message in messages if isinstance(message["content"], list) for block in message["content"]
    )
    return any(block["type"] == "tool_result" for block in blocks)


def _await_end(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


def main() -> None:
    """Serve until SIGINT, SIGTERM or the end of the parent process."""
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

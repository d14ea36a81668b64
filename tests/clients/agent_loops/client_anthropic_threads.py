"""Run the tool runner and a thread of Anthropic's SDK, and print what they saw as JSON.

    python -m tests.clients.agent_loops.client_anthropic_threads URL

The SDK sends `thread` by default. Its log names each time at which it sends the whole conversation instead.
"""

import asyncio
import json
import logging
import sys
from typing import Any

from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool

MODEL = "claude-haiku-4-5"
COMMON: Any = {
    "model": MODEL,
    "max_tokens": 9000,
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "Take steps."}],
}


@beta_tool
def step(number: int) -> str:
    """Take a step."""
    return f"done {number}"


@beta_async_tool
async def async_step(number: int) -> str:
    """Take a step."""
    return f"done {number}"


class Replays(logging.Handler):
    """Collect the SDK's messages about threads that it had to give up."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages.append(record.getMessage())


def describe(message: Any) -> list[str]:
    return [block.type for block in message.content]


async def run_async(url: str) -> list[list[str]]:
    async with AsyncAnthropic(base_url=url, api_key="unused") as client:
        runner = client.beta.messages.tool_runner(tools=[async_step], **COMMON)
        return [describe(message) async for message in runner]


def main(url: str) -> None:
    """Print the blocks of each message, by the way in which it was asked for."""
    replays = Replays()
    logger = logging.getLogger("anthropic.lib.threads")
    logger.addHandler(replays)
    logger.setLevel(logging.INFO)
    client = Anthropic(base_url=url, api_key="unused")
    whole = client.beta.messages.tool_runner(tools=[step], **COMMON)
    streamed = client.beta.messages.tool_runner(tools=[step], stream=True, **COMMON)
    seen = {
        "whole": [describe(message) for message in whole],
        "streamed": [describe(stream.get_final_message()) for stream in streamed],
        "async": asyncio.run(run_async(url)),
        "replays": replays.messages,
    }
    print(json.dumps(seen))


main(sys.argv[1])

"""The tool runner of Anthropic's SDK with an MCP server behind the gateway, and web search, beside a function.

    python -m tests.clients.agent_loops.client_anthropic_mcp URL URL_OF_THE_SERVER

It prints the blocks of each message, by the way in which it was asked for.
"""

import asyncio
import json
import sys
from typing import Any

from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool

COMMON: Any = {
    "model": "claude-haiku-4-5",
    "max_tokens": 9000,
    "betas": ["mcp-client-2025-11-20"],
    "messages": [{"role": "user", "content": "Which animals purr?"}],
}
HOSTED: list[Any] = [
    {"type": "mcp_toolset", "mcp_server_name": "words", "configs": {"slow": {"enabled": False}}},
    {"type": "web_search_20250305", "name": "web_search"},
]


@beta_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 °C in {city}"


@beta_async_tool
async def weather_later(city: str) -> str:
    """The weather of a city."""
    return f"21 °C in {city}"


def describe(message: Any) -> list[str]:
    return [block.type for block in message.content]


async def run_async(url: str, options: dict[str, Any]) -> list[list[str]]:
    async with AsyncAnthropic(base_url=url, api_key="unused") as client:
        tools = [weather_later, *HOSTED]
        runner = client.beta.messages.tool_runner(tools=tools, **options)
        return [describe(message) async for message in runner]


def main(url: str, server_url: str) -> None:
    """Run all loops and print the results."""
    options = {**COMMON, "mcp_servers": [{"type": "url", "name": "words", "url": server_url}]}
    client = Anthropic(base_url=url, api_key="unused")
    tools = [get_weather, *HOSTED]
    whole = client.beta.messages.tool_runner(tools=tools, **options)
    streamed = client.beta.messages.tool_runner(tools=tools, stream=True, **options)
    alone = client.beta.messages.tool_runner(tools=tools, thread=False, **options)
    seen = {
        "whole": [describe(message) for message in whole],
        "streamed": [describe(stream.get_final_message()) for stream in streamed],
        "without a thread": [describe(message) for message in alone],
        "async": asyncio.run(run_async(url, options)),
    }
    print(json.dumps(seen))


main(sys.argv[1], sys.argv[2])

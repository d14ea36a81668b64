"""OpenAI's Agents SDK with hosted tools: an MCP server behind the gateway, and web search, beside a function.

    python -m tests.clients.agent_loops.client_agents_hosted URL

It prints, for each run, the types of the items in each response, the decisions it was asked for, and the final text.
"""

import asyncio
import json
from typing import Any

import openai
from agents import (  # type: ignore[import-not-found]
    Agent,
    HostedMCPTool,
    OpenAIResponsesModel,
    Runner,
    WebSearchTool,
    function_tool,
    set_tracing_disabled,
)

from tests.clients.agent_loops import toolbox

QUESTION = "Which animals purr?"


class Run:
    """One run of an agent, which decides about each call of the server as `approve` says; None does not ask."""

    def __init__(self, model: Any, approve: bool | None) -> None:
        self.asked: list[list[str]] = []
        self._approve = approve
        config = {"type": "mcp", "server_label": "words", "allowed_tools": ["search"]}
        words = HostedMCPTool(
            tool_config={**config, "require_approval": "never" if approve is None else "always"},
            on_approval_request=None if approve is None else self._decide,
        )
        tools = [words, WebSearchTool(), function_tool(toolbox.get_weather)]
        self._agent = Agent(name="Searcher", model=model, tools=tools)

    def _decide(self, request: Any) -> dict[str, Any]:
        self.asked.append([request.data.name, request.data.arguments])
        return {"approve": self._approve, "reason": "As planned."}

    async def finish(self, *, streamed: bool) -> dict[str, Any]:
        """Run the agent to its end, and return what it saw."""
        kinds: list[str] = []
        if streamed:
            result = Runner.run_streamed(self._agent, QUESTION)
            kinds = [
                getattr(getattr(event, "data", None), "type", "") async for event in result.stream_events()
            ]
        else:
            result = await Runner.run(self._agent, QUESTION)
        return {
            "responses": [[item.type for item in response.output] for response in result.raw_responses],
            "outputs": [
                item.output
                for response in result.raw_responses
                for item in response.output
                if item.type == "mcp_call"
            ],
            "citations": [
                note.url
                for response in result.raw_responses
                for item in response.output
                if item.type == "message"
                for part in item.content
                for note in part.annotations
            ],
            "events": sorted({kind for kind in kinds if ".mcp_" in kind or ".web_search_" in kind}),
            "asked": self.asked,
            "final": result.final_output,
        }


async def main() -> None:
    """Run all loops and print the results."""
    set_tracing_disabled(True)
    options: Any = {"api_key": "unused", "max_retries": 0, "timeout": 60}
    async with openai.AsyncOpenAI(base_url=toolbox.base_url(), **options) as client:
        model = OpenAIResponsesModel(toolbox.MODEL, openai_client=client)
        seen = {
            "whole": await Run(model, None).finish(streamed=False),
            "streamed": await Run(model, None).finish(streamed=True),
            "approved": await Run(model, True).finish(streamed=True),
            "denied": await Run(model, False).finish(streamed=False),
        }
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main())

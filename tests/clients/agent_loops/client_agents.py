"""OpenAI's Agents SDK, which runs the loop itself: on chat completions, or on the Responses API with `responses`."""

import asyncio
import json
import sys
from typing import Any

import openai
from agents import (  # type: ignore[import-not-found]
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai.types.shared import Reasoning
from pydantic import BaseModel

from tests.clients.agent_loops import toolbox


class Report(BaseModel):
    """The weather in one place."""

    city: str
    degrees: int


def failed(_context: Any, error: Exception) -> str:
    """Return the tool result for a call that failed."""
    return f"Error: {error}"


TOOLS = [function_tool(function, failure_error_function=failed) for function in toolbox.TOOLS.values()]


def rounds(result: Any) -> list[dict[str, Any]]:
    """Return the answers of the model in a run. The SDK reports no finish reasons."""
    return [round_of(response) for response in result.raw_responses]


def round_of(response: Any) -> dict[str, Any]:
    """Return one answer of the model."""
    items = response.output
    calls = [(item.name, json.loads(item.arguments)) for item in items if item.type == "function_call"]
    text = "".join(part.text for item in items if item.type == "message" for part in item.content)
    thought = "".join(part.text for item in items if item.type == "reasoning" for part in item.summary)
    usage = response.usage
    return toolbox.round_of(text, calls, None, (usage.input_tokens, usage.output_tokens), thought)


async def streamed(agent: Any) -> Any:
    """Run the agent and read the events as they arrive."""
    result = Runner.run_streamed(agent, toolbox.QUESTION, max_turns=toolbox.MAX_ROUNDS)
    async for _ in result.stream_events():
        pass
    return result


async def main() -> None:
    """Run all loops and print the results."""
    set_tracing_disabled(True)
    options: Any = {"api_key": "unused", "max_retries": 0, "timeout": 60}
    async with openai.AsyncOpenAI(base_url=toolbox.base_url(), **options) as client:
        kind = OpenAIResponsesModel if "responses" in sys.argv else OpenAIChatCompletionsModel
        model = kind(toolbox.MODEL, openai_client=client)
        settings = ModelSettings(
            include_usage=True, parallel_tool_calls=True, reasoning=Reasoning(summary="auto")
        )
        common: Any = {"name": "Mailer", "model": model, "model_settings": settings}
        agent = Agent(**common, tools=TOOLS)
        reporter = Agent(**common, tools=TOOLS, output_type=Report)
        loops = {
            "run": rounds(await Runner.run(agent, toolbox.QUESTION, max_turns=toolbox.MAX_ROUNDS)),
            "run_streamed": rounds(await streamed(agent)),
            "run into a report": rounds(await Runner.run(reporter, toolbox.QUESTION)),
        }
        result = await Runner.run(Agent(**common, output_type=Report), toolbox.REPORT)
    assert isinstance(result.final_output, Report)
    toolbox.print_results(loops, {"output_type": result.final_output.model_dump()})


if __name__ == "__main__":
    asyncio.run(main())

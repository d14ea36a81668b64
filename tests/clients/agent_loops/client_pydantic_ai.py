"""Pydantic AI: an agent run complete and streamed, and an agent with a model as its output type."""

import sys
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry  # type: ignore[import-not-found]
from pydantic_ai.messages import (  # type: ignore[import-not-found]
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models.anthropic import AnthropicModel  # type: ignore[import-not-found]
from pydantic_ai.models.openai import (  # type: ignore[import-not-found]
    OpenAIChatModel,
    OpenAIResponsesModel,
)
from pydantic_ai.providers.anthropic import AnthropicProvider  # type: ignore[import-not-found]
from pydantic_ai.providers.openai import OpenAIProvider  # type: ignore[import-not-found]

from tests.clients.agent_loops import toolbox


class Report(BaseModel):
    """The weather in one place."""

    city: str
    degrees: int


def model() -> Any:
    """Return the model of the dialect that the script was asked for."""
    if "messages" in sys.argv:
        return AnthropicModel(
            toolbox.MODEL, provider=AnthropicProvider(base_url=sys.argv[1], api_key="unused")
        )
    kind = OpenAIResponsesModel if "responses" in sys.argv else OpenAIChatModel
    return kind(toolbox.MODEL, provider=OpenAIProvider(base_url=toolbox.base_url(), api_key="unused"))


def agent() -> Any:
    """Return an agent with both tools."""

    def send_mail(to: list[str], subject: str) -> str:
        """Send a mail about something."""
        try:
            return toolbox.send_mail(to, subject)
        except LookupError as error:
            raise ModelRetry(str(error)) from error

    return Agent(model(), tools=[toolbox.get_weather, send_mail], retries=2)


def rounds_of(messages: list[Any]) -> list[dict[str, Any]]:
    """Return the answers of the model among the messages."""
    return [round_of(message) for message in messages if isinstance(message, ModelResponse)]


def round_of(answer: Any) -> dict[str, Any]:
    """Describe one answer."""

    def texts(kind: Any) -> str:
        return "".join(part.content or "" for part in answer.parts if isinstance(part, kind))

    calls = [(part.tool_name, part.args_as_dict()) for part in answer.parts if isinstance(part, ToolCallPart)]
    used = answer.usage.input_tokens, answer.usage.output_tokens
    return toolbox.round_of(texts(TextPart), calls, answer.finish_reason, used, texts(ThinkingPart))


async def read_events(context: Any, events: Any) -> None:
    """Read the stream of an answer. With a function that does, the agent streams."""
    async for _ in events:
        pass


def main() -> None:
    """Run all loops and print the results."""
    handlers = {"run": None, "stream": read_events}
    loops = {
        name: rounds_of(agent().run_sync(toolbox.QUESTION, event_stream_handler=handler).all_messages())
        for name, handler in handlers.items()
    }
    report = Agent(model(), output_type=Report).run_sync(toolbox.REPORT).output
    toolbox.print_results(loops, {"output": report.model_dump()})


if __name__ == "__main__":
    main()

"""OpenAI's Python SDK, any major version: `create`, `.stream()` and `.parse()` with its pydantic helpers.

With a second argument, `plain`, it asks for no structured output.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import openai
from pydantic import BaseModel

from tests.clients.agent_loops import toolbox

Ask = Callable[..., Any]


class Weather(BaseModel):
    """The weather of a city."""

    city: str


class Mail(BaseModel):
    """Send a mail about something."""

    to: list[str]
    subject: str


class Report(BaseModel):
    """The weather in one place."""

    city: str
    degrees: int


TOOLS = [
    openai.pydantic_function_tool(Weather, name="get_weather"),
    openai.pydantic_function_tool(Mail, name="send_mail"),
]


def loop(ask: Ask, **fields: Any) -> list[dict[str, Any]]:
    """Run rounds until the model makes no more calls, and return them."""
    messages: list[Any] = [{"role": "user", "content": toolbox.QUESTION}]
    rounds: list[dict[str, Any]] = []
    while len(rounds) < toolbox.MAX_ROUNDS:
        completion = ask(model=toolbox.MODEL, messages=messages, tools=TOOLS, **fields)
        choice = completion.choices[0]
        calls = [(call, arguments(call.function)) for call in choice.message.tool_calls or ()]
        used = completion.usage.prompt_tokens, completion.usage.completion_tokens
        assert sum(used) == completion.usage.total_tokens
        thought = getattr(choice.message, "reasoning_content", None)
        named = [(call.function.name, given) for call, given in calls]
        rounds.append(toolbox.round_of(choice.message.content, named, choice.finish_reason, used, thought))
        if not calls:
            break
        messages.append(choice.message)
        for call, given in calls:
            said = toolbox.outcome(call.function.name, given)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": said})
    return rounds


def arguments(function: Any) -> dict[str, Any]:
    """Return the arguments of a call. Assert that the SDK parsed the same ones, if it did."""
    given: dict[str, Any] = json.loads(function.arguments)
    parsed = getattr(function, "parsed_arguments", None)
    if parsed is not None:
        assert isinstance(parsed, Weather | Mail)
        assert parsed.model_dump() == given
    return given


def streaming(completions: Any) -> Ask:
    """Return a function that asks through `.stream()`. Assert that its events add up to the final completion."""

    def ask(**fields: Any) -> Any:
        with completions.stream(**fields, stream_options={"include_usage": True}) as stream:
            events = list(stream)
            final = stream.get_final_completion()
        message = final.choices[0].message
        done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
        assert [event.arguments for event in done] == [
            call.function.arguments for call in message.tool_calls or ()
        ]
        assert "".join(e.delta for e in events if e.type == "content.delta") == (message.content or "")
        return final

    return ask


def main() -> None:
    """Run all loops and print the results."""
    with openai.OpenAI(base_url=toolbox.base_url(), api_key="unused", max_retries=0, timeout=60) as client:
        completions: Any = client.chat.completions
        loops = {
            "create": loop(completions.create),
            "stream": loop(streaming(completions)),
            "parse": loop(completions.parse),
        }
        if "plain" in sys.argv:
            toolbox.print_results(loops, {})
            return
        loops |= {
            "parse into a report": loop(completions.parse, response_format=Report),
            "stream into a report": loop(streaming(completions), response_format=Report),
        }
        asked: Any = {"model": toolbox.MODEL, "messages": [{"role": "user", "content": toolbox.REPORT}]}
        message = completions.parse(**asked, response_format=Report).choices[0].message
    assert isinstance(message.parsed, Report)
    toolbox.print_results(loops, {"parse": message.parsed.model_dump()})


if __name__ == "__main__":
    main()

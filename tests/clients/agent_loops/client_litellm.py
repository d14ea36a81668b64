"""litellm's `completion` with tools, complete and streamed, and with a pydantic model as response format."""

import json
from collections.abc import Callable
from typing import Any

import litellm  # type: ignore[import-not-found]
from pydantic import BaseModel

from tests.clients.agent_loops import toolbox


class Report(BaseModel):
    """The weather in one place."""

    city: str
    degrees: int


def tool(name: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a tool in the form of chat completions."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


STRING = {"type": "string"}
TOOLS = [
    tool("get_weather", "The weather of a city.", {"city": STRING}),
    tool(
        "send_mail",
        "Send a mail about something.",
        {"to": {"type": "array", "items": STRING}, "subject": STRING},
    ),
]


def ask(messages: list[Any], **fields: Any) -> Any:
    """Return a completion."""
    return litellm.completion(
        model=f"openai/{toolbox.MODEL}",
        api_base=toolbox.base_url(),
        api_key="unused",
        max_retries=0,
        timeout=60,
        messages=messages,
        **fields,
    )


def stream(messages: list[Any], **fields: Any) -> Any:
    """Return a completion that is built from the chunks of a stream."""
    chunks = list(ask(messages, stream=True, stream_options={"include_usage": True}, **fields))
    answer: Any = litellm.stream_chunk_builder(chunks, messages=messages)
    # The builder always says "stop", because it reads the reason from the chunk with the usage, which has no choice.
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    (answer.choices[0].finish_reason,) = reasons
    return answer


def loop(ask: Callable[..., Any]) -> list[dict[str, Any]]:
    """Run rounds until the model makes no more calls, and return them."""
    messages: list[Any] = [{"role": "user", "content": toolbox.QUESTION}]
    rounds: list[dict[str, Any]] = []
    while len(rounds) < toolbox.MAX_ROUNDS:
        answer = ask(messages, tools=TOOLS)
        choice = answer.choices[0]
        calls = [(call, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
        used = answer.usage.prompt_tokens, answer.usage.completion_tokens
        thought = getattr(choice.message, "reasoning_content", None)
        named = [(call.function.name, given) for call, given in calls]
        rounds.append(toolbox.round_of(choice.message.content, named, choice.finish_reason, used, thought))
        if not calls:
            break
        messages.append(choice.message)
        for call, given in calls:
            said = toolbox.outcome(call.function.name, given)
            messages.append(
                {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": said}
            )
    return rounds


def main() -> None:
    """Run all loops and print the results."""
    loops = {"completion": loop(ask), "stream": loop(stream)}
    messages = [{"role": "user", "content": toolbox.REPORT}]
    parsed = {
        name: json.loads(call(messages, response_format=Report).choices[0].message.content)
        for name, call in (("completion", ask), ("stream", stream))
    }
    toolbox.print_results(loops, parsed)


if __name__ == "__main__":
    main()

"""OpenAI's Python SDK on the Responses API: `create`, `.stream()` and `.parse()`, continued by id and by replay."""

import json
from collections.abc import Callable
from typing import Any

import openai

from tests.clients.agent_loops import toolbox
from tests.clients.agent_loops.client_openai import Mail, Report, Weather

Ask = Callable[..., Any]


def tool(model: Any, name: str) -> dict[str, Any]:
    """Return a function in the form of the Responses API."""
    function = openai.pydantic_function_tool(model, name=name)["function"]
    return {"type": "function", **function}


TOOLS = [tool(Weather, "get_weather"), tool(Mail, "send_mail")]


def loop(ask: Ask, *, follows: bool = True, **fields: Any) -> list[dict[str, Any]]:
    """Run rounds until the model makes no more calls. Continue by id, or send everything again if not `follows`."""
    given: Any = [{"role": "user", "content": toolbox.QUESTION}]
    rounds: list[dict[str, Any]] = []
    previous: str | None = None
    while len(rounds) < toolbox.MAX_ROUNDS:
        response = ask(
            model=toolbox.MODEL,
            input=given,
            tools=TOOLS,
            reasoning={"summary": "auto"},
            store=follows,
            previous_response_id=previous,
            **fields,
        )
        calls = [item for item in response.output if item.type == "function_call"]
        rounds.append(round_of(response, calls))
        if not calls:
            break
        results = [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": toolbox.outcome(call.name, json.loads(call.arguments)),
            }
            for call in calls
        ]
        previous = response.id if follows else None
        given = results if follows else [*given, *response.output, *results]
    return rounds


def round_of(response: Any, calls: Any) -> dict[str, Any]:
    """Return one answer. It has a status instead of a finish reason."""
    used = response.usage.input_tokens, response.usage.output_tokens
    assert sum(used) == response.usage.total_tokens
    assert response.status == "completed"
    thought = "".join(
        part.text for item in response.output if item.type == "reasoning" for part in item.summary
    )
    named = [(call.name, json.loads(call.arguments)) for call in calls]
    return toolbox.round_of(response.output_text, named, None, used, thought)


def streaming(responses: Any) -> Ask:
    """The `.stream()` helper as a function with the final response; its events have to add up to the same."""

    def ask(**fields: Any) -> Any:
        with responses.stream(**fields) as stream:
            events = list(stream)
            final = stream.get_final_response()
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == final.output_text
        done = [event for event in events if event.type == "response.function_call_arguments.done"]
        calls = [item for item in final.output if item.type == "function_call"]
        assert [event.arguments for event in done] == [call.arguments for call in calls]
        return final

    return ask


def main() -> None:
    """Run all loops and print the results."""
    with openai.OpenAI(base_url=toolbox.base_url(), api_key="unused", max_retries=0, timeout=60) as client:
        responses: Any = client.responses
        loops = {
            "create": loop(responses.create),
            "create, replayed": loop(responses.create, follows=False),
            "stream": loop(streaming(responses)),
            "parse into a report": loop(responses.parse, text_format=Report),
        }
        parsed = responses.parse(model=toolbox.MODEL, input=toolbox.REPORT, text_format=Report).output_parsed
    assert isinstance(parsed, Report)
    toolbox.print_results(loops, {"parse": parsed.model_dump()})


if __name__ == "__main__":
    main()

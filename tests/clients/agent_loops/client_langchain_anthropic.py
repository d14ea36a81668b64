"""LangChain's ChatAnthropic: a bound model in a loop, complete and streamed, and `with_structured_output`."""

from collections.abc import Callable
from typing import Any

from langchain_anthropic import ChatAnthropic  # type: ignore[import-not-found]
from langchain_core.messages import HumanMessage, ToolMessage  # type: ignore[import-not-found]
from langchain_core.tools import tool  # type: ignore[import-not-found]
from pydantic import BaseModel

from tests.clients.agent_loops import toolbox

TOOLS = [tool(function) for function in toolbox.TOOLS.values()]


class Report(BaseModel):
    """The weather in one place."""

    city: str
    degrees: int


def loop(ask: Callable[[list[Any]], Any]) -> list[dict[str, Any]]:
    """Run rounds until the model makes no more calls, and return them."""
    messages: list[Any] = [HumanMessage(toolbox.QUESTION)]
    rounds: list[dict[str, Any]] = []
    while len(rounds) < toolbox.MAX_ROUNDS:
        answer = ask(messages)
        assert not answer.invalid_tool_calls
        used = answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]
        calls = [(call["name"], call["args"]) for call in answer.tool_calls]
        finish = answer.response_metadata["stop_reason"]
        rounds.append(toolbox.round_of(answer.text, calls, finish, used, thought(answer)))
        if not calls:
            break
        messages += [answer, *map(result, answer.tool_calls)]
    return rounds


def thought(answer: Any) -> str:
    """Return the text of the thinking blocks."""
    return "".join(
        block.get("reasoning", "") for block in answer.content_blocks if block["type"] == "reasoning"
    )


def result(call: Any) -> ToolMessage:
    """Return the result of a call."""
    content = toolbox.outcome(call["name"], call["args"])
    status = "error" if content.startswith("Error") else "success"
    return ToolMessage(content, tool_call_id=call["id"], status=status)


def main() -> None:
    """Run all loops and print the results."""
    url = toolbox.base_url().removesuffix("/v1")
    model: Any = ChatAnthropic(
        model=toolbox.MODEL, base_url=url, api_key="unused", max_retries=0, timeout=60, max_tokens=8000
    )
    bound = model.bind_tools(TOOLS)

    def stream(messages: list[Any]) -> Any:
        first, *others = bound.stream(messages)
        return sum(others, first)

    loops = {"invoke": loop(bound.invoke), "stream": loop(stream)}
    parsed = {
        method: model.with_structured_output(Report, method=method).invoke(toolbox.REPORT).model_dump()
        for method in ("json_schema", "function_calling")
    }
    toolbox.print_results(loops, parsed)


if __name__ == "__main__":
    main()

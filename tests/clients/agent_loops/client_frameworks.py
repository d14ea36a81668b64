"""Frameworks for agents and structured output, each in the way that its first page of documentation shows.

Prints the answer to the question or the report. The argument after the URL is the framework.
"""

import json
import sys
from typing import Any

from pydantic import BaseModel

from tests.clients.agent_loops import toolbox


class Report(BaseModel):
    """The weather in one place."""

    city: str
    degrees: int


def instructor() -> dict[str, Any]:
    """Ask instructor for a report with its defaults, which force a tool."""
    from instructor import from_provider  # type: ignore[import-not-found]

    client = from_provider(f"openai/{toolbox.MODEL}", base_url=toolbox.base_url(), api_key="unused")
    messages = [{"role": "user", "content": toolbox.REPORT}]
    return {"report": client.chat.completions.create(messages=messages, response_model=Report).model_dump()}


def dspy() -> dict[str, Any]:
    """Have DSPy fill the fields of a signature."""
    import dspy as library  # type: ignore[import-not-found]

    library.configure(
        lm=library.LM(f"openai/{toolbox.MODEL}", api_base=toolbox.base_url(), api_key="unused", cache=False)
    )
    found = library.Predict("question -> city: str, degrees: int")(question=toolbox.REPORT)
    return {"report": {"city": found.city, "degrees": found.degrees}}


def smolagents() -> dict[str, Any]:
    """Run a ToolCallingAgent of smolagents."""
    from smolagents import OpenAIServerModel, ToolCallingAgent, tool  # type: ignore[import-not-found]

    @tool  # type: ignore[untyped-decorator]
    def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: Its name.
        """
        return toolbox.get_weather(city)

    model = OpenAIServerModel(toolbox.MODEL, api_base=toolbox.base_url(), api_key="unused")
    agent = ToolCallingAgent([get_weather], model, verbosity_level=0)
    return {"answer": str(agent.run(toolbox.QUESTION))}


def main() -> None:
    """Run one framework and print what it returned."""
    frameworks = {"instructor": instructor, "dspy": dspy, "smolagents": smolagents}
    print(json.dumps(frameworks[sys.argv[2]]()))


if __name__ == "__main__":
    main()

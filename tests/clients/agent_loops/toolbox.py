"""The task of every client's agent, and the texts that tests look for. It only needs the standard library.

A client prints `{"loops": {NAME: [round, …]}, "parsed": {NAME: object}}`. `round_of` describes a round.
"""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

MODEL = "sonnet"
QUESTION = "Mail Ann the weather in Paris and in 東京."
REPORT = "Report on Paris."
NO_MAILBOX = "There is no mailbox ann@example.com."
MAX_ROUNDS = 5

Call = tuple[str, dict[str, Any]]


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 °C in {city}"


def send_mail(to: list[str], subject: str) -> str:
    """Send a mail about something."""
    raise LookupError(f"There is no mailbox {to[0]}.")


TOOLS: dict[str, Callable[..., str]] = {"get_weather": get_weather, "send_mail": send_mail}


def outcome(name: str, arguments: dict[str, Any]) -> str:
    """Return the result of a call that the client sends back. A failure is a text too."""
    try:
        return TOOLS[name](**arguments)
    except LookupError as error:
        return f"Error: {error}"


def round_of(
    text: str | None,
    calls: Sequence[Call],
    finish: str | None,
    usage: tuple[int, int],
    thought: str | None = "",
) -> dict[str, Any]:
    """Return one answer of the model as a client saw it. `usage` has the tokens of the prompt and of the answer."""
    return {
        "text": text or "",
        "calls": [list(call) for call in calls],
        "finish": finish,
        "usage": list(usage),
        "thought": thought or "",
    }


def base_url() -> str:
    """Return the base URL for SDKs; the argument of the script is the URL of the gateway."""
    return f"{sys.argv[1]}/v1"


def print_results(loops: dict[str, Any], parsed: dict[str, Any]) -> None:
    """Print the results of a client as JSON."""
    print(json.dumps({"loops": loops, "parsed": parsed}))

"""Rows that measure any OpenAI-compatible server, one function per row."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.client import Answer, Request, exchange
from bench.results import NotSupported, Row, RowFailed, percentile
from bench.targets import Target
from bench.upstream import TOOL

Messages = list[dict[str, Any]]

SYSTEM = "You are a helpful assistant. Answer with one short sentence."
QUESTION = "Say hello."
FOLLOW_UPS = 10  # later turns of one conversation
REFILL_SECONDS = 2.0  # a server has begun to start a replacement for the process that it used by then
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "The weather in a city, now.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def ask(requests: Sequence[Request], on_begun: Callable[[], None] | None = None) -> list[Answer]:
    """Send requests and return the answers. Raises RowFailed, or NotSupported if the server says so."""
    try:
        answers = exchange(requests, on_begun)
    except OSError as error:
        raise RowFailed(f"no answer: {error}") from error
    for answer in answers:
        if answer.code == "unsupported_parameter":
            raise NotSupported("not supported")
        if answer.error:
            raise RowFailed(answer.error)
    return answers


def timed(row: Row, target: Target, requests: Sequence[Request]) -> list[Answer]:
    """Send requests at once, and add times and CPU to the row. The target is settled before and after."""
    with counted(row, target):
        answers = timed_without_cpu(row, requests)
        target.settle(len(requests))
    return answers


def await_replacements(target: Target, count: int = 1) -> None:
    """Wait until the processes that were used are replaced. Within `counted`, this counts as part of the price."""
    time.sleep(REFILL_SECONDS)
    target.settle(count)


def timed_without_cpu(row: Row, requests: Sequence[Request]) -> list[Answer]:
    """Send requests at once, and add times to the row."""
    answers = ask(requests)
    row.first += [answer.first for answer in answers]
    row.last += [answer.last for answer in answers]
    return answers


@contextlib.contextmanager
def counted(row: Row, target: Target) -> Iterator[None]:
    """Add the CPU used in the block to the row."""
    before = target.cpu()
    yield
    after = target.cpu()
    if before is not None and after is not None:
        row.cpu = (row.cpu or 0.0) + after - before


def opening(system: str) -> Messages:
    """Return the messages of a new conversation."""
    return [{"role": "system", "content": system}, {"role": "user", "content": QUESTION}]


def new_system_prompt() -> str:
    """Return a system prompt that no server has seen before."""
    return f"{SYSTEM} Conversation {uuid.uuid4()}."


def new_conversation(target: Target, row: Row, times: int) -> None:
    """Measure first turns with new system prompts, for which a server cannot prepare."""
    target.settle(1)
    ask([target.chat(opening(new_system_prompt()))])  # the first request imports and compiles
    await_replacements(target)
    for _ in range(times):
        timed(row, target, [target.chat(opening(new_system_prompt()))])
    with counted(row, target):
        await_replacements(target)
    row.gateway_memory, row.cli_memory = target.memory()


def known_set_up(target: Target, row: Row, times: int) -> None:
    """Measure first turns that all have the same system prompt, as in one application."""
    system = new_system_prompt()
    for _ in range(2):  # the gateway prepares processes after two equal setups
        target.settle(1)
        ask([target.chat(opening(system))])
    await_replacements(target)
    for _ in range(times):
        timed(row, target, [target.chat(opening(system))])
    with counted(row, target):
        await_replacements(target)
    row.gateway_memory, row.cli_memory = target.memory()


def follow_up(target: Target, row: Row, times: int, between: Callable[[], None] = lambda: None) -> None:
    """Measure later turns, which send the conversation and one more message. Call `between` before each conversation.

    The work in the background that a first turn causes is over by then and does not count.
    """
    while len(row.first) < times:
        messages = opening(new_system_prompt())
        target.settle(1)
        (answer,) = ask([target.chat(messages)])
        await_replacements(target)
        between()
        with counted(row, target):  # no pauses, because idle processes use CPU too
            for _ in range(min(FOLLOW_UPS, times - len(row.first))):
                reply = {"role": "assistant", "content": answer.text}
                messages = [*messages, reply, {"role": "user", "content": QUESTION}]
                (answer,) = timed_without_cpu(row, [target.chat(messages)])
    row.gateway_memory, row.cli_memory = target.memory()


def tool_round_trip(target: Target, row: Row, times: int) -> None:
    """Measure from sending a tool result to the final answer. The request that led to the call is not timed."""
    for _ in range(times):
        messages: Messages = [
            {"role": "system", "content": new_system_prompt()},
            {"role": "user", "content": "Ask the tool for the weather in Paris, then tell me."},
        ]
        target.settle(1)
        (answer,) = ask([target.chat(messages, tools=TOOLS)])
        if not answer.calls:
            raise RowFailed("the model called no tool")
        await_replacements(target)
        calls = [call for _, call in sorted(answer.calls.items())]
        messages += [{"role": "assistant", "content": answer.text or None, "tool_calls": calls}]
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": "sunny, 21 °C"} for call in calls
        ]
        timed(row, target, [target.chat(messages, tools=TOOLS)])
    row.gateway_memory, row.cli_memory = target.memory()


def at_once(target: Target, row: Row, times: int, count: int) -> None:
    """Measure `times` rounds of `count` new conversations that start at the same moment."""
    target.settle(count)
    spreads = []
    for _ in range(times):
        answers = timed(row, target, [target.chat(opening(new_system_prompt())) for _ in range(count)])
        starts = [answer.deltas[0][0] for answer in answers]
        spreads.append(max(starts) - min(starts))
    with counted(row, target):
        await_replacements(target, count)
    row.gateway_memory, row.cli_memory = target.memory()
    if count > 1:
        row.figures["start_spread_ms"] = percentile(spreads, 0.5) * 1000
        row.remark = f"starts within {row.figures['start_spread_ms']:.0f} ms of each other"

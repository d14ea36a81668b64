"""Messages of the CLI for unit tests of the readers."""

from gateway.claude.cli.answer_reader import AnswerContext, UsageLedger
from gateway.claude.cli.protocol import ApiEvent, ApiUsage, CliMessage, ResultMessage, SystemMessage
from gateway.claude.cli.tools import ToolSet
from gateway.turn import Block, Tool, Usage

START: ApiEvent = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 10}}}


def make_context(*tools: str, ledger: UsageLedger | None = None) -> AnswerContext:
    """Return the context of a turn with these tools and a price of one dollar per output token."""
    offered = ToolSet([Tool(name, "", {}) for name in tools])
    return AnswerContext((), offered, price, ledger or UsageLedger())


def price(usage: Usage) -> float:
    return float(usage.output_tokens)


def stream(*events: ApiEvent) -> list[CliMessage]:
    """Return API events as the CLI passes them on."""
    return [{"type": "stream_event", "event": event, "parent_tool_use_id": None} for event in events]


def text(words: str) -> ApiEvent:
    """Return a piece of text."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}


def thinking(words: str) -> ApiEvent:
    """Return a piece of reasoning."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": words}}


def start_call(index: int, name: str) -> ApiEvent:
    """Return the start of a tool call."""
    block: Block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def arguments(index: int, fragment: str) -> ApiEvent:
    """Return a piece of a tool call's arguments."""
    delta = {"type": "input_json_delta", "partial_json": fragment}
    return {"type": "content_block_delta", "index": index, "delta": delta}  # type: ignore[typeddict-item]


def stop_block(index: int) -> ApiEvent:
    """Return the end of a content block."""
    return {"type": "content_block_stop", "index": index}


def stop(reason: str, tokens: int = 5) -> ApiEvent:
    """Return the end of an API message."""
    usage: ApiUsage = {"input_tokens": 10, "output_tokens": tokens}
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def result(cost: float = 1.0, tokens: int = 5, **fields: object) -> ResultMessage:
    """Return the CLI's report of a complete turn."""
    message: ResultMessage = {
        "type": "result",
        "is_error": False,
        "total_cost_usd": cost,
        "usage": {"input_tokens": 10, "output_tokens": tokens},
    }
    message.update(fields)  # type: ignore[typeddict-item]
    return message


def init(*tools: str) -> SystemMessage:
    """Return the announcement of a turn."""
    return {"type": "system", "subtype": "init", "session_id": "s-1", "tools": list(tools)}

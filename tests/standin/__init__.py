"""A stand-in for Anthropic's Messages API, so that tests can run the real Claude Code CLI without an account.

It rejects what the real API rejects, sends scripted replies and records requests:

    with StandIn() as standin:
        standin.reply(text("Hello", delay=0.1), when="hi")
        …  # run the CLI with ANTHROPIC_BASE_URL=standin.url
        assert standin.messages.last.text == "hi"
"""

from .models import Model, describe
from .outputs import output
from .records import Recorded, Records
from .replies import (
    Block,
    Ending,
    Failure,
    Reply,
    blocks,
    cut,
    error,
    hang,
    raw,
    stream_error,
    text,
    text_block,
    thinking,
    thinking_block,
    tool_block,
    tool_calls,
)
from .rules import rejection
from .searches import (
    Page,
    cited,
    fetch,
    fetch_failed,
    fetched,
    found,
    search,
    search_failed,
    searches,
)
from .server import StandIn
from .signature import sign

__all__ = [
    "Block",
    "Ending",
    "Failure",
    "Model",
    "Page",
    "Recorded",
    "Records",
    "Reply",
    "StandIn",
    "blocks",
    "cited",
    "cut",
    "describe",
    "error",
    "fetch",
    "fetch_failed",
    "fetched",
    "found",
    "hang",
    "output",
    "raw",
    "rejection",
    "search",
    "search_failed",
    "searches",
    "sign",
    "stream_error",
    "text",
    "text_block",
    "thinking",
    "thinking_block",
    "tool_block",
    "tool_calls",
]

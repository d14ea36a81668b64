"""A stand-in for Anthropic's Messages API, for tests that run the real Claude Code CLI without an account."""

from .models import Model, describe
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
from .rules import refusal
from .server import StandIn
from .signature import sign

__all__ = [
    "Block",
    "Ending",
    "Failure",
    "Model",
    "Recorded",
    "Records",
    "Reply",
    "StandIn",
    "blocks",
    "cut",
    "describe",
    "error",
    "hang",
    "raw",
    "refusal",
    "sign",
    "stream_error",
    "text",
    "text_block",
    "thinking",
    "thinking_block",
    "tool_block",
    "tool_calls",
]

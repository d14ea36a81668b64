"""Digests of conversations: how a kept process is found again.

A digest covers everything that shaped the conversation up to a message. It is taken of a canonical form, in which
clients' harmless rewriting does not show: assistant text trimmed or joined, arguments re-serialised.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple
from typing import Any

import orjson

from gateway.turn import AgentWorkspace, Message, Turn


def chain(turn: Turn) -> list[bytes]:
    """The digest of the turn's set-up, and the one after each of its messages."""
    tools = [_tool(tool) for tool in turn.tools]
    whose = [turn.owner, turn.project, _workplace(turn.agent_workspace)]
    digest = _of(b"", [whose, turn.system, tools, turn.output_schema])
    digests = [digest]
    for message in turn.messages:
        digest = extend(digest, message)
        digests.append(digest)
    return digests


def extend(digest: bytes, message: Message) -> bytes:
    """The digest with one more message."""
    return _of(digest, _assistant(message) if message.role == "assistant" else list(message.content))


def _of(before: bytes, value: Any) -> bytes:
    return hashlib.blake2b(before + _dump(value), digest_size=16).digest()


def _dump(value: Any) -> bytes:
    """Always the same for the same value."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # half of a surrogate pair, or an integer of more than 64 bits
        return json.dumps(value, sort_keys=True).encode()


def _workplace(agent_workspace: AgentWorkspace | None) -> Any:
    return None if agent_workspace is None else astuple(agent_workspace)


def _tool(tool: Any) -> list[Any]:
    return [tool.name, tool.description, tool.input_schema]


def _assistant(message: Message) -> dict[str, Any]:
    text = "".join(block["text"] for block in message.content if block["type"] == "text")
    calls = [
        [block["id"], block["name"], block["input"]]
        for block in message.content
        if block["type"] == "tool_use"
    ]
    return {"text": text.strip(), "calls": calls}

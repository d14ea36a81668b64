"""Digests that identify the state of a conversation, so that a parked process can be found again.

A digest covers everything that has shaped the conversation up to one message: owner, project, system text, tools,
schema of the output tool and all messages. It is computed from a canonical form that hides harmless changes by
clients, for example trimmed or joined assistant text and reformatted JSON arguments.
"""

import hashlib
from dataclasses import astuple
from typing import Any

from gateway.lenient_json import dumps
from gateway.turn import Message, Tool, Turn


def digest_turn(turn: Turn) -> list[bytes]:
    """Return the digest of the turn's set-up, followed by the digest after each of its messages."""
    workspace = None if turn.agent_workspace is None else astuple(turn.agent_workspace)
    tools = [_canonical_tool(tool) for tool in turn.tools]
    digest = _digest(
        b"", [[turn.owner, turn.project, workspace], turn.system, tools, turn.output_tool_schema]
    )
    digests = [digest]
    for message in turn.messages:
        digest = extend_digest(digest, message)
        digests.append(digest)
    return digests


def extend_digest(digest: bytes, message: Message) -> bytes:
    """Return the digest after one more message."""
    if message.role == "assistant":
        return _digest(digest, _canonical_assistant(message))
    return _digest(digest, list(message.content))


def _digest(previous: bytes, value: Any) -> bytes:
    return hashlib.blake2b(previous + dumps(value, sort_keys=True), digest_size=16).digest()


def _canonical_tool(tool: Tool) -> list[Any]:
    return [tool.name, tool.description, tool.input_schema, tool.options, tool.mapping]


def _canonical_assistant(message: Message) -> dict[str, Any]:
    text = "".join(block["text"] for block in message.content if block["type"] == "text")
    calls = [
        [block["id"], block["name"], block["input"]]
        for block in message.content
        if block["type"] == "tool_use"
    ]
    return {"text": text.strip(), "calls": calls}

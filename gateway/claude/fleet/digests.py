"""Digests that identify the state of a conversation, so that a parked process can be found again.

A digest covers everything that has shaped the conversation up to one message: owner, project, system text, tools,
schema of the output tool and all messages. It is computed from a canonical form that hides harmless changes by
clients, for example trimmed or joined assistant text, reformatted JSON arguments, and arguments with the default of
their schema: Claude Code fills those in when it sends a call back.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from gateway.lenient_json import dumps
from gateway.turn import Message, Tool, Turn

#: Schemas of arguments by the names of their tools.
Schemas = Mapping[str, Mapping[str, Any]]


def digest_turn(turn: Turn) -> list[bytes]:
    """Return the digest of the turn's set-up, followed by the digest after each of its messages."""
    workspace = None if turn.agent_workspace is None else turn.agent_workspace.setup()
    tools = [_canonical_tool(tool) for tool in turn.tools]
    digest = _digest(
        b"", [[turn.owner, turn.project, workspace], turn.system, tools, turn.output_tool_schema]
    )
    digests, schemas = [digest], tool_schemas(turn)
    for message in turn.messages:
        digest = extend_digest(digest, message, schemas)
        digests.append(digest)
    return digests


def tool_schemas(turn: Turn) -> Schemas:
    """Return the schemas of the tools' arguments by the names of the tools."""
    return {tool.name: tool.input_schema for tool in turn.tools}


def extend_digest(digest: bytes, message: Message, schemas: Schemas) -> bytes:
    """Return the digest after one more message. `tool_schemas` returns `schemas`."""
    if message.role == "assistant":
        return _digest(digest, _canonical_assistant(message, schemas))
    return _digest(digest, list(message.content))


def _digest(previous: bytes, value: Any) -> bytes:
    return hashlib.blake2b(previous + dumps(value, sort_keys=True), digest_size=16).digest()


def _canonical_tool(tool: Tool) -> list[Any]:
    return [tool.name, tool.description, tool.input_schema, tool.options, tool.mapping]


def _canonical_assistant(message: Message, schemas: Schemas) -> dict[str, Any]:
    text = "".join(block["text"] for block in message.content if block["type"] == "text")
    calls = [
        [block["id"], block["name"], _without_defaults(block["input"], schemas.get(block["name"]))]
        for block in message.content
        if block["type"] == "tool_use"
    ]
    return {"text": text.strip(), "calls": calls}


def _without_defaults(value: Any, schema: Any) -> Any:
    """Return a value without the properties that have the default of their schema, at any depth."""
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        return [_without_defaults(item, schema.get("items")) for item in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    return {
        name: _without_defaults(inner, properties.get(name))
        for name, inner in value.items()
        if not _is_default(inner, properties.get(name))
    }


def _is_default(value: Any, schema: Any) -> bool:
    if not isinstance(schema, dict) or "default" not in schema:
        return False
    default = schema["default"]
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)

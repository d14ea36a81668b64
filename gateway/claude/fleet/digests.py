"""Digests that identify the state of a conversation, so that a parked process can be found again.

A digest covers everything that has shaped the conversation up to one message: owner, project, system text, tools,
hosted tools, schema of the output tool and all messages. It is computed from a canonical form that hides harmless
changes by clients, for example trimmed or joined assistant text, reformatted JSON arguments, and arguments with the
default of their schema: Claude Code fills those in when it sends a call back.

The calls and results of hosted tools count, unless the client's API has no form for them. Such clients send only the
texts, and still continue in the process that knows the results.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import gevent

from gateway.approvals import find_decision
from gateway.lenient_json import dumps
from gateway.remote import REMOTE, result_text
from gateway.turn import THINKING, Block, Message, Tool, Turn

LARGE_BYTES = 1 << 20  # 60 MB take 0.2 s to encode and to hash; others run in between

#: Schemas of arguments by the names of their tools.
Schemas = Mapping[str, Mapping[str, Any]]


def digest_turn(turn: Turn) -> list[bytes]:
    """Return the digest of the turn's set-up, followed by the digest after each of its messages."""
    workspace = None if turn.agent_workspace is None else turn.agent_workspace.setup()
    tools = [_canonical_tool(tool) for tool in turn.tools]
    setup: list[Any] = [[turn.owner, turn.project, workspace], turn.system, tools, turn.output_tool_schema]
    if turn.hosted_tools:
        setup.append([tool.definition for tool in turn.hosted_tools])
    if turn.is_batch:
        setup.append("batch")  # its processes have a low priority
    digest = _digest(b"", setup)
    digests, schemas = [digest], tool_schemas(turn)
    for message in turn.messages:
        digest = extend_digest(digest, message, schemas, with_hosted=not turn.drops_hosted_calls)
        digests.append(digest)
    return digests


def tool_schemas(turn: Turn) -> Schemas:
    """Return the schemas of the tools' arguments by the names of the tools."""
    return {tool.name: tool.input_schema for tool in turn.tools}


def extend_digest(digest: bytes, message: Message, schemas: Schemas, *, with_hosted: bool = True) -> bytes:
    """Return the digest after one more message. `tool_schemas` returns `schemas`.

    With `with_hosted`, the calls and results of hosted tools count.
    """
    if message.role == "assistant":
        return _digest(digest, _canonical_assistant(message, schemas, with_hosted))
    return _digest(digest, [_canonical_block(block) for block in message.content])


def _digest(previous: bytes, value: Any) -> bytes:
    data = dumps(value, sort_keys=True)
    if len(data) > LARGE_BYTES:
        gevent.sleep(0)
    return hashlib.blake2b(previous + data, digest_size=16).digest()


def _canonical_tool(tool: Tool) -> list[Any]:
    return [tool.name, tool.description, tool.input_schema, tool.options, tool.mapping]


def _canonical_block(block: Block) -> Block:
    """Return a block of a user message as it is.

    A decision says which call was approved. A client has only the text of a remote result.
    """
    if REMOTE in block:
        text, is_error = result_text(block.get("content", ())), bool(block.get("is_error"))
        return {REMOTE: block["tool_use_id"], "text": text, "is_error": is_error}
    decision = find_decision(block)
    return block if decision is None else {"decided": block["tool_use_id"], "approved": decision.approved}


def _canonical_assistant(message: Message, schemas: Schemas, with_hosted: bool) -> dict[str, Any]:
    """Return the text and the calls. With `with_hosted` also the blocks of hosted tools, and the citations of texts."""
    texts: list[str] = []
    calls: list[Any] = []
    blocks: list[Any] = []
    citations: list[Any] = []
    for block in message.content:
        kind = block["type"]
        if kind == "text":
            texts.append(block["text"])
            citations += block.get("citations") or ()
        elif kind == "tool_use":
            arguments = _without_defaults(block["input"], schemas.get(block["name"]))
            calls.append([block["id"], block["name"], arguments])
        elif kind not in THINKING:
            blocks.append(block)
    canonical: dict[str, Any] = {"text": "".join(texts).strip(), "calls": calls}
    if with_hosted and (blocks or citations):
        canonical["hosted"] = [_without_nulls(part) for part in (*blocks, *citations)]
    return canonical


def _without_nulls(value: Any) -> Any:
    """Return a value without its null values, which clients may leave out."""
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


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

"""The calls of remote tools, and their results, as blocks of an answer, in both directions.

An answer has the calls of one message of the model, then their results, and goes on. The model itself knows them as
calls of ordinary tools, whose results come in the message after them:

>>> use = {"type": "mcp_tool_use", "id": "mcptoolu_1", "server_name": "docs", "name": "search", "input": {}}
>>> result = {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "content": "Found."}
>>> parts = [ContentPart(read(given, Where("messages[1]")), Where("messages[1]"))
...          for read, given in ((read_use, use), (read_result, result))]
>>> [(role, [part.block["type"] for part in parts]) for role, parts in split_rounds(parts)]
[('assistant', ['tool_use']), ('user', ['tool_result'])]

https://platform.claude.com/docs/en/agents-and-tools/mcp-connector
"""

from typing import Any

from gateway.approvals import name_call
from gateway.dialects.common import openai_messages
from gateway.dialects.common.content import ContentPart, skip_part
from gateway.dialects.common.openai_messages import NO_OUTPUT
from gateway.dialects.common.tool_rounds import Utterance
from gateway.dialects.common.where import Where
from gateway.remote import NOT_TEXT, REMOTE, RemoteCall, RemoteResult, RemoteTools, remote_block
from gateway.turn import Block

USE, RESULT, LISTING = "mcp_tool_use", "mcp_tool_result", "mcp_tool_listing"

#: Goes before the model's id of a call.
PREFIX = "mcp"


def use_object(event: RemoteCall) -> Block:
    """Return the block of a call, without its input."""
    return {"type": USE, "id": f"{PREFIX}{event.id}", "name": event.name, "server_name": event.server}


def result_object(event: RemoteResult) -> Block:
    """Return the block of a result. Clients get only its text."""
    content = [
        {"type": "text", "text": part["text"] if part["type"] == "text" else NOT_TEXT.format(part["type"])}
        for part in event.content
    ]
    call_id = f"{PREFIX}{event.call_id}"
    return {"type": RESULT, "tool_use_id": call_id, "is_error": event.is_error, "content": content}


def listing_object(event: RemoteTools) -> Block:
    """Return the block with the tools of a server."""
    tools = [
        {
            "name": tool["name"],
            "description": tool.get("description"),
            "input_schema": tool.get("inputSchema") or {"type": "object"},
        }
        for tool in event.tools
    ]
    return {"type": LISTING, "mcp_server_name": event.server, "tools": tools}


def read_use(part: dict[str, Any], where: Where) -> Block:
    """Read a call of an earlier answer."""
    name = name_call(str(part.get("server_name") or "unknown"), str(part.get("name")))
    call_id = str(part.get("id") or "").removeprefix(PREFIX)
    return openai_messages.use_block({**part, "id": call_id, "name": name}, where)


def read_result(part: dict[str, Any], where: Where) -> Block:
    """Read a result of an earlier answer."""
    where.notes.has_remote_calls = True
    call_id = str(part.get("tool_use_id") or "").removeprefix(PREFIX)
    result = openai_messages.result_block({**part, "tool_use_id": call_id}, where)
    content = result.get("content") or [{"type": "text", "text": NO_OUTPUT}]
    return remote_block(call_id, content, is_error=part.get("is_error") is True)


def split_rounds(parts: list[ContentPart]) -> list[Utterance]:
    """Return an answer as the messages between which the gateway has called tools."""
    utterances: list[Utterance] = []
    for part in parts:
        role = "user" if REMOTE in part.block else "assistant"
        if not utterances or utterances[-1][0] != role:
            utterances.append(("user" if REMOTE in part.block else "assistant", []))
        utterances[-1][1].append(part)
    return utterances


#: The readers of an answer's blocks that remote tools bring. The lists of tools are no part of the conversation.
REMOTE_BLOCKS = {USE: read_use, RESULT: read_result, LISTING: skip_part}

"""Pass the client's functions to the CLI as tools of an SDK MCP server.

The server runs in this process: the CLI sends its JSON-RPC messages as control requests (`mcp_message`). The model
sees each function as `mcp__client__NAME`.

The CLI and the API reject some names and ids. Those are replaced by a valid form that contains a hash of the original.
The same original always gets the same form, so a conversation reads the same in every process:

>>> call_id("call 1")
'call_1_21c5c2a600ce'
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from gateway.claude.cli.protocol import InitializeRequest
from gateway.turn import Block, Message, Tool

SERVER = "client"
PREFIX = f"mcp__{SERVER}__"
PROTOCOL_VERSION = "2025-11-25"
# The CLI writes longer results of MCP tools to a file on the server and gives the model its path.
MAX_RESULT_CHARACTERS = 500_000

_VALID_NAME = re.compile(r"[a-zA-Z0-9_-]{1,115}")  # 128 with the prefix
_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_INVALID_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")


def server_name(name: str) -> str:
    """Return the name of a client's tool inside the MCP server."""
    return name if _VALID_NAME.fullmatch(name) else _with_hash(name, 100)


def model_name(name: str) -> str:
    """Return the name under which the model sees a client's tool."""
    return PREFIX + server_name(name)


def client_names(tools: Sequence[Tool]) -> dict[str, str]:
    """Return the client's tool names by the names that the model sees."""
    return {model_name(tool.name): tool.name for tool in tools}


def call_id(original: str) -> str:
    """Return the id of a tool call in a form that the API accepts."""
    return original if _VALID_ID.fullmatch(original) else _with_hash(original, 40)


def _with_hash(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_INVALID_CHARACTER.sub('_', text)[:length]}_{digest}"


def initialize_request(tools: Sequence[Tool], wait_seconds: float) -> InitializeRequest:
    """Return an `initialize` request that defines the tools.

    The CLI waits `wait_seconds` for the result of a call. The manifests save the MCP handshake.
    """
    request: InitializeRequest = {"subtype": "initialize"}
    if tools:
        request["sdkMcpServers"] = [SERVER]
        request["sdkMcpServerConfigs"] = {
            SERVER: {"timeout": int(wait_seconds * 1000), "disableAutoBackground": True}
        }
        request["sdkMcpServerManifests"] = {
            SERVER: {"initializeResult": initialize_result(), "toolsListResult": tools_list(tools)}
        }
    return request


def initialize_result() -> dict[str, Any]:
    """Return the server's answer to MCP `initialize`."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": SERVER, "version": "1"},
    }


def tools_list(tools: Sequence[Tool]) -> dict[str, Any]:
    """Return the server's answer to MCP `tools/list`.

    All tools are marked read-only, because the CLI calls only those in parallel.
    """
    return {"tools": [_describe_tool(tool) for tool in tools]}


def _describe_tool(tool: Tool) -> dict[str, Any]:
    return {
        "name": server_name(tool.name),
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {"readOnlyHint": True},
        "_meta": {"anthropic/maxResultSizeChars": MAX_RESULT_CHARACTERS},
    }


def content_for_cli(message: Message) -> list[Block]:
    """Return the blocks of a message with the names and ids of tools that the model knows."""
    return [_block_for_cli(block) for block in message.content]


def _block_for_cli(block: Block) -> Block:
    if block["type"] == "tool_use":
        return {**block, "id": call_id(block["id"]), "name": model_name(block["name"])}
    if block["type"] == "tool_result":
        block = {**block, "tool_use_id": call_id(block["tool_use_id"])}
        text = plain_text(block)
        if block.get("is_error") and text is not None:
            block["content"] = text  # the CLI reports its own failed tools in this form
    return block


def plain_text(result: Block) -> str | None:
    """Return the text of a tool_result, or None if it is blank or has anything other than text."""
    content = result.get("content") or []
    if any(part["type"] != "text" for part in content):
        return None
    text = "\n".join(part["text"] for part in content)
    return text if text.strip() else None


def mcp_result(result: Block) -> dict[str, Any]:
    """Return a tool_result as the answer to MCP `tools/call`."""
    return {"content": list(result["content"]), "isError": bool(result.get("is_error"))}


def fits_mcp(result: Block) -> bool:
    """Return True if the model would see this tool_result unchanged when it is sent over MCP.

    The CLI scales images, replaces empty results with its own words, and stores very long results in a file.
    """
    text = plain_text(result)
    return text is not None and len(text) < MAX_RESULT_CHARACTERS // 2

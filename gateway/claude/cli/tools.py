"""The client's functions as tools of an SDK MCP server, which is how the CLI lets a program define tools.

The model sees `mcp__client__NAME`. Names and ids that the CLI or the API would refuse are replaced by a fit form with a
hash of the original in it: always the same one, so that a conversation reads the same in every process.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from gateway.turn import Block, Message, Tool

SERVER = "client"
PREFIX = f"mcp__{SERVER}__"
PROTOCOL_VERSION = "2025-11-25"
# Above this many characters a result of an MCP tool would be written to a file of the host and the model told its path.
MAX_RESULT_CHARACTERS = 500_000

_FIT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,115}")  # 128 with the prefix
_FIT_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


def server_name(name: str) -> str:
    """The tool's name inside the MCP server."""
    return name if _FIT_NAME.fullmatch(name) else _with_hash(name, 100)


def model_name(name: str) -> str:
    """The name under which the model sees a client's tool."""
    return PREFIX + server_name(name)


def client_names(tools: Sequence[Tool]) -> dict[str, str]:
    """From the model's names back to the client's."""
    return {model_name(tool.name): tool.name for tool in tools}


def call_id(original: str) -> str:
    """A tool call's id in a form that the API takes."""
    return original if _FIT_ID.fullmatch(original) else _with_hash(original, 40)


def _with_hash(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_UNFIT.sub('_', text)[:length]}_{digest}"


def initialize_fields(tools: Sequence[Tool], wait_seconds: float) -> dict[str, Any]:
    """What `initialize` needs for the tools; the manifests save the MCP handshake. {} without tools."""
    if not tools:
        return {}
    return {
        "sdkMcpServers": [SERVER],
        "sdkMcpServerConfigs": {SERVER: {"timeout": int(wait_seconds * 1000), "disableAutoBackground": True}},
        "sdkMcpServerManifests": {
            SERVER: {"initializeResult": initialize_result(), "toolsListResult": tools_list(tools)}
        },
    }


def initialize_result() -> dict[str, Any]:
    """The server's answer to MCP `initialize`."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": SERVER, "version": "1"},
    }


def tools_list(tools: Sequence[Tool]) -> dict[str, Any]:
    """The server's answer to `tools/list`. Read-only tools are asked all at once, others one after the other."""
    return {"tools": [_definition(tool) for tool in tools]}


def _definition(tool: Tool) -> dict[str, Any]:
    return {
        "name": server_name(tool.name),
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {"readOnlyHint": True},
        "_meta": {"anthropic/maxResultSizeChars": MAX_RESULT_CHARACTERS},
    }


def content_for_cli(message: Message) -> list[Block]:
    """The blocks of a message with tools' names and ids as the model knows them."""
    return [_block_for_cli(block) for block in message.content]


def _block_for_cli(block: Block) -> Block:
    if block["type"] == "tool_use":
        return {**block, "id": call_id(block["id"]), "name": model_name(block["name"])}
    if block["type"] == "tool_result":
        block = {**block, "tool_use_id": call_id(block["tool_use_id"])}
        text = plain_text(block)
        if block.get("is_error") and text is not None:
            block["content"] = text  # the form in which the CLI itself reports a failed tool
    return block


def plain_text(result: Block) -> str | None:
    """The text of a tool_result that has nothing else; None if it has, or is blank."""
    content = result.get("content") or []
    if any(part["type"] != "text" for part in content):
        return None
    text = "\n".join(part["text"] for part in content)
    return text if text.strip() else None


def mcp_result(result: Block) -> dict[str, Any]:
    """A tool_result as the answer to MCP `tools/call`."""
    return {"content": list(result["content"]), "isError": bool(result.get("is_error"))}


def fits_mcp(result: Block) -> bool:
    """Whether the model would see this tool_result unchanged if it went the way of MCP.

    The CLI scales images, replaces empty results by words of its own, and stores very long ones in a file.
    """
    text = plain_text(result)
    return text is not None and len(text) < MAX_RESULT_CHARACTERS // 2

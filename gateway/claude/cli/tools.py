"""Offer the client's tools to the model, exactly as the client defined them.

The CLI must know a tool to let the model call it, but its MCP client changes or drops definitions without a word. So
the CLI gets neutral tools `t1`, `t2`, … of an SDK MCP server, and the request to the API gets the true definitions
through `CLAUDE_CODE_EXTRA_BODY` (see `tuning`). Aliases connect the two:

    get_weather  ──toolAliases──▶  mcp__client__t1      {"type": "object"}, which accepts any arguments

The server runs in this process: the CLI sends its JSON-RPC messages as control requests (`mcp_message`).

The API rejects some names and ids. Those are replaced by a valid form that contains a hash of the original. The same
original always gets the same form, so a conversation reads the same in every process:

>>> call_id("call 1")
'call_1_21c5c2a600ce'
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.approvals import as_result, find_decision
from gateway.claude.cli.protocol import ControlResponse, InitializeRequest
from gateway.remote import REMOTE
from gateway.turn import Block, Message, Tool, Turn

SERVER = "client"
PROTOCOL_VERSION = "2025-11-25"
# The CLI writes longer results of MCP tools to a file on the server and gives the model its path.
MAX_RESULT_CHARACTERS = 500_000
#: The CLI's own tool for structured output. The CLI runs it, so a client's tool of this name needs another one.
OUTPUT_TOOL = "StructuredOutput"

_VALID_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_INVALID_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")


class ToolSet:
    """The tools of a conversation, as the client and as the model know them.

    >>> tools = ToolSet([Tool("look up", "", {"type": "object"})])
    >>> tools.model_name("look up")
    'look_up_a973a2796d13'
    >>> tools.find("look_up_a973a2796d13").name
    'look up'
    """

    def __init__(self, tools: Sequence[Tool], reserved: Iterable[str] = ()) -> None:
        """Take the client's tools, and the names that others have."""
        self._reserved = set(reserved)
        self._model_names: dict[str, str] = {}
        taken = {tool.name for tool in tools} | self._reserved
        for tool in tools:
            name = self._valid_form(tool.name)
            while name != tool.name and name in taken:
                name = _with_hash(name, 100)
            taken.add(name)
            self._model_names[tool.name] = name
        self._tools = {self._model_names[tool.name]: tool for tool in tools}

    def model_name(self, name: str) -> str:
        """Return the model's name for a client's tool. The history may name tools that are no longer offered."""
        return self._model_names.get(name) or self._valid_form(name)

    def find(self, model_name: str) -> Tool | None:
        """Return the tool that the model knows by this name."""
        return self._tools.get(model_name)

    def aliases(self) -> dict[str, str]:
        """Return the CLI's neutral names by the names that the model uses."""
        return {name: f"mcp__{SERVER}__{_neutral_name(index)}" for index, name in enumerate(self._tools)}

    def definitions(self, *, is_strict: bool, cache_ttl: str | None = None) -> list[dict[str, Any]]:
        """Return the definitions of the client's tools for the API, in the client's order.

        `strict` is left out unless `is_strict` is set, because the API may reject it for a model or for all tools in
        sum. The API takes four cache marks, and the CLI sets three: only the last tool with a mark keeps it, because it
        covers all tools before it. Longer marks must come before shorter ones, so it lasts as long as the CLI's,
        `cache_ttl`. Tools that are loaded later take no marks, and the API rejects a request without any other tools.
        """
        loaded = [name for name, tool in self._tools.items() if "defer_loading" not in tool.options]
        marked = [name for name in loaded or self._tools if "cache_control" in self._tools[name].options]
        definitions = []
        for name, tool in self._tools.items():
            options = dict(tool.options)
            if not is_strict:
                options.pop("strict", None)
            if not loaded:
                options.pop("defer_loading", None)
            if name not in marked[-1:]:
                options.pop("cache_control", None)
            elif cache_ttl is not None:
                options["cache_control"] = {"type": "ephemeral", "ttl": cache_ttl}
            described = {"description": tool.description} if tool.description else {}
            definitions.append({"name": name, **described, "input_schema": tool.input_schema, **options})
        return definitions

    def listed(self) -> dict[str, Any]:
        """Return the server's answer to MCP `tools/list`: the neutral tools.

        All tools are marked read-only, because the CLI calls only those in parallel.
        """
        tools = [
            {
                "name": _neutral_name(index),
                "description": "",
                "inputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": True},
                "_meta": {"anthropic/maxResultSizeChars": MAX_RESULT_CHARACTERS},
            }
            for index in range(len(self._tools))
        ]
        return {"tools": tools}

    def content_for_cli(self, message: Message, *, is_past: bool = False) -> list[Block]:
        """Return the blocks of a message with the names and ids of tools that the model knows.

        Decisions about calls become results; `is_past` says that the model has answered the message before.
        """
        return [
            self._block_for_cli(block if find_decision(block) is None else as_result(block, is_past=is_past))
            for block in message.content
        ]

    def _block_for_cli(self, block: Block) -> Block:
        if block["type"] == "tool_use":
            name = self.model_name(block["name"])
            tool = self.find(name)
            given = (
                block["input"]
                if tool is None or tool.mapping is None
                else tool.mapping.to_model(block["input"])
            )
            return {**block, "id": call_id(block["id"]), "name": name, "input": given}
        if block["type"] == "tool_result":
            block = {**block, "tool_use_id": call_id(block["tool_use_id"])}
            block.pop(REMOTE, None)
            text = plain_text(block)
            if block.get("is_error") and text is not None:
                block["content"] = text  # the CLI reports its own failed tools in this form
        return block

    def _valid_form(self, name: str) -> str:
        is_valid = _VALID_NAME.fullmatch(name) and name not in self._reserved
        return name if is_valid else _with_hash(name, 100)


def tool_set(turn: Turn) -> ToolSet:
    """Return the tools of a turn."""
    reserved = [tool.name for tool in turn.hosted_tools]
    if turn.output_tool_schema is not None:
        reserved.append(OUTPUT_TOOL)
    return ToolSet(turn.tools, reserved)


def output_tool(schema: Any) -> dict[str, Any]:
    """Return the definition of the CLI's own tool for structured output, as the CLI sends it to the API."""
    return {
        "name": OUTPUT_TOOL,
        "description": "return the final response as structured JSON",
        "input_schema": dict(schema),
    }


def _neutral_name(index: int) -> str:
    return f"t{index + 1}"


def call_id(original: str) -> str:
    """Return the id of a tool call in a form that the API accepts."""
    return original if _VALID_ID.fullmatch(original) else _with_hash(original, 40)


def _with_hash(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_INVALID_CHARACTER.sub('_', text)[:length]}_{digest}"


def initialize_request(tools: ToolSet, wait_seconds: float) -> InitializeRequest:
    """Return an `initialize` request that registers the tools.

    The CLI waits `wait_seconds` for the result of a call. The manifests save the MCP handshake.
    """
    request: InitializeRequest = {"subtype": "initialize"}
    if aliases := tools.aliases():
        request["toolAliases"] = aliases
        request["sdkMcpServers"] = [SERVER]
        request["sdkMcpServerConfigs"] = {
            SERVER: {"timeout": int(wait_seconds * 1000), "disableAutoBackground": True}
        }
        request["sdkMcpServerManifests"] = {
            SERVER: {
                "initializeResult": initialize_result(),
                "toolsListResult": tools.listed(),
            }
        }
    return request


def initialize_result() -> dict[str, Any]:
    """Return the server's answer to MCP `initialize`."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": SERVER, "version": "1"},
    }


def plain_text(result: Block) -> str | None:
    """Return the text of a tool_result, or None if it is blank or has anything other than text."""
    content = result.get("content") or []
    if any(part["type"] != "text" for part in content):
        return None
    text = "\n".join(part["text"] for part in content)
    return text if text.strip() else None


def mcp_result(result: Block) -> dict[str, Any]:
    """Return a tool_result as the answer to MCP `tools/call`."""
    return {
        "content": [_mcp_part(part) for part in result["content"]],
        "isError": bool(result.get("is_error")),
    }


def _mcp_part(part: Block) -> Block:
    if part["type"] == "text":
        return part
    source = part["source"]
    return {"type": "image", "data": source["data"], "mimeType": source["media_type"]}


def fits_mcp(result: Block) -> bool:
    """Return True if the model would see this tool_result unchanged when it is sent over MCP.

    The CLI replaces empty results with its own words, stores very long results in a file, and drops the images of a
    failed tool. It passes all other images on, because the dialects have scaled them to its limits.
    """
    content = result.get("content") or []
    if any(_is_encoded_image(part) for part in content) and not result.get("is_error"):
        content = [part for part in content if not _is_encoded_image(part)]
    elif plain_text(result) is None:
        return False
    is_text = all(part["type"] == "text" for part in content)
    return is_text and sum(len(part["text"]) for part in content) < MAX_RESULT_CHARACTERS // 2


def _is_encoded_image(part: Block) -> bool:
    return bool(part["type"] == "image" and part["source"]["type"] == "base64")


def rpc_response(rpc_id: Any, result: dict[str, Any]) -> ControlResponse:
    """Return the response to an MCP message of the CLI."""
    response = {"mcp_response": {"jsonrpc": "2.0", "id": rpc_id, "result": result}}
    return {"subtype": "success", "response": response}

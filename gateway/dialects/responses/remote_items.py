"""Items about remote MCP servers in a response: the lists of their tools, and the calls.

Shapes: https://platform.openai.com/docs/api-reference/responses-streaming/response/mcp_call
"""

from typing import Any

from gateway.dialects.common.input_items import APPROVAL_PREFIX, remote_item_id
from gateway.dialects.common.json_types import Item
from gateway.dialects.responses.outputs import Emit, Output
from gateway.remote import RemoteCall, RemoteResult, RemoteTools


class ToolList(Output):
    """The list of a server's tools. It can be ended at once."""

    def __init__(self, event: RemoteTools, index: int, emit: Emit) -> None:
        item: Item = {
            "id": f"mcpl_{event.server}_{index:04x}",
            "type": "mcp_list_tools",
            "server_label": event.server,
            "tools": [],
            "error": event.error or None,
        }
        super().__init__(item, index, emit)
        self._tools = event.tools
        self._report("mcp_list_tools.in_progress")
        self._report(f"mcp_list_tools.{'failed' if event.error else 'completed'}")

    def _complete(self, status: str) -> None:
        """Add the tools. The item has no status."""
        self.item["tools"] = [_describe(tool) for tool in self._tools]


class McpCall(Output):
    """A call of a remote tool. Several may be open at once: the gateway makes the calls of one message in parallel."""

    def __init__(self, event: RemoteCall, index: int, emit: Emit) -> None:
        item = {
            "id": remote_item_id(event.id, event.round),
            "type": "mcp_call",
            "status": "in_progress",
            "approval_request_id": f"{APPROVAL_PREFIX}{event.id}" if event.approved else None,
            "server_label": event.server,
            "name": event.name,
            "arguments": "",
            "output": None,
            "error": None,
        }
        super().__init__(item, index, emit)
        self._result: RemoteResult | None = None
        self._report("mcp_call.in_progress")

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the arguments' JSON."""
        self._written.append(delta)
        self._report("mcp_call_arguments.delta", delta=delta)

    def add_result(self, result: RemoteResult) -> None:
        """Add the result."""
        self._result = result

    def _complete(self, status: str) -> None:
        arguments, result = "".join(self._written) or "{}", self._result
        self.item["arguments"] = arguments
        if result is None:
            self.item["status"] = "incomplete"
            return
        self._report("mcp_call_arguments.done", arguments=arguments)
        status = "failed" if result.is_error else "completed"
        self._report(f"mcp_call.{status}")
        error = {"type": "mcp_tool_execution_error", "content": [*result.content]}
        self.item |= {
            "status": status,
            "output": result.text,
            "error": error if result.is_error else None,
        }


def _describe(tool: Any) -> Item:
    return {
        "name": tool["name"],
        "description": tool.get("description"),
        "input_schema": tool.get("inputSchema") or {"type": "object"},
        "annotations": tool.get("annotations"),
    }

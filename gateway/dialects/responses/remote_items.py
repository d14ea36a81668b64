"""Items about remote MCP servers in a response: the lists of their tools, and the calls.

Several calls may be open at once, because the gateway makes the calls of one message in parallel. Shapes:
https://platform.openai.com/docs/api-reference/responses-streaming/response/mcp_call
"""

from collections.abc import Callable
from typing import Any

from gateway.dialects.common.input_items import APPROVAL_PREFIX, remote_item_id
from gateway.dialects.common.json_types import Item
from gateway.remote import RemoteArguments, RemoteCall, RemoteResult, RemoteTools

StreamEvent = dict[str, Any]


class RemoteItems:
    """Adds items to `output`, and passes stream events to `emit`. `prepare` is called before a new item is added."""

    def __init__(
        self,
        output: list[Item],
        prepare: Callable[[], None],
        emit: Callable[[StreamEvent], None],
    ) -> None:
        self._output = output
        self._prepare = prepare
        self._emit = emit
        self._calls: dict[
            str, tuple[int, list[str]]
        ] = {}  # the index and the arguments by the id of the call

    def add_tools(self, event: RemoteTools) -> None:
        """Add the list of a server's tools."""
        item_id = f"mcpl_{event.server}_{len(self._output):04x}"
        tools = [_tool(tool) for tool in event.tools]
        item: Item = {"id": item_id, "type": "mcp_list_tools", "server_label": event.server, "tools": tools}
        item["error"] = event.error or None
        index = self._add({**item, "tools": []})
        self._report(index, "mcp_list_tools.in_progress")
        self._report(index, f"mcp_list_tools.{'failed' if event.error else 'completed'}")
        self._end(index, item)

    def start_call(self, event: RemoteCall) -> None:
        """Add a call."""
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
        index = self._add(item)
        self._calls[event.id] = (index, [])
        self._report(index, "mcp_call.in_progress")

    def add_arguments(self, event: RemoteArguments) -> None:
        """Add a fragment of the arguments of a call."""
        index, fragments = self._calls[event.call_id]
        fragments.append(event.fragment)
        self._report(index, "mcp_call_arguments.delta", delta=event.fragment)

    def end_call(self, event: RemoteResult) -> None:
        """End a call with its result."""
        index, fragments = self._calls.pop(event.call_id)
        arguments = "".join(fragments) or "{}"
        self._report(index, "mcp_call_arguments.done", arguments=arguments)
        error = {"type": "mcp_tool_execution_error", "content": [*event.content]} if event.is_error else None
        outcome = {"status": "failed" if event.is_error else "completed", "error": error}
        self._report(index, f"mcp_call.{outcome['status']}")
        self._end(index, {**self._output[index], **outcome, "arguments": arguments, "output": event.text})

    def end(self) -> None:
        """End the calls that have no result, because the answer has failed."""
        for index, fragments in self._calls.values():
            arguments = "".join(fragments) or "{}"
            self._end(index, {**self._output[index], "status": "incomplete", "arguments": arguments})
        self._calls.clear()

    def _add(self, item: Item) -> int:
        self._prepare()
        self._output.append(item)
        index = len(self._output) - 1
        self._emit({"type": "response.output_item.added", "output_index": index, "item": dict(item)})
        return index

    def _end(self, index: int, item: Item) -> None:
        self._output[index] = item
        self._emit({"type": "response.output_item.done", "output_index": index, "item": dict(item)})

    def _report(self, index: int, kind: str, **fields: Any) -> None:
        position = {"item_id": self._output[index]["id"], "output_index": index}
        self._emit({"type": f"response.{kind}", **position, **fields})


def _tool(tool: Any) -> Item:
    return {
        "name": tool["name"],
        "description": tool.get("description"),
        "input_schema": tool.get("inputSchema") or {"type": "object"},
        "annotations": tool.get("annotations"),
    }

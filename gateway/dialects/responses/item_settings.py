"""Items of the input that change the request itself: they bring tools, or change the effort.

Codex sends such items in mid-conversation, so that the beginning of the request stays the same for the prompt cache. A
tool search that the client runs returns the definitions of the tools that it has found.

>>> tools = [{"type": "function", "name": "search"}]
>>> [str(place) for _, place in find_added_tools([{"type": "additional_tools", "tools": tools}], Notes())]
['input[0].tools[0]']
>>> with_latest_effort({}, [{"type": "configuration_update", "reasoning": {"effort": "low"}}])
{'reasoning': {'effort': 'low'}}
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.dialects.common.conversation import find_newest
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.where import Notes, Where

_BRING_TOOLS = ("additional_tools", "tool_search_output")


def find_added_tools(
    given: Sequence[Any], notes: Notes, earlier: Sequence[Any] = ()
) -> list[tuple[Any, Where]]:
    """Return the tools that items bring, each with its place, in their order.

    Found tools are offered at once: only a search that runs at the model's side could load a deferred one later.
    """
    newest = find_newest(given)
    places = [notes.at(f"input[{index}]", is_past=True) for index in range(len(earlier))]
    places += [notes.at(f"input[{index}]", is_past=index < newest) for index in range(len(given))]
    return [
        (_without_deferral(tool), where.field("tools").item(index))
        for item, where in zip([*earlier, *given], places, strict=True)
        for index, tool in enumerate(_tools_of(item))
    ]


def with_latest_effort(body: Body, items: Iterable[Any]) -> Body:
    """Return the body with the effort of the newest item that changes it."""
    for item in items:
        if isinstance(item, dict) and item.get("type") == "configuration_update":
            changed = item.get("reasoning")
            if isinstance(changed, dict) and changed.get("effort") is not None:
                body = {**body, "reasoning": {**(body.get("reasoning") or {}), "effort": changed["effort"]}}
    return body


def _tools_of(item: Any) -> list[Any]:
    brings = isinstance(item, dict) and item.get("type") in _BRING_TOOLS
    tools = item.get("tools") if brings else None
    return tools if isinstance(tools, list) else []


def _without_deferral(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    if isinstance(tool.get("tools"), list):
        tool = {**tool, "tools": [_without_deferral(one) for one in tool["tools"]]}
    return {name: value for name, value in tool.items() if name != "defer_loading"}

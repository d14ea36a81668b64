"""Tools that a client loads in the middle of a conversation.

Claude Code keeps most tools out of the prompt (`defer_loading`). Its tool ToolSearch answers with references, which the
API replaces by the definitions. The CLI drops references, so they are replaced here, by the text in which the model
reads definitions:

    {"type": "tool_reference", "tool_name": "WebFetch"}
    → {"type": "text", "text": '<functions>\\n<function>{"name":"WebFetch",…}</function>\\n</functions>'}

The definition itself stays out of the prompt, so the prompt before the result does not change and stays in the cache.
System messages that add or remove tools are read in the same way.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from gateway.approvals import name_call
from gateway.tool_text import describe_tools

Definitions = Mapping[str, dict[str, Any]]

_ADDED = "\n\nThis tool is available from now on:"
_REMOVED = "\n\nThis tool is no longer available:"
_CHANGES = ("tool_addition", "tool_removal")


def load_tools(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body in which references to its tools, and changes of its tools, are texts.

    Tools that a system message defines are added to `tools`. References to other tools stay as they are.
    """
    messages = body["messages"]
    if not any(_loads_tools(message) for message in messages):
        return body
    added = [definition for message in messages for definition in _added_definitions(message)]
    given = [*(body.get("tools") or ()), *({**definition, "defer_loading": True} for definition in added)]
    known = {tool["name"]: tool for tool in given if _is_definition(tool)}
    loaded = [_load_in_message(message, known) for message in messages]
    return {**body, "messages": loaded, "tools": list({_key(tool): tool for tool in given}.values())}


def _key(tool: Any) -> Any:
    """Return the name of a defined tool; otherwise an identity, so that no tool replaces another."""
    return tool["name"] if _is_definition(tool) else id(tool)


def _is_definition(tool: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(tool, dict) and isinstance(tool.get("name"), str) and "input_schema" in tool


def _loads_tools(message: dict[str, Any]) -> bool:
    kind = _CHANGES if message["role"] == "system" else ("tool_result",)
    return any(
        part.get("type") in _CHANGES or any(_is_reference(inner) for inner in _parts(part))
        for part in _parts(message)
        if part.get("type") in kind
    )


def _parts(holder: dict[str, Any]) -> Iterable[dict[str, Any]]:
    content = holder.get("content")
    return filter(_is_object, content) if isinstance(content, list) else ()


def _is_object(part: Any) -> bool:
    return isinstance(part, dict)


def _is_reference(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "tool_reference"


def _added_definitions(message: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for part in _parts(message) if message["role"] == "system" else ():
        definition = _changed_tool(part).get("definition")
        if part.get("type") == "tool_addition" and _is_definition(definition):
            yield definition


def _changed_tool(part: dict[str, Any]) -> dict[str, Any]:
    tool = part.get("tool")
    return tool if isinstance(tool, dict) else {}


def _changed_name(tool: dict[str, Any]) -> str:
    """Return the model's name for a tool. Of a server's tools, all change if none is named."""
    name, server = (tool.get("definition") or tool).get("name"), tool.get("server_name")
    if not server:
        return str(name)
    return name_call(str(server), str(name)) if name else f"all tools of the MCP server {server}"


def _load_in_message(message: dict[str, Any], known: Definitions) -> dict[str, Any]:
    if not _loads_tools(message):
        return message
    load = _load_change if message["role"] == "system" else _load_in_result
    return {**message, "content": [load(part, known) for part in message["content"]]}


def _load_in_result(part: Any, known: Definitions) -> Any:
    """Replace the references in a tool's result: the first by the text of all, and the others by nothing."""
    if not isinstance(part, dict) or part.get("type") != "tool_result":
        return part
    named = [inner.get("tool_name") for inner in _parts(part) if _is_reference(inner)]
    found = {name: known[name] for name in named if isinstance(name, str) and name in known}
    if not found:
        return part
    texts = iter([describe_tools(found.values())])
    content = [
        {"type": "text", "text": next(texts, "")}
        if _is_reference(inner) and inner.get("tool_name") in found
        else inner
        for inner in part["content"]
    ]
    return {**part, "content": content}


def _load_change(part: Any, known: Definitions) -> Any:
    """Replace a change of the tools in a system message."""
    if not isinstance(part, dict) or part.get("type") not in _CHANGES:
        return part
    name = _changed_name(_changed_tool(part))
    if part["type"] == "tool_removal":
        return {"type": "text", "text": f"{_REMOVED} {name}"}
    text = describe_tools([known[name]]) if name in known else name
    return {"type": "text", "text": f"{_ADDED}\n{text}"}

"""The text in which a model reads the definitions of its tools."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.lenient_json import dumps


def describe_tools(definitions: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of definitions in the Messages API's form.

    Claude Code's tool ToolSearch describes this text to the model as the encoding of the tools in its prompt.

    >>> print(describe_tools([{"name": "ping", "description": "Pong.", "input_schema": {"type": "object"}}]))
    <functions>
    <function>{"description":"Pong.","name":"ping","parameters":{"type":"object"}}</function>
    </functions>
    """
    lines = ["<functions>"]
    for tool in definitions:
        described = {"description": tool.get("description", ""), "name": tool["name"]}
        line = dumps({**described, "parameters": tool["input_schema"]}).decode()
        lines.append(f"<function>{line}</function>")
    return "\n".join([*lines, "</functions>"])

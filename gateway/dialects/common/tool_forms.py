"""Offer the model every kind of client tool as a function, and remember the form in which the client knows it.

- A custom tool takes free text, optionally constrained by a grammar. It becomes a function with that text as its only
  property. https://platform.openai.com/docs/guides/function-calling#custom-tools
- A namespace holds tools, which are offered as `NAMESPACE__NAME`. Codex sends the tools of an MCP server like this.
- A tool search that the client runs is a function as well. The tools that it finds come with its output.
- Hosted tools, such as `web_search`, are no functions: see `hosted_tools`. Those that the request may not use are left
  out and named, because the model need not call them.

>>> docs = {"type": "namespace", "name": "mcp__docs", "tools": [{"type": "function", "name": "search"}]}
>>> find_forms([docs])
{'mcp__docs__search': ToolForm(name='search', namespace='mcp__docs', kind='function', is_nested=False)}
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.hosted_tools import is_allowed
from gateway.dialects.common.text import is_blank
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.dialects.common.where import Where

FUNCTIONS = (None, "function")
#: Tools that a dialect with remote MCP servers reads itself.
_ELSEWHERE = ("mcp",)
NAMESPACE = "namespace"
SEARCH = "tool_search"
#: The fields that hold the definition of a function, even if its type is an unknown one.
_DEFINITIONS = frozenset({"function", "parameters", "input_schema"})

_RAW_PARAMETERS = {
    "type": "object",
    "properties": {RAW_INPUT: {"type": "string", "description": "The tool's whole input, as plain text."}},
    "required": [RAW_INPUT],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class ToolForm:
    """The form in which a client knows a tool: its own name, its namespace, and its kind.

    `is_nested` says that the client defined a custom tool in chat's form, `{"type": "custom", "custom": {…}}`.
    """

    name: str
    namespace: str | None = None
    kind: Literal["function", "custom", "search"] = "function"
    is_nested: bool = False

    @property
    def is_custom(self) -> bool:
        """Return True for a custom tool, whose input is free text."""
        return self.kind == "custom"


#: The forms of all tools that are not plain functions, by the name that the model knows.
ToolForms = Mapping[str, ToolForm]
NO_FORMS: ToolForms = MappingProxyType({})


def offered_name(name: Any, namespace: Any) -> Any:
    """Return the name under which the model knows a tool of a namespace; other names are left unchanged."""
    is_in_namespace = isinstance(name, str) and isinstance(namespace, str) and namespace
    return f"{namespace}__{name}" if is_in_namespace else name


def as_functions(tool: Any, where: Where) -> list[tuple[Any, Where]]:
    """Return the functions that a tool at `where` stands for, each with its place; none for a hosted tool.

    Functions are not validated. Raises InvalidRequest for a malformed namespace or custom tool.
    """
    if is_client_search(tool):
        return [({**tool, "name": SEARCH}, where)]
    if not isinstance(tool, dict) or tool.get("type") in FUNCTIONS or not _DEFINITIONS.isdisjoint(tool):
        return [_plain_function(tool, where)]
    if tool["type"] == "custom":
        return [_custom_function(tool, where)]
    if tool["type"] == NAMESPACE:
        return _functions_of_namespace(tool, where)
    if not isinstance(tool["type"], str):
        raise invalid_field(where.field("type"), "Expected a string.")
    if tool["type"] in _ELSEWHERE and where.notes.takes_remote_tools:
        return []
    if not is_allowed(tool, where.notes):
        where.ignore()
    return []


def is_client_search(tool: Any) -> bool:
    """Return True for a search for tools that the client runs. OpenAI runs all others.

    https://platform.openai.com/docs/guides/tools-tool-search
    """
    return isinstance(tool, dict) and tool.get("type") == SEARCH and tool.get("execution") == "client"


def find_forms(tools: Iterable[Any]) -> dict[str, ToolForm]:
    """Return the forms of all tools that are not plain functions. Malformed tools are skipped."""
    return {name: form for name, form in _forms(tools, None) if form != ToolForm(name)}


def _forms(tools: Iterable[Any], namespace: str | None) -> Iterator[tuple[str, ToolForm]]:
    for tool in tools:
        if not isinstance(tool, dict) or (namespace is None and tool.get("type") in FUNCTIONS):
            continue
        if is_client_search(tool):
            yield SEARCH, ToolForm(SEARCH, kind="search")
            continue
        if tool.get("type") == NAMESPACE and namespace is None:
            inner = tool.get("tools")
            yield from _forms(inner if isinstance(inner, list) else (), str(tool.get("name")))
            continue
        is_custom = tool.get("type") == "custom" and _DEFINITIONS.isdisjoint(tool)
        nested = tool.get("custom" if is_custom else "function")
        name = (nested if isinstance(nested, dict) else tool).get("name")
        if isinstance(name, str):
            kind: Literal["custom", "function"] = "custom" if is_custom else "function"
            form = ToolForm(name, namespace, kind, is_custom and isinstance(nested, dict))
            yield offered_name(name, namespace), form


def _plain_function(tool: Any, where: Where) -> tuple[Any, Where]:
    if not isinstance(tool, dict):
        return tool, where
    if "input_schema" in tool:  # the form of the Messages API, which Cursor sends to chat
        return {**tool, "parameters": tool["input_schema"]}, where
    function = tool.get("function")
    if function is None and "name" in tool:
        return tool, where
    if isinstance(function, dict) and "cache_control" in tool:  # clients send it on either level
        function = {"cache_control": tool["cache_control"], **function}
    return function, where.field("function")


def _custom_function(tool: dict[str, Any], where: Where) -> tuple[dict[str, Any], Where]:
    custom = tool.get("custom")
    if custom is None:
        custom = tool
    elif isinstance(custom, dict):
        where = where.field("custom")
    else:
        raise invalid_field(where.field("custom"), "Expected an object.")
    description = _description_with_grammar(custom)
    return {"name": custom.get("name"), "description": description, "parameters": _RAW_PARAMETERS}, where


def _description_with_grammar(tool: dict[str, Any]) -> Any:
    """Return the description with the grammar, which the model can follow although nothing enforces it."""
    wanted = tool.get("format")
    wanted = wanted.get("grammar", wanted) if isinstance(wanted, dict) else {}
    grammar = wanted.get("definition") if isinstance(wanted, dict) else None
    if not isinstance(grammar, str):
        return tool.get("description")
    rule = f"`{RAW_INPUT}` must follow this grammar ({wanted.get('syntax')}):\n{grammar}"
    return f"{tool.get('description') or ''}\n\n{rule}".strip()


def _functions_of_namespace(tool: dict[str, Any], where: Where) -> list[tuple[Any, Where]]:
    name, inner = tool.get("name"), tool.get("tools")
    if not isinstance(name, str) or not name:
        raise invalid_field(where.field("name"), "Expected the name of the namespace.")
    if not isinstance(inner, list):
        raise invalid_field(where.field("tools"), "Expected a list of tools.")
    functions: list[tuple[Any, Where]] = []
    for index, one in enumerate(inner):
        place = where.field("tools").item(index)
        if isinstance(one, dict) and one.get("type") == NAMESPACE:
            raise invalid_field(place, "A namespace cannot hold another namespace.")
        for function, at in as_functions(one, place):
            functions.append((_with_namespace(function, name), at))
    if functions:
        first, at = functions[0]
        functions[0] = (_with_introduction(first, tool), at)
    return functions


def _with_namespace(function: Any, namespace: str) -> Any:
    if not isinstance(function, dict):
        return function
    return {**function, "name": offered_name(function.get("name"), namespace)}


def _with_introduction(function: Any, namespace: dict[str, Any]) -> Any:
    """Return the first function of a namespace with the namespace's description, for which there is no other place.

    Codex puts the instructions of an MCP server there.
    """
    about = namespace.get("description")
    if not isinstance(function, dict) or not isinstance(about, str) or is_blank(about):
        return function
    own = function.get("description") or ""
    introduction = f"(All tools named {offered_name('*', namespace['name'])}: {about.strip()})"
    return {**function, "description": f"{own}\n\n{introduction}".strip()}

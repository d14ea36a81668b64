"""Read the tools of a request that run at the API, and decide which of them it may use.

A hosted tool that the key may not use is left out and named, unless the request forces its call. The definitions have
the form of the Messages API, which other APIs' definitions are translated to:

>>> tool = {"type": "web_search", "filters": {"allowed_domains": ["example.com"]}}
>>> read_web_search(tool, Notes(hosted_tools=["web_search"]).at("tools[0]")).definition["allowed_domains"]
['example.com']
"""

import re
from collections.abc import Iterable
from typing import Any

from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.parameters import asks_something
from gateway.dialects.common.text import is_blank, repair_json, repair_text
from gateway.dialects.common.where import Notes, Where
from gateway.errors import InvalidRequest
from gateway.hosted import HostedTool

WEB_SEARCH = "web_search"
#: The oldest version of the search, which all models have.
SEARCH_TYPE = "web_search_20250305"

# The types of Anthropic's tools end with a date without underscores, and OpenAI's with a date that has them, if any.
_NATIVE = re.compile(r"(web_search|web_fetch)_\d{8}")
_OPENAI = re.compile(r"web_search(_preview)?(_\d{4}_\d\d_\d\d)?")
_LOCATION = ("city", "country", "region", "timezone")


def find_hosted_name(tool: Any) -> str | None:
    """Return the name of the hosted tool that a definition or a choice stands for; None for all others.

    >>> find_hosted_name({"type": "web_search_preview"}), find_hosted_name({"type": "web_fetch_20250910"})
    ('web_search', 'web_fetch')
    """
    kind = tool.get("type") if isinstance(tool, dict) else None
    if not isinstance(kind, str):
        return None
    native = _NATIVE.fullmatch(kind)
    if native is not None:
        return native[1]
    return WEB_SEARCH if _OPENAI.fullmatch(kind) else None


def is_allowed(tool: Any, notes: Notes) -> bool:
    """Return True if a definition or a choice stands for a hosted tool that the request may use."""
    return bool(notes.hosted_tools) and find_hosted_name(tool) in notes.hosted_tools


def read_hosted_tools(given: Iterable[Any], notes: Notes) -> tuple[HostedTool, ...]:
    """Return the hosted tools of `tools` that the request may use; of several with one name the last.

    Raises InvalidRequest, naming the field.
    """
    if not notes.hosted_tools:
        return ()
    found: dict[str, HostedTool] = {}
    for index, tool in enumerate(given):
        if not is_allowed(tool, notes):
            continue
        where = notes.at("tools").item(index)
        hosted = (
            _read_native(tool, where) if _NATIVE.fullmatch(tool["type"]) else read_web_search(tool, where)
        )
        if hosted.name in found:
            where.repair("duplicate-tool")
        found[hosted.name] = hosted
    return tuple(found.values())


def read_web_search(options: dict[str, Any], where: Where) -> HostedTool:
    """Return the search that OpenAI's tool or `web_search_options` ask for. Fields without effect are named."""
    definition: dict[str, Any] = {"type": SEARCH_TYPE, "name": WEB_SEARCH}
    filters = options.get("filters") or {}
    if not isinstance(filters, dict):
        raise invalid_field(where.field("filters"), "Expected an object.")
    for name in ("allowed_domains", "blocked_domains"):
        domains = _read_domains(filters.get(name), where.field("filters").field(name))
        if domains and "allowed_domains" in definition:
            where.field("filters").field(name).ignore()  # the API takes only one of the two
        elif domains:
            definition[name] = domains
    if location := _read_location(options.get("user_location"), where.field("user_location")):
        definition["user_location"] = location
    _name_ignored(options, where)
    return HostedTool(definition)


def refuse_hosted(name: str | None, field: str | Where) -> InvalidRequest:
    """Return the error for a forced call of a hosted tool that the request may not use."""
    if name is None:
        problem = "This hosted tool is not supported: nothing can run it here."
    else:
        problem = (
            f"This API key may not use the hosted tool '{name}'. The operator can allow it (HOSTED_TOOLS)."
        )
    return unsupported_field(field, f"{problem} Choose another tool, or remove this field.")


def _read_native(tool: dict[str, Any], where: Where) -> HostedTool:
    """Return a tool that is defined as the Messages API takes it. The API itself checks the definition.

    The CLI marks the tools for the cache.
    """
    definition = {name: value for name, value in tool.items() if name != "cache_control"}
    return HostedTool({"name": find_hosted_name(tool), **repair_json(definition, where)})


def _read_domains(given: Any, where: Where) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(domain, str) for domain in given):
        raise invalid_field(where, "Expected a list of domains.")
    return [repair_text(domain) for domain in given]


def _read_location(given: Any, where: Where) -> dict[str, Any]:
    """Return the user's location. Chat has an object inside; empty fields say nothing."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise invalid_field(where, "Expected an object.")
    inner = given["approximate"] if isinstance(given.get("approximate"), dict) else given
    fields = {name: inner[name] for name in _LOCATION if isinstance(inner.get(name), str)}
    fields = {name: repair_text(value) for name, value in fields.items() if not is_blank(value)}
    return {"type": "approximate", **fields} if fields else {}


def _name_ignored(options: dict[str, Any], where: Where) -> None:
    """Name the fields that ask for something that Anthropic's search does not have."""
    defaults: dict[str, tuple[Any, ...]] = {
        "search_context_size": ("medium",),
        "external_web_access": (True,),
        "search_content_types": (["text"],),
    }
    for name, value in options.items():
        if name not in ("type", "filters", "user_location") and asks_something(value, defaults.get(name, ())):
            where.field(name).ignore()

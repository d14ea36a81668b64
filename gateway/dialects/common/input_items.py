"""Read the Responses API's `input`: one message or tool call per item, so that errors name the right item.

The Responses dialect reads it, and so does chat, because Cursor posts such bodies to `/v1/chat/completions`. The result
is the input of `conversation`: chat messages, plus `function_call` and `function_call_output` items, for which chat has
no message. Calls that the client runs, such as `local_shell_call`, become function calls. Items about the work of a
server, such as `file_search_call`, become text, and items that only the server can read are left out. Items that change
the request itself, such as `additional_tools`, are no messages; `responses.item_settings` reads them.
https://platform.openai.com/docs/api-reference/responses/create#responses-create-input

>>> as_messages("Hello", Notes())
[{'role': 'user', 'content': 'Hello'}]
"""

import re
from collections.abc import Callable
from typing import Any

from gateway.approvals import Decision, name_call
from gateway.dialects.common.compaction import read_summary
from gateway.dialects.common.conversation import ROLES, find_newest
from gateway.dialects.common.field_errors import invalid_field, quote, unsupported_field
from gateway.dialects.common.hosted_blocks import SEALED, open_blocks
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.tool_call_format import RAW_INPUT
from gateway.dialects.common.tool_forms import offered_name
from gateway.dialects.common.unreadable import describe
from gateway.dialects.common.where import Notes, Where

# Fields with the arguments of a call, by priority, and fields that are about a call or output, not in it.
_ARGUMENTS = ("arguments", "action", "operation")
_ENVELOPE = ("type", "id", "call_id", "status", "name", "execution")

# Calls whose `name` is the tool's; the type says the tool of all others.
_NAMED_CALLS = ("function_call", "custom_tool_call")

#: Goes before the id of a call in the id of the request for its approval.
APPROVAL_PREFIX = "mcpr_"

# The id of an item `mcp_call`: the round of the call, if it is not the first of its answer, and the id of the call.
_REMOTE_ID = re.compile(r"mcp_(?:r(\d+)_)?(.+)")

# Text of these items is addressed to the model; text of all others is part of its answers.
_USER_ITEMS = ("agent_message",)

# Items that only their own server can read, or that say nothing to the model.
_LEFT_OUT = (
    "compaction",
    "compaction_summary",
    "context_compaction",
    "ghost_snapshot",
    "item_reference",
)


# Items that change the request instead of the conversation.
_SETTINGS = ("additional_tools", "configuration_update", "compaction_trigger")

# The message in place of an item that has nothing for the model.
_NOTHING: Item = {"role": "developer", "content": None}

#: Goes before the summary of a compacted conversation.
SUMMARY = "Summary of the conversation so far:"


def as_list(given: Any) -> list[Any]:
    """Return `input` as a list of items; a string is one message. Raises InvalidRequest."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise invalid_field("input", "Expected a string or a list of items.")
    return given


def as_messages(given: Any, notes: Notes, *, is_past: bool = False) -> list[Item]:
    """Return `input` in the form that `conversation` reads; with `is_past`, all of it is earlier than the request's.

    Raises InvalidRequest and UnsupportedParameter for new items.
    """
    items = as_list(given)
    newest = len(items) if is_past else find_newest(items)
    ran = {item.get("approval_request_id") for item in items if _is_kind(item, "mcp_call")}
    return [
        _NOTHING
        if _is_kind(item, "mcp_approval_response") and item.get("approval_request_id") in ran
        else _read_item(item, notes.at(f"input[{index}]", is_past=index < newest))
        for index, item in enumerate(items)
    ]


def _is_kind(item: Any, kind: str) -> bool:
    return isinstance(item, dict) and item.get("type") == kind


def _read_item(item: Any, where: Where) -> Item:
    if not isinstance(item, dict):
        return _text("user", item, where)
    kind = item.get("type") or "message"
    kind = kind if isinstance(kind, str) else "message"
    summary = read_summary(item.get("encrypted_content"))
    if summary is not None:
        return {"role": "user", "content": f"{SUMMARY}\n\n{summary}"}
    if kind in _SETTINGS:
        return _NOTHING
    if kind in _READERS:
        return _READERS[kind](item, where)
    if kind.endswith("_call") and item.get("call_id"):
        return _call(item, next((item[name] for name in _ARGUMENTS if name in item), _inner(item)))
    if kind.endswith("_output"):
        return _call_output({"output": _inner(item), **item}, where)
    if kind in _LEFT_OUT and where.is_past:
        where.repair("item-left-out")
        return {"role": "assistant", "content": None}
    return _text(_role(item, kind), item, where)


def _role(item: Item, kind: str) -> str:
    role = item.get("role")
    if role in ROLES:
        return str(role)
    return "user" if kind in _USER_ITEMS else "assistant"


def _text(role: str, item: Any, where: Where) -> Item:
    """Return an item of the past as text. Raises InvalidRequest or UnsupportedParameter if it is new."""
    if not where.is_past:
        raise _unknown_item(item, where)
    where.repair("part-as-text")
    return {"role": role, "content": describe(item)}


def _unknown_item(item: Any, where: Where) -> Exception:
    if not isinstance(item, dict):
        return invalid_field(where, "Expected an object.")
    problem = f"Items of type {quote(item.get('type'))} are not supported. Remove {where} from the input."
    return unsupported_field(where.field("type"), problem)


def _inner(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in _ENVELOPE}


def _message(item: Item, where: Where) -> Item:
    """Check a new message. Chat's own fields, such as `tool_calls`, stay with it."""
    if item.get("role") not in ROLES and not where.is_past:
        raise invalid_field(where.field("role"), f"Expected one of: {', '.join(ROLES)}.")
    return {"role": "user", **item}


def _agent_message(item: Item, where: Where) -> Item:
    """Read a message of another agent, which Codex passes on with its author."""
    content = item.get("content")
    if isinstance(content, list):
        content = [part for part in content if not _is_encrypted(part)]
        if len(content) < len(item["content"]):
            where.field("content").repair("item-left-out")
    return {"role": "user", "name": item.get("author"), "content": content}


def _is_encrypted(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "encrypted_content"


def _function_call(item: Item, where: Where) -> Item:
    return _call(item, item.get("arguments"))


def _custom_tool_call(item: Item, where: Where) -> Item:
    return _call(item, {RAW_INPUT: item.get("input") or ""})


def _call(item: Item, arguments: Any) -> Item:
    """Return a call with the name under which the model knows the tool."""
    name = item.get("name") if item["type"] in _NAMED_CALLS else str(item["type"]).removesuffix("_call")
    name = offered_name(name, item.get("namespace"))
    return {"type": "function_call", "call_id": item.get("call_id"), "name": name, "arguments": arguments}


def _call_output(item: Item, where: Where) -> Item:
    return {
        "type": "function_call_output",
        "call_id": item.get("call_id") or item.get("id"),
        "output": item.get("output"),
        "is_error": item.get("is_error"),
    }


def _approval_request(item: Item, where: Where) -> Item:
    name = name_call(str(item.get("server_label") or "unknown"), str(item.get("name")))
    call_id = _call_to_approve(item.get("id"))
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": item.get("arguments")}


def _approval_response(item: Item, where: Where) -> Item:
    reason = item.get("reason")
    approved = item.get("approve")
    if not isinstance(approved, bool) and not where.is_past:
        raise invalid_field(where.field("approve"), "Expected true or false.")
    decision = Decision(approved=approved is True, reason=reason if isinstance(reason, str) else "")
    call_id = _call_to_approve(item.get("approval_request_id"))
    return {"type": "function_call_output", "call_id": call_id, "decision": decision}


def remote_item_id(call_id: str, number: int) -> str:
    """Return the id of the item for a remote call in round `number`.

    >>> remote_item_id("toolu_1", 0), remote_item_id("toolu_2", 1)
    ('mcp_toolu_1', 'mcp_r1_toolu_2')
    """
    return f"mcp_r{number}_{call_id}" if number else f"mcp_{call_id}"


def _remote_call(item: Item, where: Where) -> Item:
    """Read a call of a remote tool with its result."""
    found = _REMOTE_ID.fullmatch(str(item.get("id") or ""))
    asked = item.get("approval_request_id")
    output, error = item.get("output"), item.get("error")
    if not output:
        output = (
            error if isinstance(error, str) else describe({"type": "error", "error": error}) if error else ""
        )
    return {
        "type": "remote_call",
        "call_id": _call_to_approve(asked) if asked else found[2] if found else item.get("id"),
        "round": found[1] if found else None,
        "was_asked": bool(asked),
        "name": name_call(str(item.get("server_label") or "unknown"), str(item.get("name"))),
        "arguments": item.get("arguments"),
        "output": output,
        "is_error": bool(error) or item.get("status") == "failed",
    }


def _remote_tools(item: Item, where: Where) -> Item:
    """Skip a list of tools: the servers of this request list theirs again."""
    return {"role": "assistant", "content": None}


def _call_to_approve(request_id: Any) -> Any:
    return request_id.removeprefix(APPROVAL_PREFIX) if isinstance(request_id, str) else request_id


def _web_search_call(item: Item, where: Where) -> Item:
    """Read a search with its sealed blocks. Without them, the model sees only the query."""
    if not open_blocks(item.get(SEALED)):
        return _text("assistant", item, where)
    return {"role": "assistant", "content": None, SEALED: item[SEALED]}


def _reasoning(item: Item, where: Where) -> Item:
    """Drop reasoning: this model cannot use another model's thoughts, encrypted or not."""
    if item.get("encrypted_content") or item.get("summary") or item.get("content"):
        where.repair("item-left-out")
    return {"role": "assistant", "content": None}


_READERS: dict[str, Callable[[Item, Where], Item]] = {
    "agent_message": _agent_message,
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _call_output,
    "custom_tool_call": _custom_tool_call,
    "custom_tool_call_output": _call_output,
    "mcp_approval_request": _approval_request,
    "mcp_approval_response": _approval_response,
    "mcp_call": _remote_call,
    "mcp_list_tools": _remote_tools,
    "reasoning": _reasoning,
    "web_search_call": _web_search_call,
}

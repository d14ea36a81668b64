"""Translate a Messages API request into a Turn. `answers` translates back.

Shapes: https://platform.claude.com/docs/en/api/messages. A Turn already uses the terms of the Messages API, so there is
little to translate. Parameters that the CLI cannot pass on are refused, or ignored and named.
"""

import re
from collections.abc import Collection, Container
from dataclasses import dataclass, replace
from typing import Any

from gateway.dialects.common.adjust import adjust_parameters
from gateway.dialects.common.content import read_texts
from gateway.dialects.common.conversation import (
    arrange_messages,
    find_newest,
    name_ignored_fields,
    read_unknown_role,
)
from gateway.dialects.common.field_errors import invalid_field, unsupported_field
from gateway.dialects.common.hosted_tools import read_hosted_tools
from gateway.dialects.common.openai_parameters import MAX_TOP_K, read_top_k, unique_stops
from gateway.dialects.common.output_schema import read_described_schema
from gateway.dialects.common.parameters import asks_something, effective_top_p, header_names
from gateway.dialects.common.reasoning import DISPLAYS, cut_budget, read_effort, read_thinking
from gateway.dialects.common.stored_files import FileReader
from gateway.dialects.common.system_notes import read_system
from gateway.dialects.common.text import is_blank, repair_json, repair_text
from gateway.dialects.common.tool_definitions import HONORED_FIELDS
from gateway.dialects.common.tool_rounds import Utterance
from gateway.dialects.common.where import Notes, Where
from gateway.dialects.messages.caching import read_lifetime
from gateway.dialects.messages.content import read_message
from gateway.dialects.messages.remote_tools import LISTING_BETA, read_servers
from gateway.dialects.messages.tool_loading import load_tools
from gateway.dialects.messages.tools import is_server_tool, read_choice, read_tools
from gateway.json_schema import OutputSchema
from gateway.repairs import Repair
from gateway.serving import Serving
from gateway.turn import MIN_THINKING_BUDGET, Message, Sampling, Turn

#: The beta with which a thinking budget may exceed `max_tokens`.
INTERLEAVED = "interleaved-thinking-2025-05-14"
#: The beta with which older models have a context window of a million tokens.
WIDE_CONTEXT = "context-1m-2025-08-07"

_HONORED = frozenset({
    "messages", "model", "max_tokens", "system", "stream", "stop_sequences", "temperature", "top_p", "tools",
    "tool_choice", "thinking", "thread", "output_config", "output_format", "cache_control",
    "context_management", "top_k", "service_tier", "speed", "mcp_servers",
})  # fmt: skip

_REFUSED = {
    "container": "Containers are not supported. Remove this parameter.",
}

# Values of ignored parameters that ask for nothing.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "inference_geo": ("global",),
}

_RANGES = {"temperature": 1.0, "top_p": 1.0, "top_k": MAX_TOP_K}

# Inner fields that have an effect. `cache_control` needs none, because the CLI marks what to cache.
_HONORED_INNER = {"thinking": {"type", "budget_tokens", "display"}, "output_config": {"effort", "format"}}

# The edits that the beta `context-management-2025-06-27` allows. The CLI always sends this beta.
_EDITS = ("clear_tool_uses_", "clear_thinking_")

_ROLES = ("user", "assistant", "system")

# The header in which Claude Code tells Anthropic about itself, as a text of the system prompt. The CLI sends its own.
_ATTRIBUTION = re.compile(r"x-anthropic-billing-header:[^\n]*\n?")


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A translated request: the turn to run, and how to send the answer.

    `ignored` names parameters without effect, and `repaired` lists its repairs. Without `shows_thinking`, thinking is
    left out of the answer: some models think although it is turned off. With `shows_listings`, the answer has the lists
    of the tools of MCP servers.
    """

    turn: Turn
    stream: bool
    ignored: tuple[str, ...]
    repaired: tuple[Repair, ...] = ()
    shows_thinking: bool = True
    shows_listings: bool = False


def parse_request(
    body: dict[str, Any],
    betas: Container[str] = (),
    held: int = 0,
    read_file: FileReader | None = None,
    hosted_tools: Collection[str] = (),
) -> MessagesRequest:
    """Translate a body that MessagesSchema or CountTokensSchema has loaded; `betas` come from its header.

    The first `held` messages were not sent with the request, but held by its thread.
    `read_file` returns the client's files, and `hosted_tools` names the hosted tools that it may use.
    Raises InvalidRequest, and UnsupportedParameter for parameters that would change the answer but cannot be honored;
    the message names the field.
    """
    for name, problem in _REFUSED.items():
        if body.get(name):
            raise unsupported_field(name, problem)
    notes = Notes(read_file, hosted_tools)
    body = load_tools(adjust_parameters(body, notes, ("max_tokens",), _RANGES))
    turn = _turn(body, notes, held, may_exceed=INTERLEAVED in betas)
    turn = replace(turn, serving=_serving(body, betas, notes))
    return MessagesRequest(
        turn,
        bool(body.get("stream")),
        _find_ignored(body, notes),
        notes.repaired,
        shows_thinking=turn.thinking is not False,
        shows_listings=LISTING_BETA in betas,
    )


def _turn(body: dict[str, Any], notes: Notes, held: int, *, may_exceed: bool) -> Turn:
    system, messages = _read_conversation(body, notes, held)
    given = body.get("tools") or []
    defined, hosted_tools = read_tools(given, notes), read_hosted_tools(given, notes)
    servers = read_servers(body, notes)
    config = body.get("output_config") or {}
    thinking = body.get("thinking") or {}
    return Turn(
        messages=messages,
        requested_model=body.get("model") or None,
        system=system,
        sampling=_sampling(body),
        tools=defined,
        tool_choice=read_choice(body.get("tool_choice") or {}, given, defined, hosted_tools, servers),
        hosted_tools=hosted_tools,
        remote_servers=servers,
        shows_remote_calls=bool(servers),
        output_schema=_schema(body, config, notes),
        effort=_effort(body, config, notes, held),
        thinking=read_thinking(thinking) if thinking.get("type") else False,
        thinking_budget=_budget(body, notes, may_exceed),
        context_edits=_context_edits(body.get("context_management") or {}, notes.at("context_management")),
    )


def _read_conversation(
    body: dict[str, Any], notes: Notes, held: int
) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """Return the texts of the system prompt, and the messages."""
    system = _read_system_prompt(body.get("system") or [], notes.at("system"))
    utterances: list[Utterance] = []
    newest = find_newest(body["messages"])
    for index, message in enumerate(body["messages"]):
        where = notes.at(_path(index, held), is_past=index < newest)
        is_system = message["role"] == "system"
        name_ignored_fields(message, where, ("output_config",) if is_system else ())
        if is_system:
            read_system(message.get("content"), where.field("content"), system, utterances)
        elif message["role"] in ("user", "assistant"):
            utterances += read_message(message, where.field("content"))
        else:
            utterances.append(("user", read_unknown_role(message, where, _ROLES)))
    texts = tuple(text for text in system if not is_blank(text))
    return texts, arrange_messages(utterances, notes.at("messages"), has_system=bool(texts))


def _read_system_prompt(given: Any, where: Where) -> list[str]:
    if isinstance(given, str):
        return [repair_text(given)]
    texts = []
    for index, text in enumerate(read_texts(given, where)):
        if _ATTRIBUTION.fullmatch(text):
            where.item(index).ignore()
        else:
            texts.append(text)
    return texts


def _path(index: int, held: int) -> str:
    """Return the path of a message. Clients count those that they have sent."""
    return f"thread[{index}]" if index < held else f"messages[{index - held}]"


def _effort(body: dict[str, Any], config: dict[str, Any], notes: Notes, held: int) -> str | None:
    """Return the effort that was set last. A system message sets it for all that follows."""
    effort, _ = read_effort(config.get("effort"), notes.at("output_config.effort"))
    for index, message in enumerate(body["messages"]):
        own = message.get("output_config") if message["role"] == "system" else None
        if own is None:
            continue
        where = notes.at(f"{_path(index, held)}.output_config")
        word = own.get("effort") if isinstance(own, dict) else None
        if isinstance(word, str):
            effort = read_effort(word, where.field("effort"))[0] or effort
        else:
            where.ignore()
    return effort


def _sampling(body: dict[str, Any]) -> Sampling:
    return Sampling(
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=effective_top_p(body.get("top_p")),
        top_k=read_top_k(body),
        stop=unique_stops(body.get("stop_sequences") or ()),
    )


def _serving(body: dict[str, Any], betas: Container[str], notes: Notes) -> Serving:
    """Return how the API shall serve the turn. Values that the API does not have are noted as ignored."""
    known = {"service_tier": ("auto", "standard_only"), "speed": ("standard", "fast")}
    for name, values in known.items():
        if body.get(name) not in (None, "", *values):
            notes.ignore(name)
    display = (body.get("thinking") or {}).get("display")
    if display not in (None, *DISPLAYS):
        notes.ignore("thinking.display")
    return Serving(
        fast=body.get("speed") == "fast",
        tier="standard_only" if body.get("service_tier") == "standard_only" else None,
        cache=read_lifetime(body),
        hides_thinking=display == "omitted",
        wide_context=WIDE_CONTEXT in betas,
    )


def _context_edits(management: dict[str, Any], where: Where) -> tuple[dict[str, Any], ...]:
    """Return the edits that the API makes to a long prompt. The CLI asks for no others than `_EDITS`."""
    for name in management.keys() - {"edits"}:
        where.field(name).ignore()
    edits = management.get("edits") or []
    if not isinstance(edits, list):
        raise invalid_field(where.field("edits"), "Expected a list.")
    known = []
    for index, edit in enumerate(edits):
        place = where.field("edits").item(index)
        if isinstance(edit, dict) and str(edit.get("type")).startswith(_EDITS):
            known.append(repair_json(edit, place))
        else:
            place.ignore()
    return tuple(known)


def _schema(body: dict[str, Any], config: dict[str, Any], notes: Notes) -> OutputSchema | None:
    """Return the JSON schema in `output_config.format`, or in the older `output_format`."""
    where, wanted = notes.at("output_config.format"), config.get("format")
    if wanted is None:
        where, wanted = notes.at("output_format"), body.get("output_format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid_field(where.field("type"), "Expected 'json_schema'.")
    return read_described_schema(wanted, where)


def _budget(body: dict[str, Any], notes: Notes, may_exceed: bool) -> int | None:
    """Return the thinking budget. With interleaved thinking it may exceed `max_tokens`, which the CLI cannot send."""
    thinking = body.get("thinking") or {}
    given = thinking.get("budget_tokens")
    if thinking.get("type") != "enabled" or given is None:
        return None
    budget = given if isinstance(given, int) and not isinstance(given, bool) else 0
    if budget < MIN_THINKING_BUDGET:
        raise invalid_field(
            "thinking.budget_tokens", f"Expected an integer of {MIN_THINKING_BUDGET} or more."
        )
    if may_exceed:
        return cut_budget(budget, body.get("max_tokens"), notes.at("thinking.budget_tokens"))
    if "max_tokens" in body and budget >= body["max_tokens"]:
        raise invalid_field("max_tokens", "`max_tokens` must be greater than `thinking.budget_tokens`.")
    return budget


def _find_ignored(body: dict[str, Any], notes: Notes) -> tuple[str, ...]:
    names = {*notes.ignored}
    names |= {
        name
        for name, value in body.items()
        if name not in _HONORED and asks_something(value, _DEFAULTS.get(name, ()))
    }
    for name, honored in _HONORED_INNER.items():
        names |= {f"{name}.{key}" for key in (body.get(name) or {}).keys() - honored}
    for tool in body.get("tools") or ():
        if is_server_tool(tool):
            continue
        names |= {f"tools.{key}" for key, value in tool.items() if value and key not in HONORED_FIELDS}
    return header_names(names)

"""An Anthropic Messages request as a Turn. The other direction is in `anthropic_answers`.

Shapes: https://platform.claude.com/docs/en/api/messages. A Turn is in terms of the Messages API already, so little is
translated; what the CLI cannot pass on is refused, or ignored and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.dialects.common import parameters, reasoning, tools
from gateway.dialects.common.content import joined_text, texts
from gateway.dialects.common.conversation import alternating
from gateway.dialects.common.field_errors import invalid, quoted, unsupported
from gateway.dialects.common.output_schema import described_schema
from gateway.dialects.common.text import is_blank, well_formed
from gateway.dialects.common.tool_rounds import Utterance
from gateway.dialects.messages import content as anthropic_content
from gateway.turn import Message, Sampling, Tool, ToolChoice, Turn

MIN_BUDGET = 1024  # tokens

_HONOURED = frozenset({
    "messages", "model", "max_tokens", "system", "stream", "stop_sequences", "temperature", "top_p", "tools",
    "tool_choice", "thinking", "output_config", "output_format", "cache_control",
})  # fmt: skip

_REFUSED = {
    "container": "There are no containers here.",
    "mcp_servers": "The gateway connects to no MCP servers; offer their tools as `tools`.",
}

# Values of ignored parameters that ask for nothing. Empty ones never do.
_DEFAULTS = {"service_tier": ("auto", "standard_only"), "speed": ("standard",), "inference_geo": ("global",)}

# What is understood of inner fields; `cache_control` asks for what the CLI does by itself.
_INNER = {"thinking": {"type", "budget_tokens"}, "output_config": {"effort", "format"}}
_OF_A_TOOL = {"name", "description", "input_schema", "type", "cache_control"}

_CHOICES: Mapping[Any, Literal["auto", "any", "none"]] = {"auto": "auto", "any": "any", "none": "none"}


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A request understood: the turn to run, how to send the answer, and which parameters had no effect."""

    turn: Turn
    stream: bool
    ignored: tuple[str, ...]


def parse_request(body: dict[str, Any]) -> MessagesRequest:
    """Translates a body that MessagesSchema or CountTokensSchema has loaded.

    Raises InvalidRequest, or UnsupportedParameter for what would change the answer and cannot be honoured; the
    message names the field.
    """
    for name, problem in _REFUSED.items():
        if body.get(name):
            raise unsupported(name, problem)
    return MessagesRequest(_turn(body), bool(body.get("stream")), _ignored(body))


def _turn(body: dict[str, Any]) -> Turn:
    system, messages = _conversation(body)
    defined = _tools(body.get("tools") or [])
    config = body.get("output_config") or {}
    _, thinks = reasoning.translate({"thinking": body.get("thinking")})
    return Turn(
        messages=messages,
        requested_model=body.get("model") or None,
        system=system,
        sampling=_sampling(body),
        tools=defined,
        tool_choice=_choice(body.get("tool_choice") or {}, defined),
        output_schema=_schema(body, config),
        effort=config.get("effort"),
        thinking=thinks,
        thinking_budget=_budget(body),
    )


def _conversation(body: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """The system texts, those in mid-conversation hoisted as in chat, and the messages."""
    given = body.get("system") or []
    system = [well_formed(given)] if isinstance(given, str) else texts(given, "system")
    said: list[Utterance] = []
    for index, message in enumerate(body["messages"]):
        where = f"messages[{index}].content"
        if message["role"] == "system":
            system.append(joined_text(message.get("content"), where))
        else:
            said.append((message["role"], anthropic_content.pieces(message, where)))
    return tuple(text for text in system if not is_blank(text)), alternating(said, "messages")


def _sampling(body: dict[str, Any]) -> Sampling:
    top_p = body.get("top_p")
    return Sampling(
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=None if top_p == 1 else top_p,  # the default; models refuse it beside temperature
        stop=tuple(well_formed(stop) for stop in body.get("stop_sequences") or () if stop),
    )


def _tools(given: list[dict[str, Any]]) -> tuple[Tool, ...]:
    defined = []
    for index, tool in enumerate(given):
        where = f"tools[{index}]"
        if tool.get("type") not in (None, "custom"):
            raise unsupported(
                f"{where}.type",
                f"Tools of type {quoted(tool['type'])} are Anthropic's own; only custom tools are passed on.",
            )
        defined.append(tools.define(tool, where, "input_schema"))
    tools.refuse_repeated(defined, len(defined))
    return tuple(defined)


def _choice(wanted: dict[str, Any], defined: tuple[Tool, ...]) -> ToolChoice:
    kind = wanted.get("type", "auto")
    parallel = wanted.get("disable_parallel_tool_use") is not True
    if kind not in (*_CHOICES, "tool"):
        raise invalid("tool_choice.type", "Expected 'auto', 'any', 'tool' or 'none'.")
    if not defined:
        if kind in ("any", "tool"):
            raise invalid("tool_choice", "There are no tools to choose from.")
        return ToolChoice()
    if kind != "tool":
        return ToolChoice(_CHOICES[kind], parallel=parallel)
    name = wanted.get("name")
    if name not in [tool.name for tool in defined]:
        raise invalid("tool_choice.name", f"There is no tool named {quoted(name)}.")
    return ToolChoice("tool", name, parallel)


def _schema(body: dict[str, Any], config: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema in `output_config.format`, or in its older spelling `output_format`."""
    where, wanted = "output_config.format", config.get("format")
    if wanted is None:
        where, wanted = "output_format", body.get("output_format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid(f"{where}.type", "Expected 'json_schema'.")
    return described_schema(wanted, where)


def _budget(body: dict[str, Any]) -> int | None:
    thinking = body.get("thinking") or {}
    given = thinking.get("budget_tokens")
    if thinking.get("type") != "enabled" or given is None:
        return None
    budget = given if isinstance(given, int) and not isinstance(given, bool) else 0
    if budget < MIN_BUDGET:
        raise invalid("thinking.budget_tokens", f"Expected an integer of {MIN_BUDGET} or more.")
    if "max_tokens" in body and budget >= body["max_tokens"]:
        raise invalid("max_tokens", "`max_tokens` must be greater than `thinking.budget_tokens`.")
    return budget


def _ignored(body: dict[str, Any]) -> tuple[str, ...]:
    names = {name for name, value in body.items() if name not in _HONOURED and _asks(name, value)}
    for name, understood in _INNER.items():
        names |= {f"{name}.{key}" for key in (body.get(name) or {}).keys() - understood}
    for tool in body.get("tools") or ():
        names |= {f"tools.{key}" for key, value in tool.items() if value and key not in _OF_A_TOOL}
    return parameters.named(names)


def _asks(name: str, value: Any) -> bool:
    return value not in (None, "", [], {}) and value not in _DEFAULTS.get(name, ())

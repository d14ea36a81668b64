"""Translate a Responses API request into a Turn. `builder` and `answers` translate back.

https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.dialects.common.adjust import adjust_parameters
from gateway.dialects.common.conversation import read_conversation
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.input_items import as_messages
from gateway.dialects.common.json_types import Body, Item
from gateway.dialects.common.openai_parameters import COUNTS, RANGES, cap_temperature, read_top_k
from gateway.dialects.common.output_schema import read_output_format
from gateway.dialects.common.parameters import effective_top_p
from gateway.dialects.common.reasoning import cut_budget, read_reasoning
from gateway.dialects.common.serving import read_serving
from gateway.dialects.common.stored_files import FileReader
from gateway.dialects.common.tool_forms import FUNCTIONS, ToolForms, find_forms
from gateway.dialects.common.tools import Added, read_hosted, read_tools
from gateway.dialects.common.where import Notes
from gateway.dialects.responses import parameters
from gateway.dialects.responses.item_settings import find_added_tools, with_latest_effort
from gateway.dialects.responses.items import refuse_unasked_decisions
from gateway.dialects.responses.remote_tools import hide_choice, limit_servers, read_choice, read_servers
from gateway.hosted import HostedTool
from gateway.repairs import Repair
from gateway.turn import Sampling, Turn

SUMMARIES = ("auto", "concise", "detailed")


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A translated request: the turn to run, and how to send the answer.

    `ignored` names parameters without effect, and `repaired` lists its repairs. `echoed` holds the fields of the
    response object that repeat the request. With `with_summary`, the client wants to read the model's thinking.
    `tool_forms` are the forms in which it expects calls. With `compacts`, the answer is a summary of the conversation.
    """

    turn: Turn
    stream: bool
    ignored: tuple[str, ...]
    echoed: Body
    with_summary: bool = False
    repaired: tuple[Repair, ...] = ()
    tool_forms: ToolForms = field(default_factory=dict)
    compacts: bool = False


def parse_request(
    body: Body,
    given: Sequence[Item],
    earlier: Sequence[Item] = (),
    read_file: FileReader | None = None,
    hosted_tools: Collection[str] = (),
    *,
    long_cache: bool = False,
) -> ResponsesRequest:
    """Translate a body that ResponsesSchema has loaded.

    `given` is its input as items, with all references replaced; `earlier` holds the items of the previous responses.
    `read_file` returns the client's files, and `hosted_tools` names the hosted tools that it may use. With
    `long_cache`, it may cache its prompt for long.
    Raises InvalidRequest and UnsupportedParameter; both name the field in `param`.
    """
    parameters.refuse_unsupported(body)
    refuse_unasked_decisions(given, earlier)
    notes = Notes(read_file, hosted_tools, long_cache=long_cache)
    notes.takes_remote_tools = True
    body = adjust_parameters(body, notes, COUNTS, RANGES)
    summary = _read_summary(body.get("reasoning") or {})
    added = find_added_tools(given, notes, earlier)
    turn = _turn(with_latest_effort(body, [*earlier, *given]), given, earlier, notes, added)
    has_hosted = bool(turn.hosted_tools)
    return ResponsesRequest(
        turn=turn,
        stream=bool(body.get("stream")),
        ignored=parameters.find_ignored(body, notes.ignored, has_hosted=has_hosted),
        echoed=_echo(body, summary, has_hosted=has_hosted),
        with_summary=summary is not None,
        repaired=notes.repaired,
        tool_forms=find_forms([*(body.get("tools") or ()), *(tool for tool, _ in added)]),
    )


def _turn(body: Body, given: Sequence[Item], earlier: Sequence[Item], notes: Notes, added: Added) -> Turn:
    servers = read_servers(body.get("tools") or (), notes, [*earlier, *given])
    has_remote = bool(servers)
    servers = limit_servers(servers, body.get("tool_choice"))
    hosted_tools = _limit_calls(read_hosted(body, notes), body.get("max_tool_calls"))
    tools, choice = read_tools(hide_choice(body, servers), notes, added, hosted_tools, has_remote=has_remote)
    history = as_messages(list(earlier), notes, is_past=True)
    system, messages = read_conversation(
        as_messages(list(given), notes),
        notes,
        body.get("instructions"),
        "input",
        history,
        history_name="input",
    )
    effort, thinking, budget = read_reasoning({"reasoning": body.get("reasoning")}, notes)
    return Turn(
        messages=messages,
        requested_model=body.get("model") or None,
        system=system,
        sampling=Sampling(
            max_tokens=body.get("max_output_tokens"),
            temperature=cap_temperature(body.get("temperature")),
            top_p=effective_top_p(body.get("top_p")),
            top_k=read_top_k(body),
        ),
        tools=tools,
        tool_choice=read_choice(body.get("tool_choice"), servers, choice),
        hosted_tools=hosted_tools,
        drops_hosted_calls=bool(hosted_tools),
        remote_servers=servers,
        shows_remote_calls=True,
        takes_approvals=True,
        output_schema=read_output_format((body.get("text") or {}).get("format"), notes.at("text.format")),
        effort=effort,
        thinking=thinking,
        thinking_budget=cut_budget(budget, body.get("max_output_tokens"), notes.at("reasoning.max_tokens")),
        serving=read_serving({**body, "input": [*earlier, *given]}, notes),
    )


def _limit_calls(tools: tuple[HostedTool, ...], limit: Any) -> tuple[HostedTool, ...]:
    """Return the tools with at most `max_tool_calls` calls each."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        return tools
    return tuple(HostedTool({**tool.definition, "max_uses": limit}) for tool in tools)


def _read_summary(wanted: Body) -> str | None:
    """Return the kind of summary; `generate_summary` is the older name."""
    for name in ("summary", "generate_summary"):
        value = wanted.get(name)
        if value in SUMMARIES:
            return str(value)
        if value is not None:
            raise invalid_field(f"reasoning.{name}", f"Expected one of: {', '.join(SUMMARIES)}.")
    return None


def _echo(body: Body, summary: str | None, *, has_hosted: bool) -> Body:
    return {
        "background": bool(body.get("background")),
        "frequency_penalty": 0,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls") if has_hosted else None,
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "presence_penalty": 0,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": _echo_text(body.get("prompt_cache_key")),
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort") or None, "summary": summary},
        "safety_identifier": _echo_text(body.get("safety_identifier")),
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": _or_default(cap_temperature(body.get("temperature"))),
        "text": {"format": _echo_format((body.get("text") or {}).get("format")), "verbosity": "medium"},
        "tool_choice": _echo_choice(body.get("tool_choice")),
        "tools": [_echo_tool(tool) for tool in body.get("tools") or ()],
        "top_logprobs": 0,
        "top_p": _or_default(body.get("top_p")),
        "truncation": "disabled",
        "user": _echo_text(body.get("user")),
    }


def _or_default(value: float | None) -> float:
    """Return a sampling parameter, or the default that both APIs have for it. The field may not be null."""
    return 1.0 if value is None else value


def _echo_text(value: Any) -> str | None:
    """Return a parameter without effect, unless it has a wrong type: such parameters may have any value."""
    return value if isinstance(value, str) else None


def _echo_format(wanted: Body | None) -> Body:
    if wanted is None:
        return {"type": "text"}
    if wanted["type"] != "json_schema":
        return {"type": wanted["type"]}
    described = wanted["json_schema"] if isinstance(wanted.get("json_schema"), dict) else wanted
    name = described.get("name")
    return {
        "type": "json_schema",
        "name": name if isinstance(name, str) else "response",
        "description": _echo_text(described.get("description")),
        "schema": described["schema"],
        "strict": described.get("strict") is not False,
    }


def _echo_tool(tool: Body) -> Body:
    if tool.get("type") not in FUNCTIONS:  # a response is stored, and secrets must not be
        return {name: value for name, value in tool.items() if name not in ("headers", "authorization")}
    function = tool if "name" in tool else tool["function"]
    return {
        "type": "function",
        "name": function["name"],
        "description": function.get("description"),
        "parameters": function.get("parameters"),
        "strict": function.get("strict") is not False,
    }


def _echo_choice(wanted: Any) -> Any:
    """Return the choice in this API's form; the client may have used chat's."""
    if not isinstance(wanted, dict):
        return {None: "auto", "any": "required"}.get(wanted, wanted)
    if wanted.get("type") == "allowed_tools":
        allowed = {"mode": "auto"} | (wanted.get("allowed_tools") or wanted)
        return {"type": "allowed_tools", "mode": allowed["mode"], "tools": allowed["tools"]}
    if wanted.get("type") not in FUNCTIONS:
        return wanted
    return {"type": "function", "name": (wanted.get("function") or wanted)["name"]}

"""A Responses API request as a Turn. The other direction is in `responses_answers`.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.dialects.common import conversation, parameters, reasoning, tools
from gateway.dialects.common import output_schema as response_format
from gateway.dialects.common.field_errors import invalid, quoted, unsupported
from gateway.dialects.responses import input as responses_input
from gateway.dialects.responses import parameters as responses_parameters
from gateway.dialects.responses.input import Item
from gateway.errors import GatewayError, InvalidRequest
from gateway.turn import Sampling, Turn

Body = dict[str, Any]

SUMMARIES = ("auto", "concise", "detailed")


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A request understood: the turn to run, and which parameters had no effect.

    `echoed` are the fields of the response object that repeat the request. `with_summary` says that the client
    wants to read the model's thinking.
    """

    turn: Turn
    echoed: Body
    ignored: tuple[str, ...]
    with_summary: bool = False


def parse_request(body: Body, given: Sequence[Item], earlier: Sequence[Item] = ()) -> ResponsesRequest:
    """Translates a body that ResponsesSchema has loaded.

    `given` is its input as items, none of them a reference; `earlier` are the items of the responses that it
    follows. Raises InvalidRequest, or UnsupportedParameter; both name the field in `param`.
    """
    responses_parameters.refuse_unsupported(body)
    _refuse_hosted(body.get("tools") or ())
    summary = _summary(body.get("reasoning") or {})
    return ResponsesRequest(
        turn=_turn(body, given, earlier),
        echoed=_echoed(body, summary),
        ignored=responses_parameters.ignored_parameters(body),
        with_summary=summary is not None,
    )


def renamed(error: GatewayError) -> GatewayError:
    """An error of the run with the Responses API's name for the field it is about."""
    if error.code != "invalid_json_schema":
        return error
    where = f"{response_format.TEXT_FIELD}.schema"
    problem = f"Invalid '{where}': the schema is not one that the model can follow."
    return InvalidRequest(problem, param=where, code=error.code)


def _turn(body: Body, given: Sequence[Item], earlier: Sequence[Item]) -> Turn:
    defined, choice = tools.translate(body)
    system, messages = conversation.translate(
        responses_input.messages(list(given)),
        body.get("instructions"),
        "input",
        responses_input.messages(list(earlier)),
        "input",
    )
    effort, thinking = reasoning.translate({"reasoning": body.get("reasoning")})
    return Turn(
        messages=messages,
        requested_model=body.get("model") or None,
        system=system,
        sampling=Sampling(
            max_tokens=body.get("max_output_tokens"),
            temperature=parameters.temperature(body.get("temperature")),
            top_p=parameters.top_p(body.get("top_p")),
        ),
        tools=defined,
        tool_choice=choice,
        output_schema=response_format.text_schema((body.get("text") or {}).get("format")),
        effort=effort,
        thinking=thinking,
    )


def _refuse_hosted(given: Sequence[Any]) -> None:
    for index, tool in enumerate(given):
        kind = tool.get("type")
        if kind not in (None, "function"):
            problem = f"Tools of type {quoted(kind)} are not to be had here, only functions."
            raise unsupported(f"tools[{index}].type", problem)


def _summary(wanted: Body) -> str | None:
    """`generate_summary` is the older name."""
    for name in ("summary", "generate_summary"):
        value = wanted.get(name)
        if value in SUMMARIES:
            return str(value)
        if value is not None:
            raise invalid(f"reasoning.{name}", f"Expected one of: {', '.join(SUMMARIES)}.")
    return None


def _echoed(body: Body, summary: str | None) -> Body:
    return {
        "background": bool(body.get("background")),
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort") or None, "summary": summary},
        "service_tier": "default",
        "temperature": body.get("temperature"),
        "text": {"format": _format((body.get("text") or {}).get("format")), "verbosity": "medium"},
        "tool_choice": _choice(body.get("tool_choice")),
        "tools": [_tool(tool) for tool in body.get("tools") or ()],
        "top_logprobs": 0,
        "top_p": body.get("top_p"),
        "truncation": "disabled",
        "user": None,
    }


def _format(wanted: Body | None) -> Body:
    if wanted is None:
        return {"type": "text"}
    if wanted["type"] != "json_schema":
        return {"type": wanted["type"]}
    name = wanted.get("name")
    return {
        "type": "json_schema",
        "name": name if isinstance(name, str) else "response",
        "schema": wanted["schema"],
        "strict": wanted.get("strict") is not False,
    }


def _tool(tool: Body) -> Body:
    function = tool if "name" in tool else tool["function"]
    return {
        "type": "function",
        "name": function["name"],
        "description": function.get("description"),
        "parameters": function.get("parameters"),
        "strict": function.get("strict") is not False,
    }


def _choice(wanted: Any) -> Any:
    """In the form of this API, though chat's is understood as well."""
    if not isinstance(wanted, dict):
        return {None: "auto", "any": "required"}.get(wanted, wanted)
    if wanted.get("type") == "allowed_tools":
        allowed = {"mode": "auto"} | (wanted.get("allowed_tools") or wanted)
        return {"type": "allowed_tools", "mode": allowed["mode"], "tools": allowed["tools"]}
    return {"type": "function", "name": (wanted.get("function") or wanted)["name"]}

"""Translate a chat completion request into a Turn. `answers` translates back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.dialects.chat import parameters
from gateway.dialects.chat.cursor import PlainBody, as_chat
from gateway.dialects.common import conversation, tools
from gateway.dialects.common.hosted_tools import WEB_SEARCH, read_web_search
from gateway.dialects.common.json_types import Body
from gateway.dialects.common.openai_parameters import read_sampling
from gateway.dialects.common.output_schema import read_output_format
from gateway.dialects.common.reasoning import cut_budget, read_reasoning
from gateway.dialects.common.serving import read_serving
from gateway.dialects.common.tool_call_format import ToolCallFormat
from gateway.errors import InvalidRequest
from gateway.hosted import HostedTool
from gateway.json_schema import OutputSchema
from gateway.repairs import Repair
from gateway.turn import Turn


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A translated request: the turn to run, and how to send the answer.

    The turn is to be run `n` times; each answer is a choice. `ignored` names parameters without effect,
    and `repaired` lists its repairs. `tool_call_format` is for the encoder or collector.
    """

    turn: Turn
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]
    n: int = 1
    repaired: tuple[Repair, ...] = ()
    tool_call_format: ToolCallFormat = field(default_factory=ToolCallFormat)


def parse_request(body: Body, history: Sequence[Body] = ()) -> ChatRequest:
    """Translate a body that ChatCompletionSchema has loaded; `history` are chat messages that come before its own.

    Raises InvalidRequest, and UnsupportedParameter for parameters that would change the answer but cannot be honored;
    both name the field in `param`.
    """
    return parse_plain_body(as_chat(body), history)


def parse_plain_body(plain: PlainBody, history: Sequence[Body] = ()) -> ChatRequest:
    """Translate a body that `cursor.as_chat` has rewritten. Raises as `parse_request` does."""
    body = plain.body
    parameters.refuse_unsupported(body)
    notes = plain.notes
    return ChatRequest(
        turn=_turn(plain, history),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        ignored=parameters.find_ignored(body, notes.ignored),
        repaired=notes.repaired,
        n=body.get("n") or 1,
        tool_call_format=_call_format(plain),
    )


def find_errors(plain: PlainBody, history: Sequence[Body] = ()) -> Iterator[InvalidRequest]:
    """Yield every error for which `parse_plain_body` would reject the body, not only the first."""
    body = plain.body
    checks: list[Callable[[], object]] = [
        *(partial(parameters.refuse_unsupported, {name: value}) for name, value in body.items()),
        partial(_read_tools, plain),
        partial(read_reasoning, body, plain.notes),
        partial(_read_output_format, plain),
    ]
    for check in checks:
        try:
            check()
        except InvalidRequest as error:
            yield error
    read_file = plain.notes.read_file
    yield from conversation.find_errors(plain.messages, plain.messages_field, history, read_file)


def _call_format(plain: PlainBody) -> ToolCallFormat:
    nested = frozenset(name for name, form in plain.custom_tools.items() if form.is_nested)
    return ToolCallFormat(tools.is_deprecated(plain.body), frozenset(plain.custom_tools), nested)


def _turn(plain: PlainBody, history: Sequence[Body]) -> Turn:
    body = plain.body
    hosted_tools = _read_hosted(plain)
    defined, choice = tools.read_tools(body, plain.notes, hosted_tools=hosted_tools)
    system, messages = conversation.read_conversation(
        plain.messages,
        plain.notes,
        body.get("system_prompt"),
        plain.messages_field,
        history,
        repeats_system=True,
    )
    effort, thinking, budget = read_reasoning(body, plain.notes)
    sampling = read_sampling(body)
    return Turn(
        messages=messages,
        requested_model=body.get("model") or None,
        system=system,
        sampling=sampling,
        tools=defined,
        tool_choice=choice,
        hosted_tools=hosted_tools,
        drops_hosted_calls=bool(hosted_tools),
        output_schema=_read_output_format(plain),
        effort=effort,
        thinking=thinking,
        thinking_budget=cut_budget(budget, sampling.max_tokens, plain.notes.at("thinking.budget_tokens")),
        serving=read_serving(body, plain.notes),
    )


def _read_tools(plain: PlainBody) -> object:
    return tools.read_tools(plain.body, plain.notes, hosted_tools=_read_hosted(plain))


def _read_hosted(plain: PlainBody) -> tuple[HostedTool, ...]:
    """Return the hosted tools in `tools` and the search that `web_search_options` ask for."""
    found = tools.read_hosted(plain.body, plain.notes)
    options, where = plain.body.get("web_search_options"), plain.notes.at("web_search_options")
    if options is None:
        return found
    if WEB_SEARCH not in plain.notes.hosted_tools:
        where.ignore()
        return found
    return (*(tool for tool in found if tool.name != WEB_SEARCH), read_web_search(options, where))


def _read_output_format(plain: PlainBody) -> OutputSchema | None:
    where = plain.notes.at("response_format")
    return read_output_format(plain.body.get("response_format"), where, is_chat=True)

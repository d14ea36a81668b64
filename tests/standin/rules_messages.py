"""Rules for `system` and `messages`: roles, the rounds of tools, thinking and prefill.

Sources: Anthropic's API reference and its pages on tool use, thinking and stop reasons, and error texts that users
reported. `rules_system` has the rules for messages of role "system", and `rules_blocks` the rules for single blocks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from .models import Model
from .prompt import Body, texts, thinking_type, thinks
from .rules_blocks import Block, check_content, check_text
from .rules_media import check_image_sizes
from .rules_system import check_system_messages
from .signature import is_altered

MAX_MESSAGES = 100_000
_NO_USE = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
_NO_RESULT = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
_END_WITH_USER = "The conversation must end with a user message."
_MODIFIED = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must"
    " remain as they were in the original response."
)
_THOUGHTS = ("thinking", "redacted_thinking")


@dataclass
class Turn:
    """Consecutive messages of one role, which the API combines. Each block comes with the place of its message."""

    index: int
    role: str
    blocks: list[tuple[int, int, Block]] = field(default_factory=list)
    calls: list[tuple[str, Block]] = field(default_factory=list)
    results: list[tuple[str, Block]] = field(default_factory=list)
    has_server_tools: bool = False

    def add(self, message: int, index: int, block: Block) -> None:
        """Append a block, and sort it by its part in the rounds of tools."""
        self.blocks.append((message, index, block))
        kind = block["type"]
        if kind == "tool_use":
            self.calls.append((_path(message, index), block))
        elif kind == "tool_result":
            self.results.append((_path(message, index), block))
        elif kind.endswith(("tool_use", "tool_result")):
            self.has_server_tools = True


def _path(message: int, index: int) -> str:
    return f"messages.{message}.content.{index}"


def _system(body: Body, _model: Model) -> Iterator[str]:
    system = body.get("system")
    for index, block in enumerate(system if isinstance(system, list) else ()):
        yield from check_text(f"system.{index}", block)


def _messages(body: Body, model: Model) -> Iterator[str]:
    messages = body["messages"]
    if not messages:
        yield "messages: at least one message is required"
    if len(messages) > MAX_MESSAGES:
        yield f"messages: List should have at most {MAX_MESSAGES} items after validation, not {len(messages)}"
    for index, message in enumerate(messages):
        if message["role"] != "system":
            yield from check_content(f"messages.{index}", message["role"], message["content"])
    yield from check_image_sizes(body, model.window)
    yield from check_system_messages(messages, model)
    turns = _turns(body)
    if not turns or turns[0].role != "user":
        yield 'messages: first message must use the "user" role'
    for rule in _TURN_RULES:
        yield from rule(turns, body, model)


def _turns(body: Body) -> list[Turn]:
    turns: list[Turn] = []
    for index, message in enumerate(body["messages"]):
        role, content = message["role"], message["content"]
        if role == "system":
            continue
        if not turns or turns[-1].role != role:
            turns.append(Turn(index, role))
        if not isinstance(content, str):
            for at, block in enumerate(content):
                turns[-1].add(index, at, block)
        elif content:
            turns[-1].blocks.append((index, 0, {"type": "text", "text": content}))
    return turns


def _not_empty(turns: list[Turn], _body: Body, _model: Model) -> Iterator[str]:
    for turn in turns:
        if not turn.blocks:
            yield f"messages.{turn.index}: {turn.role} messages must have non-empty content"


def _tool_rounds(turns: list[Turn], _body: Body, _model: Model) -> Iterator[str]:
    known: set[str] = set()
    calls: list[str] = []
    for turn, following in zip_longest(turns, turns[1:]):
        if calls or turn.results:
            yield from _answers(calls, turn)
        calls = [block["id"] for _, block in turn.calls]
        if not calls:
            continue
        for where, block in turn.calls:
            if block["id"] in known:
                yield f"{where}: `tool_use` ids must be unique"
            known.add(block["id"])
        yield from _unanswered(turn, calls, following)


def _unanswered(turn: Turn, calls: list[str], following: Turn | None) -> Iterator[str]:
    """Yield an error if results are missing, or if something else stands before them."""
    answered = []
    for _, _, block in following.blocks if following else ():
        if block["type"] != "tool_result":
            break
        answered.append(block["tool_use_id"])
    if missing := [call_id for call_id in calls if call_id not in answered]:
        found = (
            f"messages.{turn.index}: `tool_use` ids were found without `tool_result` blocks immediately after"
        )
        yield f"{found}: {', '.join(missing)}. {_NO_RESULT}"


def _answers(calls: list[str], turn: Turn) -> Iterator[str]:
    answered: set[str] = set()
    for where, block in turn.results:
        call_id = block["tool_use_id"]
        if call_id not in calls:
            yield f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. {_NO_USE}"
        if call_id in answered:
            found = f"Found multiple `tool_result` blocks with id: {call_id}"
            yield f"{where}: each tool_use must have a single result. {found}"
        answered.add(call_id)


def _server_tool_rounds(turns: list[Turn], _body: Body, _model: Model) -> Iterator[str]:
    """Yield the errors of tools that ran at Anthropic. Source: "Stop reasons", on `pause_turn` and mixed calls."""
    for turn, following in zip_longest(turns, turns[1:]):
        if turn.has_server_tools:
            yield from _server_tools(turn, following)


def _server_tools(turn: Turn, following: Turn | None) -> Iterator[str]:
    open_calls: dict[str, str] = {}
    for message, index, block in turn.blocks:
        kind = block["type"]
        if kind in ("server_tool_use", "mcp_tool_use"):
            open_calls[block["id"]] = block["name"]
        elif kind.endswith("tool_result") and open_calls.pop(block["tool_use_id"], None) is None:
            call = "mcp_tool_use" if kind == "mcp_tool_result" else "server_tool_use"
            yield (
                f"{_path(message, index)}: unexpected `tool_use_id` found in `{kind}` blocks: {block['tool_use_id']}."
                f" Each `{kind}` block must have a corresponding `{call}` block before it."
            )
    # A turn goes on after the results of the client's own tools, but not after anything else.
    if following and len(following.results) < len(following.blocks):
        for call_id, name in open_calls.items():
            found = f"messages.{turn.index}: `{name}` tool use with id `{call_id}` was found"
            yield f"{found} without a corresponding `{name}_tool_result` block"


def _thinking_first(turns: list[Turn], body: Body, _model: Model) -> Iterator[str]:
    if thinking_type(body) != "enabled" or not turns[-1].results:
        return
    # The rounds of tools are checked already, so the previous turn holds the `tool_use` that is answered here.
    message, index, block = turns[-2].blocks[0]
    if block["type"] not in _THOUGHTS:
        yield (
            f"{_path(message, index)}.type: Expected `thinking` or `redacted_thinking`, but found `{block['type']}`."
            " When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        )


def _thinking_last(turns: list[Turn], body: Body, _model: Model) -> Iterator[str]:
    for index, message in enumerate(body["messages"]):
        last = message["content"][-1] if message["role"] == "assistant" and message["content"] else ""
        if isinstance(last, dict) and last["type"] in _THOUGHTS:
            yield f"messages.{index}: The final block in an assistant message cannot be `thinking`."


def _prefill(turns: list[Turn], body: Body, model: Model) -> Iterator[str]:
    last = turns[-1]
    if last.role != "assistant":
        return
    # An answer with hosted tools may have paused, and goes on then. Source: "Stop reasons", on `pause_turn`.
    if not last.has_server_tools and (not model.prefill_ok or thinks(body, model)):
        yield f"This model does not support assistant message prefill. {_END_WITH_USER}"
    if any(text != text.rstrip() for text in list(texts([block for _, _, block in last.blocks]))[-1:]):
        yield "messages: final assistant content cannot end with trailing whitespace"


def _latest_thinking(body: Body, _model: Model) -> Iterator[str]:
    """Yield an error if a thinking block of the newest answer was changed. Older ones only have wrong signatures."""
    answers = [item for item in enumerate(body["messages"]) if item[1]["role"] == "assistant"]
    if not answers or isinstance(answers[-1][1]["content"], str):
        return
    index, latest = answers[-1]
    for at, block in enumerate(latest["content"]):
        if block["type"] == "thinking" and is_altered(block["signature"], block["thinking"]):
            yield f"{_path(index, at)}: {_MODIFIED}"


_TURN_RULES: tuple[Callable[[list[Turn], Body, Model], Iterator[str]], ...] = (
    _not_empty,
    _tool_rounds,
    _server_tool_rounds,
    _thinking_first,
    _thinking_last,
    _prefill,
)
message_rules: tuple[Callable[[Body, Model], Iterator[str]], ...] = (_system, _latest_thinking, _messages)

"""Turn a list of chat messages or Responses API items into a conversation that the Messages API accepts.

OpenAI allows any order of roles. The Messages API wants the system prompt apart, alternating roles, and the user first
and last. The system messages before the first turn are the system prompt; `system_notes` reads the later ones.

>>> sent = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
>>> system, messages = read_conversation(sent, Notes())
>>> system, [message.role for message in messages]
(('Be brief.',), ['user'])
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

from gateway.dialects.common import openai_messages
from gateway.dialects.common.content import ContentPart, read_text
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.parameters import asks_something
from gateway.dialects.common.stored_files import FileReader
from gateway.dialects.common.system_notes import read_system
from gateway.dialects.common.text import is_blank, repair_text
from gateway.dialects.common.tool_rounds import Utterance, arrange_tool_rounds
from gateway.dialects.common.where import Notes, Where
from gateway.errors import InvalidRequest
from gateway.turn import Block, Message

#: Goes before a conversation whose first message is the assistant's, or is about to be.
OPENING = "(The conversation begins with the assistant.)"

#: Follows a conversation whose last message is the assistant's: newer models refuse to continue it without a request.
NUDGE = "Continue exactly where your last message ends, without repeating any of it."

#: The name of a stored message in errors.
HISTORY = "session[{}]"

SYSTEM_ROLES = ("system", "developer")
_SPEAKERS = ("user", "assistant")
ROLES = (*SYSTEM_ROLES, *_SPEAKERS, "tool", "function")

# Items of the Responses API that belong to an answer, as calls do, and to a question, as outputs of tools do.
_ANSWERS = ("reasoning", "compaction", "compaction_summary", "mcp_list_tools", "mcp_approval_request")

_QUESTIONS = (
    "message", "agent_message", "mcp_approval_response",
    "item_reference", "additional_tools", "configuration_update", "compaction_trigger",
)  # fmt: skip

_ITEM_TYPES = ("function_call", "function_call_output", "remote_call")

# Fields of messages that are honored, or that say nothing about the message: its id, for example.
_HONORED = frozenset({
    "role", "content", "tool_calls", "tool_call_id", "tool_name", "function_call", "refusal", "audio",
    "is_error", "id", "type", "status", "object", "created", "created_at", "timestamp", "model",
    "stop_reason", "stop_sequence", "usage", "annotations", "cache_control", "phase", "encrypted_content",
})  # fmt: skip
_HONORED_IN_ROLE = {"user": ("name", "images"), "tool": ("name",), "function": ("name",)}


def read_conversation(
    messages: Sequence[dict[str, Any]],
    notes: Notes,
    system_prompt: str | None = None,
    field: str = "messages",
    history: Sequence[dict[str, Any]] = (),
    history_name: str = HISTORY,
    *,
    repeats_system: bool = False,
) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """Return the system texts, `system_prompt` first, and the messages of a Turn.

    `history` holds earlier messages that the client has not sent. Errors call the client's list `field`, and a message
    of the history `history_name`; `notes` takes repairs. With `repeats_system`, each request brings the system prompt
    again, so the system messages at its start go before the history. Raises UnsupportedParameter and InvalidRequest
    (code `missing_user_message` if no message has content).
    """
    reader = _Reader(system_prompt or "")
    places = _places(messages, notes, field)
    leading = count_leading_system(messages) if repeats_system else 0
    for index, message in enumerate(messages[:leading]):
        reader.read(message, index, places[index])
    for index, message in enumerate(history):
        reader.read(message, index, notes.at(history_name.format(index), is_past=True))
    for index, message in enumerate(messages[leading:], start=leading):
        reader.read(message, len(history) + index, places[index])
    system = tuple(text for text in reader.system if not is_blank(text))
    return system, arrange_messages(reader.utterances, notes.at(field), has_system=bool(system))


def arrange_messages(
    utterances: Sequence[Utterance], where: Where, *, has_system: bool = False
) -> tuple[Message, ...]:
    """Return messages that alternate in role and begin and end with the user. Raises as `read_conversation` does.

    A request that has only system text is one for an answer that begins the conversation.
    """
    if _are_plain(utterances):  # most conversations
        messages = [Message(role, tuple(part.block for part in parts)) for role, parts in utterances]
    else:
        messages = arrange_tool_rounds(_merge(utterances))
    if not messages and (utterances or not has_system):
        problem = "The conversation has no user message with content. Add one."
        raise InvalidRequest(problem, param=str(where), code="missing_user_message")
    return _user_to_user(messages, where)


def _places(messages: Sequence[dict[str, Any]], notes: Notes, field: str) -> list[Where]:
    newest = find_newest(messages)
    return [notes.at(f"{field}[{index}]", is_past=index < newest) for index in range(len(messages))]


def count_leading_system(messages: Sequence[dict[str, Any]]) -> int:
    """Return the number of system messages before the first turn."""
    turns = (index for index, message in enumerate(messages) if message.get("role") not in SYSTEM_ROLES)
    return next(turns, len(messages))


def find_newest(messages: Sequence[Any]) -> int:
    """Return the index of the first message or item after the last answer, where the newest messages begin.

    An item of an unknown type counts as an answer if a message follows: most types of items are written by a server.
    """
    indexes = range(len(messages) - 1, -1, -1)
    last = next((index for index in indexes if _is_answer(messages[index], is_last=index == indexes[0])), -1)
    return last + 1


def _is_answer(message: Any, *, is_last: bool) -> bool:
    if not isinstance(message, dict) or message.get("role") is not None:
        return isinstance(message, dict) and message["role"] == "assistant"
    kind = str(message.get("type") or "message")
    if kind in _ANSWERS or kind.endswith("_call"):
        return True
    return not is_last and kind not in _QUESTIONS and not kind.endswith("_output")


def find_errors(
    messages: Iterable[dict[str, Any]],
    field: str = "messages",
    history: Sequence[dict[str, Any]] = (),
    read_file: FileReader | None = None,
) -> Iterator[InvalidRequest]:
    """Yield the errors of all messages. If no message has any, yield the error of the conversation as a whole."""
    messages, found = list(messages), False
    reader, notes = _Reader(""), Notes(read_file)
    newest = find_newest(messages) + len(history)
    for index, message in enumerate([*history, *messages]):
        try:
            where = notes.at(f"{field}[{index - len(history)}]", is_past=index < newest)
            reader.read(message, index, where)
        except InvalidRequest as error:
            found = True
            yield error
    if not found:
        try:
            read_conversation(messages, notes, None, field, history)
        except InvalidRequest as error:
            yield error


class _Reader:
    """Read messages in order, and collect the system texts and the utterances."""

    def __init__(self, system_prompt: str) -> None:
        self.system = [repair_text(system_prompt)]
        self._utterances: list[Utterance] = []
        # The results of remote calls follow all calls of the same message.
        self._remote_results: list[ContentPart] = []
        self._round: Any = None

    @property
    def utterances(self) -> list[Utterance]:
        """Return all utterances so far."""
        self._end_round()
        return self._utterances

    def read(self, message: dict[str, Any], index: int, where: Where) -> None:
        role, content = message.get("role"), message.get("content")
        if role in _SPEAKERS and len(message) == 2 and isinstance(content, str):  # most messages by far
            self.utterances.append((role, read_text(content, where.field("content"))))
            return
        if role is None and message.get("type") in _ITEM_TYPES:
            self._read_item(message, where)
            return
        name_ignored_fields(message, where, _HONORED_IN_ROLE.get(str(role), ()))
        if role in SYSTEM_ROLES:
            read_system(content, where.field("content"), self.system, self.utterances)
        elif role == "assistant":
            self.utterances.append(("assistant", self._read_assistant(message, index, where)))
        elif role == "tool":
            self.utterances.append(("user", openai_messages.read_tool_message(message, where)))
        elif role == "function":
            self.utterances.append(("user", [openai_messages.read_function_message(message, where)]))
        elif role == "user":
            self.utterances.append(("user", openai_messages.read_user(message, where)))
        else:
            self.utterances.append(("user", read_unknown_role(message, where)))

    def _read_item(self, item: dict[str, Any], where: Where) -> None:
        if item["type"] == "remote_call":
            if self._remote_results and item["round"] != self._round:
                self._end_round()
            self._round = item["round"]
            call, result = openai_messages.read_remote_call(item, where)
            self._remote_results.append(result)
            if not item["was_asked"]:
                self._utterances.append(("assistant", [call]))
        elif item["type"] == "function_call":
            self._utterances.append(("assistant", openai_messages.read_call_item(item, where)))
        else:
            self.utterances.append(("user", openai_messages.read_output_item(item, where)))

    def _end_round(self) -> None:
        if self._remote_results:
            results, self._remote_results = self._remote_results, []
            self._utterances.append(("user", results))

    def _read_assistant(self, message: dict[str, Any], index: int, where: Where) -> list[ContentPart]:
        parts = openai_messages.read_assistant(message, where)
        if message.get("function_call"):
            call = openai_messages.read_function_call(message, where, f"call_message_{index}")
            if any(_is_same_call(call.block, part.block) for part in parts):
                call.where.repair("repeated-call")
            else:
                parts.append(call)
        return parts


def read_unknown_role(
    message: dict[str, Any], where: Where, known: Sequence[str] = ROLES
) -> list[ContentPart]:
    """Read a message of the past with an unknown role as a user message that names the role.

    Raises InvalidRequest, which lists the `known` roles, if the message is new.
    """
    role = message.get("role")
    if not where.is_past:
        problem = "Every message needs a role." if role is None else f"Expected one of: {', '.join(known)}."
        raise invalid_field(where.field("role"), problem)
    where.field("role").repair("unknown-role")
    return openai_messages.read_user({"name": role, **message}, where)


def name_ignored_fields(message: dict[str, Any], where: Where, honored: Container[str] = ()) -> None:
    """Note the fields of a message that ask for something and have no effect. `honored` names more that have one."""
    for name, value in message.items():
        if name not in _HONORED and name not in honored and asks_something(value, (False,)):
            where.field(name).ignore(once=True)


def _is_same_call(block: Block, other: Block) -> bool:
    return other["type"] == "tool_use" and (block["name"], block["input"]) == (other["name"], other["input"])


def _are_plain(utterances: Sequence[Utterance]) -> bool:
    """Return True if the roles alternate, and all parts are texts."""
    before = None
    for role, parts in utterances:
        if role == before or not parts or any(part.block["type"] != "text" for part in parts):
            return False
        before = role
    return True


def _merge(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Drop empty utterances and merge consecutive ones with the same role."""
    spoken = (utterance for utterance in utterances if utterance[1])
    return [
        (role, list(chain.from_iterable(parts for _, parts in group)))
        for role, group in groupby(spoken, key=lambda utterance: utterance[0])
    ]


def _user_to_user(messages: list[Message], where: Where) -> tuple[Message, ...]:
    if not messages or messages[0].role == "assistant":
        messages = [_user(OPENING), *messages]
        where.repair("user-message-added")
    if messages[-1].role == "assistant":
        messages = [*messages, _user(NUDGE)]
        where.repair("user-message-added")
    return tuple(messages)


def _user(text: str) -> Message:
    return Message("user", ({"type": "text", "text": text},))

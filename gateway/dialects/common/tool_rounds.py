"""Match tool calls with their results, in the form that the Messages API demands, and repair rounds that do not match.

The user message right after an assistant message must hold one `tool_result` block per `tool_use` block, before all
other blocks, and every call needs its own id. Clients cut and merge conversations, so a round may lack a result or
have one too many. A repair looks only at the messages up to the next answer. Therefore a conversation that grows is
repaired in the same way in each request, and its prompt stays in the cache.
https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from gateway.dialects.common.content import ContentPart
from gateway.dialects.common.hosted_blocks import CALL as HOSTED_CALL
from gateway.dialects.common.hosted_blocks import arrange_hosted
from gateway.lenient_json import dumps
from gateway.turn import Block, Message, Role

# The CLI takes the call `a_2` for a copy of the call `a`, and replaces its result by "[Tool result missing due to
# internal error]". So two calls never have such ids.
_COPY = re.compile(r"(.+)_\d+")

#: A role with the parts that it said.
Utterance = tuple[Role, list[ContentPart]]

#: The text of the result of a call that has none.
INTERRUPTED = "(The tool call was interrupted, so it has no result.)"

#: The text before a result whose call is not in the conversation.
ORPHAN = "(The result of an earlier tool call:)"


def arrange_tool_rounds(utterances: Iterable[Utterance]) -> list[Message]:
    """Return the messages with calls last and results first, the results in the order of their calls.

    The roles must alternate. The repairs are noted at the parts that they change.
    """
    rounds = _Rounds()
    for role, parts in utterances:
        if role == "assistant":
            rounds.add_answer(parts)
        else:
            rounds.add_user_message(parts)
    rounds.add_user_message([])
    return rounds.messages


@dataclass(slots=True)
class _Call:
    """A call that waits for its result. `sent_id` is the client's id of it, which may be repeated, or "" for none."""

    sent_id: str
    part: ContentPart
    result: Block | None = None

    @property
    def id(self) -> str:
        """Return the id that no other call has."""
        return str(self.part.block["id"])


class _Waiting:
    """Calls in order, found by a key. No search goes through all calls, because an answer may have thousands."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[_Call]] = {}

    def add(self, key: str, call: _Call) -> None:
        self._queues.setdefault(key, deque()).append(call)

    def find(self, key: str) -> _Call | None:
        """Return the first call with this key that has no result."""
        queue = self._queues.get(key)
        while queue and queue[0].result is not None:
            queue.popleft()
        return queue[0] if queue else None


class _Rounds:
    """The messages so far, and the calls of the last one."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._hosted_answer: tuple[int, list[ContentPart]] | None = None
        self._calls: list[_Call] = []
        self._used_ids: set[str] = set()
        self._ids_of_originals: set[str] = set()  # `a` for the used id `a_2`
        self._last_numbers: dict[str, int] = {}  # 2 for the used id `a-2`
        self._sent_calls: set[tuple[str, str, bytes]] = set()  # of the last answer
        # The content of the last result of each call, by the client's id.
        self._earlier_results: dict[str, Any] = {}

    def add_answer(self, parts: list[ContentPart]) -> None:
        """Add an assistant message, with its calls last."""
        self._end_hosted_calls()
        for part in parts:
            if part.block["type"] == "tool_use":
                self._add_call(part)
            elif part.block["type"] == HOSTED_CALL:
                self._hosted_answer = (len(self.messages), parts)
        others = [part.block for part in parts if part.block["type"] != "tool_use"]
        self._add("assistant", [*others, *(call.part.block for call in self._calls)])

    def add_user_message(self, parts: list[ContentPart]) -> None:
        """Add a user message, with the results of the last answer's calls first."""
        results = [part for part in parts if part.block["type"] == "tool_result"]
        if len(results) < len(parts):
            self._end_hosted_calls()
        if not results and not self._calls:
            self._add("user", [part.block for part in parts])
            return
        orphans = self._match_without_id(self._match(results))
        if not self._calls and len(results) == len(parts):
            orphans = results  # without them, the message would be empty
        places = {id(orphan) for orphan in orphans}
        others: list[Block] = []
        for part in parts:
            if part.block["type"] != "tool_result":
                others.append(part.block)
            elif id(part) in places:
                others += self._read_orphan(part)
        answered = [self._end_call(call) for call in self._calls]
        has_only_notes = not orphans and all(
            part.is_note or part.block["type"] == "tool_result" for part in parts
        )
        self._add("user", _append_notes(answered, others) if has_only_notes else answered + others)
        self._calls = []
        self._sent_calls.clear()

    def _end_hosted_calls(self) -> None:
        """Turn hosted calls that still wait into text: the API runs them only right after the client's tools."""
        if self._hosted_answer is None:
            return
        (index, parts), self._hosted_answer = self._hosted_answer, None
        calls = [block for block in self.messages[index].content if block["type"] == "tool_use"]
        arranged = [part.block for part in arrange_hosted(parts, may_wait=False)]
        others = [block for block in arranged if block["type"] != "tool_use"]
        self.messages[index] = Message("assistant", (*others, *calls))

    def _add(self, role: Role, blocks: list[Block]) -> None:
        if blocks:
            self.messages.append(Message(role, tuple(blocks)))

    def _add_call(self, part: ContentPart) -> None:
        sent_id = part.block["id"]
        if sent_id and self._is_copy(part.block):
            part.where.repair("repeated-call")
            return
        own_id = self._find_free_id(sent_id)
        if own_id != sent_id:
            part.where.repair("tool-call-id")
            part = replace(part, block={**part.block, "id": own_id})
        self._used_ids.add(own_id)
        self._ids_of_originals.add(_original_id(own_id))
        self._calls.append(_Call(sent_id, part))

    def _is_copy(self, block: Block) -> bool:
        """Return True if a client sent a call of this answer before, for example as a block and in `tool_calls`."""
        sent = (block["id"], block["name"], dumps(block["input"], sort_keys=True))
        if sent in self._sent_calls:
            return True
        self._sent_calls.add(sent)
        return False

    def _find_free_id(self, sent_id: str) -> str:
        if sent_id and self._is_free(sent_id):
            return sent_id
        number = self._last_numbers.get(sent_id, 1 if sent_id else 0) + 1
        while not self._is_free(f"{sent_id or 'call'}-{number}"):
            number += 1
        self._last_numbers[sent_id] = number
        return f"{sent_id or 'call'}-{number}"

    def _is_free(self, call_id: str) -> bool:
        if call_id in self._used_ids or call_id in self._ids_of_originals:
            return False
        return _original_id(call_id) not in self._used_ids

    def _match(self, results: list[ContentPart]) -> list[ContentPart]:
        """Give the calls their results by id. Return the results that no call waits for."""
        waiting, unmatched = _Waiting(), []
        for call in self._calls:
            waiting.add(call.sent_id, call)
        for result in results:
            sent_id = result.block["tool_use_id"]
            found = waiting.find(sent_id) if sent_id else None
            if found is not None:
                self._end_with(found, result)
            elif sent_id and self._earlier_results.get(sent_id) == _content(result.block):
                result.where.repair("repeated-result")
            else:
                unmatched.append(result)
        return unmatched

    def _match_without_id(self, results: list[ContentPart]) -> list[ContentPart]:
        """Give results to calls if one of them has no id: by the tool's name if the result has one, else in order."""
        if not results:
            return []
        every = _index_by_tool(self._calls)
        without_id = _index_by_tool([call for call in self._calls if not call.sent_id])
        sent_ids = {call.sent_id for call in self._calls if call.sent_id}
        unmatched = []
        for result in results:
            sent_id = result.block["tool_use_id"]
            waiting = without_id if sent_id else every
            call = None if sent_id in sent_ids else waiting.find(result.tool) or waiting.find("")
            if call is None:
                unmatched.append(result)
                continue
            if not result.tool:
                result.where.repair("tool-call-id")
            self._end_with(call, result)
        return unmatched

    def _end_with(self, call: _Call, result: ContentPart) -> None:
        call.result = {**result.block, "tool_use_id": call.id}
        self._earlier_results[call.sent_id] = _content(result.block)

    def _end_call(self, call: _Call) -> Block:
        if call.result is not None:
            return call.result
        call.part.where.repair("missing-result")
        text = {"type": "text", "text": INTERRUPTED}
        return {"type": "tool_result", "tool_use_id": call.id, "content": [text], "is_error": True}

    def _read_orphan(self, result: ContentPart) -> list[Block]:
        result.where.repair("orphan-result")
        return [{"type": "text", "text": ORPHAN}, *result.block.get("content", ())]


def _index_by_tool(calls: Iterable[_Call]) -> _Waiting:
    """Return the calls by the names of their tools, and all of them by ""."""
    waiting = _Waiting()
    for call in calls:
        waiting.add(call.part.block["name"], call)
        waiting.add("", call)
    return waiting


def _append_notes(results: list[Block], notes: list[Block]) -> list[Block]:
    """Return the results with the system's notes at the end of the last one, as Claude Code does it.

    A CLI process that waits for results takes nothing else, so the conversation could not continue in it otherwise.
    """
    if not results or not notes:
        return results + notes
    *earlier, last = results
    return [*earlier, {**last, "content": [*last.get("content", ()), *notes]}]


def _content(result: Block) -> tuple[Any, bool]:
    return result.get("content"), bool(result.get("is_error"))


def _original_id(call_id: str) -> str:
    """Return `a` for the id `a_2`, and "" for an id without such an end."""
    found = _COPY.fullmatch(call_id)
    return found[1] if found else ""

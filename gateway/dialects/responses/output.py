"""Output items of a response, each with the events that tell of its growth.

An item gets its content when it ends; until then it stands in the response as it began. Events have no sequence
numbers yet. https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from gateway.dialects.common.tool_call_format import NO_ARGUMENTS

Emitted = dict[str, Any]
Emit = Callable[[Emitted], None]
Item = dict[str, Any]


class Output(ABC):
    """An item at `index` of a response's output. `emit` gets its events."""

    def __init__(self, item: Item, index: int, emit: Emit) -> None:
        self.item = item
        self._emit = emit
        self._place = {"item_id": item["id"], "output_index": index}
        emit({"type": "response.output_item.added", "output_index": index, "item": dict(item)})

    def end(self, status: str) -> None:
        """The item is complete, or `incomplete`."""
        self._fill(status)
        index = self._place["output_index"]
        self._emit({"type": "response.output_item.done", "output_index": index, "item": dict(self.item)})

    @abstractmethod
    def _fill(self, status: str) -> None:
        """Complete the item."""

    def _tell(self, kind: str, **fields: Any) -> None:
        self._emit({"type": f"response.{kind}", **self._place, **fields})


class Message(Output):
    """What the model says. Its parts are texts and refusals."""

    def __init__(self, item_id: str, index: int, emit: Emit) -> None:
        item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        super().__init__(item, index, emit)
        self._parts: list[Item] = []
        self._written: list[str] = []

    def text(self, delta: str) -> None:
        """More of the text."""
        self._more(delta, {"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        self._tell("output_text.delta", content_index=len(self._parts) - 1, delta=delta, logprobs=[])

    def refusal(self, delta: str) -> None:
        """More of the words in place of an answer."""
        self._more(delta, {"type": "refusal", "refusal": ""})
        self._tell("refusal.delta", content_index=len(self._parts) - 1, delta=delta)

    def _more(self, delta: str, part: Item) -> None:
        if not self._parts or self._parts[-1]["type"] != part["type"]:
            self._end_part()
            self._parts.append(part)
            self._tell("content_part.added", content_index=len(self._parts) - 1, part=dict(part))
        self._written.append(delta)

    def _end_part(self) -> None:
        if not self._parts:
            return
        index, part = len(self._parts) - 1, self._parts[-1]
        whole = "".join(self._written)
        self._written = []
        if part["type"] == "refusal":
            part["refusal"] = whole
            self._tell("refusal.done", content_index=index, refusal=whole)
        else:
            part["text"] = whole
            self._tell("output_text.done", content_index=index, text=whole, logprobs=[])
        self._tell("content_part.done", content_index=index, part=dict(part))

    def _fill(self, status: str) -> None:
        self._end_part()
        self.item |= {"status": status, "content": self._parts}


class Reasoning(Output):
    """What the model thinks, told only `with_summary`."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, with_summary: bool) -> None:
        super().__init__({"id": item_id, "type": "reasoning", "summary": []}, index, emit)
        self._with_summary = with_summary
        self._written: list[str] = []

    def thought(self, delta: str) -> None:
        """More of the thinking."""
        if not self._with_summary:
            return
        if not self._written:
            self._tell("reasoning_summary_part.added", summary_index=0, part=_summary(""))
        self._written.append(delta)
        self._tell("reasoning_summary_text.delta", summary_index=0, delta=delta)

    def _fill(self, status: str) -> None:
        if not self._written:
            return
        whole = "".join(self._written)
        self._tell("reasoning_summary_text.done", summary_index=0, text=whole)
        self._tell("reasoning_summary_part.done", summary_index=0, part=_summary(whole))
        self.item["summary"] = [_summary(whole)]


class Call(Output):
    """A call of a function."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, call_id: str, name: str) -> None:
        item = {"id": item_id, "type": "function_call", "status": "in_progress", "call_id": call_id}
        super().__init__({**item, "name": name, "arguments": ""}, index, emit)
        self._written: list[str] = []

    def arguments(self, delta: str) -> None:
        """More of the arguments' JSON."""
        if delta:
            self._written.append(delta)
            self._tell("function_call_arguments.delta", delta=delta)

    def _fill(self, status: str) -> None:
        if not self._written:
            self.arguments(NO_ARGUMENTS)  # clients parse them
        whole = "".join(self._written)
        self.item |= {"status": status, "arguments": whole}
        self._tell("function_call_arguments.done", name=self.item["name"], arguments=whole)


def _summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}

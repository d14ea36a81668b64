"""The output items of a response, each with the stream events that report its growth.

An item gets its content when it ends; until then, the response shows it as it started. The events have no sequence
numbers yet. https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from gateway.dialects.common.json_types import Item
from gateway.dialects.common.tool_call_format import NO_ARGUMENTS

#: An event of the stream, such as `{"type": "response.output_item.added", …}`.
StreamEvent = dict[str, Any]
Emit = Callable[[StreamEvent], None]


class Output(ABC):
    """An item at `index` of a response's output. `emit` gets its stream events."""

    def __init__(self, item: Item, index: int, emit: Emit) -> None:
        self.item = item
        self._emit = emit
        self._position = {"item_id": item["id"], "output_index": index}
        emit({"type": "response.output_item.added", "output_index": index, "item": dict(item)})

    def end(self, status: str) -> None:
        """End the item with `status`, which is completed or incomplete."""
        self._complete(status)
        index = self._position["output_index"]
        self._emit({"type": "response.output_item.done", "output_index": index, "item": dict(self.item)})

    @abstractmethod
    def _complete(self, status: str) -> None:
        """Set the content and status of the item."""

    def _report(self, kind: str, **fields: Any) -> None:
        self._emit({"type": f"response.{kind}", **self._position, **fields})


class Message(Output):
    """A message of the model. Its parts are texts and refusals."""

    def __init__(self, item_id: str, index: int, emit: Emit) -> None:
        item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        super().__init__(item, index, emit)
        self._parts: list[Item] = []
        self._written: list[str] = []

    def add_text(self, delta: str) -> None:
        """Add text."""
        self._add_delta(delta, {"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        self._report("output_text.delta", content_index=len(self._parts) - 1, delta=delta, logprobs=[])

    def add_refusal(self, delta: str) -> None:
        """Add text of a refusal."""
        self._add_delta(delta, {"type": "refusal", "refusal": ""})
        self._report("refusal.delta", content_index=len(self._parts) - 1, delta=delta)

    def _add_delta(self, delta: str, part: Item) -> None:
        if not self._parts or self._parts[-1]["type"] != part["type"]:
            self._end_part()
            self._parts.append(part)
            self._report("content_part.added", content_index=len(self._parts) - 1, part=dict(part))
        self._written.append(delta)

    def _end_part(self) -> None:
        if not self._parts:
            return
        index, part = len(self._parts) - 1, self._parts[-1]
        text = "".join(self._written)
        self._written = []
        if part["type"] == "refusal":
            part["refusal"] = text
            self._report("refusal.done", content_index=index, refusal=text)
        else:
            part["text"] = text
            self._report("output_text.done", content_index=index, text=text, logprobs=[])
        self._report("content_part.done", content_index=index, part=dict(part))

    def _complete(self, status: str) -> None:
        self._end_part()
        self.item |= {"status": status, "content": self._parts}


class Reasoning(Output):
    """The model's thinking. It is reported only `with_summary`."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, with_summary: bool) -> None:
        super().__init__({"id": item_id, "type": "reasoning", "summary": []}, index, emit)
        self._with_summary = with_summary
        self._written: list[str] = []

    def add_thought(self, delta: str) -> None:
        """Add thinking."""
        if not self._with_summary:
            return
        if not self._written:
            self._report("reasoning_summary_part.added", summary_index=0, part=_summary(""))
        self._written.append(delta)
        self._report("reasoning_summary_text.delta", summary_index=0, delta=delta)

    def _complete(self, status: str) -> None:
        if not self._written:
            return
        text = "".join(self._written)
        self._report("reasoning_summary_text.done", summary_index=0, text=text)
        self._report("reasoning_summary_part.done", summary_index=0, part=_summary(text))
        self.item["summary"] = [_summary(text)]


class Call(Output):
    """A call of a function."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, call_id: str, name: str) -> None:
        item = {"id": item_id, "type": "function_call", "status": "in_progress", "call_id": call_id}
        super().__init__({**item, "name": name, "arguments": ""}, index, emit)
        self._written: list[str] = []

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the arguments' JSON."""
        if delta:
            self._written.append(delta)
            self._report("function_call_arguments.delta", delta=delta)

    def _complete(self, status: str) -> None:
        if not self._written:
            self.add_arguments(NO_ARGUMENTS)  # clients parse them as JSON
        arguments = "".join(self._written)
        self.item |= {"status": status, "arguments": arguments}
        self._report("function_call_arguments.done", name=self.item["name"], arguments=arguments)


def _summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}

"""The items of a response's output, which report their changes as events of the stream.

For example, a message with one text reports:

    response.output_item.added, response.content_part.added, response.output_text.delta, …,
    response.output_text.done, response.content_part.done, response.output_item.done

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from gateway.approvals import ApprovalRequest
from gateway.dialects.common.hosted_blocks import SEALED, seal_blocks
from gateway.dialects.common.input_items import APPROVAL_PREFIX
from gateway.dialects.common.json_types import Item
from gateway.dialects.common.openai_answers import url_citation
from gateway.dialects.common.tool_call_format import NO_ARGUMENTS, InputDecoder
from gateway.dialects.common.tool_forms import ToolForm
from gateway.hosted import HostedCall, HostedResult
from gateway.lenient_json import dumps, loads
from gateway.partial_json import close_json, load_cut_object
from gateway.turn import Block

#: An event of the stream, such as `{"type": "response.output_item.added", …}`.
StreamEvent = dict[str, Any]
Emit = Callable[[StreamEvent], None]


class Output(ABC):
    """An item at `index` of a response's output. `emit` gets its stream events."""

    def __init__(self, item: Item, index: int, emit: Emit) -> None:
        self.item = item
        self._emit = emit
        self._written: list[str] = []
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
        # Of answers with hosted tools: the texts as the API has written them, and the sources of the open text.
        self._texts: list[Block] = []
        self._sources: list[Mapping[str, Any]] = []
        self._text_start = 0

    def add_text(self, delta: str) -> None:
        """Add text."""
        self._add_delta(delta, {"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        self._report("output_text.delta", content_index=len(self._parts) - 1, delta=delta, logprobs=[])

    def add_refusal(self, delta: str) -> None:
        """Add text of a refusal."""
        self._add_delta(delta, {"type": "refusal", "refusal": ""})
        self._report("refusal.delta", content_index=len(self._parts) - 1, delta=delta)

    def cite(self, source: Mapping[str, Any]) -> None:
        """Add a source of the text that is open."""
        self._sources.append(source)

    def end_text(self) -> None:
        """End a text of the API. If it has sources, they become annotations."""
        written, start = "".join(self._written), self._text_start
        self._text_start = len(written)
        if len(written) == start:
            return
        for source in self._sources:
            self._annotate({"type": "url_citation", **url_citation(source, start, len(written))})
        cited = {"citations": self._sources} if self._sources else {}
        self._texts.append({"type": "text", "text": written[start:], **cited})
        self._sources = []

    def _annotate(self, annotation: Item) -> None:
        index, annotations = len(self._parts) - 1, self._parts[-1]["annotations"]
        annotations.append(annotation)
        position = {"content_index": index, "annotation_index": len(annotations) - 1}
        self._report("output_text.annotation.added", **position, annotation=annotation)

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
        self._written, self._text_start = [], 0
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
        if any("citations" in text for text in self._texts):
            self.item[SEALED] = seal_blocks(self._texts)


class Reasoning(Output):
    """The model's thinking. It is reported only `with_summary`."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, with_summary: bool) -> None:
        super().__init__({"id": item_id, "type": "reasoning", "summary": []}, index, emit)
        self._with_summary = with_summary

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

    kind, content = "function_call", "arguments"

    def __init__(self, item_id: str, index: int, emit: Emit, *, call_id: str, form: ToolForm) -> None:
        item = {"id": item_id, "type": self.kind, "status": "in_progress", "call_id": call_id}
        super().__init__({**item, **self._describe(form)}, index, emit)

    def _describe(self, form: ToolForm) -> Item:
        namespace = {"namespace": form.namespace} if form.namespace else {}
        return {"name": form.name, **namespace, self.content: ""}

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the arguments' JSON."""
        if delta:
            self._written.append(delta)
            self._report("function_call_arguments.delta", delta=delta)

    def _complete(self, status: str) -> None:
        # Clients parse the arguments as JSON, even if the answer failed in the middle of them.
        self.add_arguments(close_json("".join(self._written)) if self._written else NO_ARGUMENTS)
        arguments = "".join(self._written)
        self.item |= {"status": status, "arguments": arguments}
        self._report("function_call_arguments.done", name=self.item["name"], arguments=arguments)


class CustomCall(Call):
    """A call of a custom tool: the client gets the free text that the model wrote as the property of a function."""

    kind, content = "custom_tool_call", "input"

    def __init__(self, item_id: str, index: int, emit: Emit, *, call_id: str, form: ToolForm) -> None:
        super().__init__(item_id, index, emit, call_id=call_id, form=form)
        self._decoder = InputDecoder()

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the JSON around the text."""
        self._add_text(self._decoder.feed(delta))

    def _add_text(self, delta: str) -> None:
        if delta:
            self._report("custom_tool_call_input.delta", delta=delta)

    def _complete(self, status: str) -> None:
        text, rest = self._decoder.finish()
        self._add_text(rest)
        self.item |= {"status": status, "input": text}
        self._report("custom_tool_call_input.done", input=text)


class SearchCall(Call):
    """A call of the client's search for tools, which has its arguments as an object."""

    kind = "tool_search_call"

    def _describe(self, form: ToolForm) -> Item:
        return {"execution": "client", "arguments": {}}

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the arguments' JSON."""
        self._written.append(delta)

    def _complete(self, status: str) -> None:
        written = "".join(self._written)
        arguments = loads(written + close_json(written)) if written else {}
        self.item |= {"status": status, "arguments": arguments}


class Approval(Output):
    """A request for the approval of a tool call."""

    def __init__(self, request: ApprovalRequest, index: int, emit: Emit) -> None:
        item = {
            "id": f"{APPROVAL_PREFIX}{request.id}",
            "type": "mcp_approval_request",
            "server_label": request.server,
            "name": request.name,
            "arguments": dumps(request.arguments).decode(),
        }
        super().__init__(item, index, emit)

    def _complete(self, status: str) -> None:
        """Leave the item as it is: it has no status."""


class WebSearchCall(Output):
    """A call of a hosted tool. The item has its blocks sealed, so that clients can send them back."""

    def __init__(self, item_id: str, index: int, emit: Emit, *, call: HostedCall) -> None:
        item = {
            "id": item_id,
            "type": "web_search_call",
            "status": "in_progress",
            "action": _action(call, {}),
        }
        super().__init__(item, index, emit)
        self._call = call
        self._result: HostedResult | None = None
        self._report("web_search_call.in_progress")
        self._report("web_search_call.searching")

    def add_arguments(self, delta: str) -> None:
        """Add a fragment of the input's JSON."""
        self._written.append(delta)

    def add_result(self, result: HostedResult) -> None:
        """Add the result."""
        self._result = result

    def _complete(self, status: str) -> None:
        given = load_cut_object("".join(self._written))
        action = _action(self._call, given)
        if self._result is None:
            self.item |= {"status": "incomplete", "action": action}
            return
        if action["type"] == "search":
            action["sources"] = _sources(self._result)
        blocks = [{**self._call.block, "input": given}, dict(self._result.block)]
        status = "failed" if self._result.has_failed else "completed"
        self.item |= {"status": status, "action": action, SEALED: seal_blocks(blocks)}
        self._report("web_search_call.completed")


def _action(call: HostedCall, given: Mapping[str, Any]) -> Item:
    if call.name == "web_fetch":
        return {"type": "open_page", "url": str(given.get("url") or "")}
    query = str(given.get("query") or "")
    return {"type": "search", "query": query, "queries": [query] if query else []}


def _sources(result: HostedResult) -> list[Item]:
    found = result.block.get("content")
    pages = [page for page in found if isinstance(page, dict)] if isinstance(found, list) else []
    return [{"type": "url", "url": str(page.get("url"))} for page in pages]


#: The items for calls, with the prefixes of their ids, by the kind of the tool.
CALLS: dict[str, tuple[type[Call], str]] = {
    "function": (Call, "fc"),
    "custom": (CustomCall, "ctc"),
    "search": (SearchCall, "tsc"),
}


def _summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}

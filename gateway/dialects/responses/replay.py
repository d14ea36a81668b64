"""Write the stream of a response that is finished: every text in one piece.

The events have no sequence numbers yet.
"""

from collections.abc import Iterator

from gateway.dialects.common import sse
from gateway.dialects.common.json_types import Item
from gateway.dialects.responses.builder import Response
from gateway.dialects.responses.outputs import StreamEvent
from gateway.lenient_json import dumps

# The field with the text of a part or a call, and the event for it.
_PARTS = {"output_text": ("text", "output_text"), "refusal": ("refusal", "refusal")}
_CALLS = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}
_NO_OUTPUT = {"status": "in_progress", "completed_at": None, "error": None, "incomplete_details": None}


def replay(response: Response) -> list[StreamEvent]:
    """Return the events of a finished response."""
    begun = {**response, **_NO_OUTPUT, "output": [], "usage": None}
    events: list[StreamEvent] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(response["output"]):
        events += _replay_item(item, index)
    return [*events, find_final_event(response)]


def find_final_event(response: Response) -> StreamEvent:
    """Return the event that ends the stream. A cancelled response has failed."""
    status = response["status"]
    kind = status if status in ("completed", "incomplete") else "failed"
    return {"type": f"response.{kind}", "response": response}


def encode_event(event: StreamEvent) -> bytes:
    """Return an event in the form in which it is sent."""
    return sse.one_line(sse.event(event["type"], dumps(event)))


def _replay_item(item: Item, index: int) -> Iterator[StreamEvent]:
    kind, position = item["type"], {"item_id": item["id"], "output_index": index}
    begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
    inner: list[StreamEvent] = []
    if kind == "message":
        begun["content"] = []
        inner = [event for number, part in enumerate(item["content"]) for event in _replay_part(part, number)]
    elif kind == "reasoning":
        begun["summary"] = []
        inner = [
            event for number, part in enumerate(item["summary"]) for event in _replay_summary(part, number)
        ]
    elif kind == "web_search_call":
        steps = ("in_progress", "searching", "completed")
        inner = [{"type": f"response.web_search_call.{step}"} for step in steps]
    elif kind in _CALLS:
        field, name = _CALLS[kind]
        begun[field] = ""
        named = {"name": item["name"]} if kind == "function_call" else {}
        inner = [
            {"type": f"response.{name}.delta", "delta": item[field]},
            {"type": f"response.{name}.done", **named, field: item[field]},
        ]
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for event in inner:
        yield {**event, **position}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _replay_part(part: Item, number: int) -> Iterator[StreamEvent]:
    field, name = _PARTS[part["type"]]
    position = {"content_index": number}
    logprobs: Item = {"logprobs": []} if field == "text" else {}
    begun: Item = {"annotations": []} if field == "text" else {}
    yield {"type": "response.content_part.added", **position, "part": {**part, field: "", **begun}}
    yield {"type": f"response.{name}.delta", **position, "delta": part[field], **logprobs}
    for index, annotation in enumerate(part.get("annotations") or ()):
        added = {**position, "annotation_index": index, "annotation": annotation}
        yield {"type": "response.output_text.annotation.added", **added}
    yield {"type": f"response.{name}.done", **position, field: part[field], **logprobs}
    yield {"type": "response.content_part.done", **position, "part": part}


def _replay_summary(part: Item, number: int) -> Iterator[StreamEvent]:
    position = {"summary_index": number}
    yield {"type": "response.reasoning_summary_part.added", **position, "part": {**part, "text": ""}}
    yield {"type": "response.reasoning_summary_text.delta", **position, "delta": part["text"]}
    yield {"type": "response.reasoning_summary_text.done", **position, "text": part["text"]}
    yield {"type": "response.reasoning_summary_part.done", **position, "part": part}

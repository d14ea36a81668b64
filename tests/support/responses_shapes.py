"""Checks that responses have exactly the shape of OpenAI's own types, and fit the Open Responses specification.

For example, `check_response(answer.json())`.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_item_list import ResponseItemList
from pydantic import BaseModel, TypeAdapter

from tests.support import open_responses

Body = dict[str, Any]
T = TypeVar("T")

#: Fields that the installed types lack: fields of other versions of the API, and the gateway's own.
EXTRA_FIELDS = {
    *("store", "cost", "name", "error", "frequency_penalty", "presence_penalty", "encrypted_content"),
}

_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def check_response(body: Body) -> Response:
    """Return a response object. Raise AssertionError or ValidationError unless it has the right shape."""
    open_responses.check_response(body)
    return _without_extra_fields(Response.model_validate_json(json.dumps(body), strict=True))


def check_items(body: Body) -> ResponseItemList:
    """Return a list of input items. Raise AssertionError or ValidationError unless it has the right shape."""
    return _without_extra_fields(ResponseItemList.model_validate_json(json.dumps(body), strict=True))


def check_event(body: Body) -> Any:
    """Return an event of a stream. Raise AssertionError or ValidationError unless it has the right shape."""
    open_responses.check_event(body)
    found = _EVENTS.validate_json(json.dumps(body), strict=True)
    assert found.type == body["type"]
    return _without_extra_fields(found)


def check_stream(raw: bytes) -> list[Body]:
    """Return the events of a stream. Each must have the right shape, its name and the next sequence number."""
    bodies = list(named_events(raw.decode().split("\n")))
    assert [body["sequence_number"] for body in bodies] == list(range(len(bodies)))
    for body in bodies:
        check_event(body)
    return bodies


def named_events(lines: Iterable[str]) -> Iterator[Body]:
    """Yield the data of each event, which must repeat the event's name."""
    name = None
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            body = json.loads(value)
            assert body["type"] == name
            yield body
            name = None


def _without_extra_fields(model: T) -> T:
    extra = set(_extra_fields(model))
    assert extra <= EXTRA_FIELDS, extra
    return model


def _extra_fields(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from _extra_fields(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _extra_fields(item)

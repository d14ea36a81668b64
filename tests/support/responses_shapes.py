"""Whether what the gateway sends is what OpenAI's own types say, and nothing besides."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_item_list import ResponseItemList
from pydantic import BaseModel, TypeAdapter

Body = dict[str, Any]
T = TypeVar("T")

#: Fields that the installed types do not have: of newer or older versions of the API, and the gateway's own.
BESIDES = {"store", "cost", "name", "error"}

_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def check_response(body: Body) -> Response:
    """A response object, checked."""
    return _checked(Response.model_validate_json(json.dumps(body), strict=True))


def check_items(body: Body) -> ResponseItemList:
    """A list of input items, checked."""
    return _checked(ResponseItemList.model_validate_json(json.dumps(body), strict=True))


def check_event(body: Body) -> Any:
    """An event, checked."""
    found = _EVENTS.validate_json(json.dumps(body), strict=True)
    assert found.type == body["type"]
    return _checked(found)


def check_stream(raw: bytes) -> list[Body]:
    """A stream's events, each checked; their numbers and names fit."""
    bodies = list(named_events(raw.decode().split("\n")))
    assert [body["sequence_number"] for body in bodies] == list(range(len(bodies)))
    for body in bodies:
        check_event(body)
    return bodies


def named_events(lines: Iterable[str]) -> Iterator[Body]:
    """The data of each event; every one has a name, which its data repeats."""
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


def _checked(model: T) -> T:
    besides = set(_extras(model))
    assert besides <= BESIDES, besides
    return model


def _extras(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from _extras(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _extras(item)

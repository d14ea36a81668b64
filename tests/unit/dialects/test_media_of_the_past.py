"""No image or file of the past ends a conversation, in any dialect."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from gateway.dialects.chat.request import parse_request as parse_chat
from gateway.dialects.messages.request import parse_request as parse_message
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.request import parse_request as parse_response
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.messages import MessagesSchema
from gateway.schemas.responses import ResponsesSchema
from gateway.turn import Turn
from tests.support.pictures import data_url, plain
from tests.support.recorded import assistant, user

CONTENTS: st.SearchStrategy[Any] = st.sampled_from(
    [
        *("", " ", "a.png", "https://example.com/a", "data:", "data:image/png;base64,", "!", "aGVsbG8="),
        *(7, None, [], {}, {"url": None}, {"url": 3}, True),
        data_url(plain(3, 3)),
        data_url(plain(3, 3)[:-20]),
        data_url(plain(3, 3)).partition(",")[2],
        data_url(b"%PDF-1.4", "application/pdf"),
        data_url(b"PK\x03\x04\0\0", "application/zip"),
        data_url("Größe".encode("utf-16"), "text/csv"),
    ]
)
SOURCES = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["base64", "url", "text", "file", 1]),
        "data": CONTENTS,
        "url": CONTENTS,
    },
)
RESOURCES = st.none() | st.fixed_dictionaries(
    {}, optional={"text": CONTENTS, "blob": CONTENTS, "uri": CONTENTS}
)
FILES = st.none() | st.fixed_dictionaries(
    {}, optional={"file_data": CONTENTS, "file_url": CONTENTS, "file_id": CONTENTS, "filename": CONTENTS}
)
PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["image_url", "input_image"]), "image_url": CONTENTS}),
    st.fixed_dictionaries({"type": st.just("image")}, optional={"source": SOURCES, "data": CONTENTS}),
    st.fixed_dictionaries({"type": st.just("document"), "source": SOURCES}),
    st.fixed_dictionaries({"type": st.just("resource"), "resource": RESOURCES}),
    st.fixed_dictionaries({"type": st.just("file")}, optional={"file": FILES}),
    FILES.map(lambda file: {**(file or {}), "type": "input_file"}),
)
ANSWERED = [assistant("I see."), user("And now?")]


def chat(messages: list[Any]) -> Turn:
    return parse_chat(ChatCompletionSchema().load({"messages": messages})).turn


def response(messages: list[Any]) -> Turn:
    loaded = ResponsesSchema().load({"input": messages})
    complete_items(loaded["input"])  # they are stored
    return parse_response(loaded, loaded["input"]).turn


def message(messages: list[Any]) -> Turn:
    return parse_message(MessagesSchema().load({"max_tokens": 4096, "messages": messages})).turn


@pytest.mark.parametrize("read", [chat, response, message])
@given(parts=st.lists(PARTS, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_any_media_of_the_past_is_read_or_becomes_text(read: Any, parts: list[Any]) -> None:
    try:
        turn = read([user([{"type": "text", "text": "Look."}, *parts]), *ANSWERED])
    except ValidationError:
        return  # the schema names the field
    past = turn.messages[0].content
    assert {block["type"] for block in past} <= {"text", "image", "document"}
    assert len(past) >= 2
    again = read(
        [user([{"type": "text", "text": "Look."}, *parts]), *ANSWERED, assistant("Yes."), user("Sure?")]
    )
    assert again.messages[0] == turn.messages[0]  # the prompt cache holds

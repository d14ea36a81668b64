"""A file that a request refers to by id reaches the model as if the client had sent its content."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from gateway.dialects.chat.cursor import as_chat
from gateway.dialects.chat.request import find_errors, parse_plain_body
from gateway.dialects.common.stored_files import FileContent
from gateway.dialects.messages.request import parse_request as parse_message
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.request import parse_request as parse_response
from gateway.errors import InvalidRequest, RequestTooLarge, StoredFileNotFound
from gateway.repairs import Repair
from gateway.turn import Turn
from tests.support.pictures import data_url, noise, plain

PNG, LARGE = plain(3, 3), noise(600, 600)
PDF = b"%PDF-1.7 ..."
CSV = "Größe;5".encode("latin-1")


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


FILES = {
    "file-png": FileContent("a.png", "image/png", b64(PNG)),
    "file-large": FileContent("b.png", "application/octet-stream", b64(LARGE)),
    "file-pdf": FileContent("a.pdf", "application/pdf", b64(PDF)),
    "file-csv": FileContent("a.csv", "text/csv; charset=latin-1", b64(CSV)),
    "file-empty": FileContent("e.txt", "text/plain", ""),
    "file-zip": FileContent("e.zip", "application/zip", b64(b"PK\x03\x04\0\0")),
}
ANSWERED: list[Any] = [{"role": "assistant", "content": "I see."}, {"role": "user", "content": "And?"}]

Parsed = tuple[Turn, tuple[Repair, ...]]


def read_file(file_id: str) -> FileContent:
    if file_id == "file-huge":
        raise RequestTooLarge("Too much.")
    if file_id not in FILES:
        raise StoredFileNotFound(f"There is no file with the id '{file_id}'.")
    return FILES[file_id]


def chat(part: Any, *later: Any) -> Parsed:
    plain_body = as_chat({"messages": [{"role": "user", "content": [part]}, *later]}, read_file)
    parsed = parse_plain_body(plain_body)
    return parsed.turn, parsed.repaired


def message(part: Any, *later: Any) -> Parsed:
    body = {"max_tokens": 99, "messages": [{"role": "user", "content": [part]}, *later]}
    parsed = parse_message(body, read_file=read_file)
    return parsed.turn, parsed.repaired


def response(part: Any, *later: Any) -> Parsed:
    parsed = parse_response({}, [{"role": "user", "content": [part]}, *later], read_file=read_file)
    return parsed.turn, parsed.repaired


def stored_response(part: Any, *later: Any) -> Parsed:
    """Translate input that continues a stored response whose items have the part."""
    earlier = complete_items([{"role": "user", "content": [part]}, ANSWERED[0]])
    parsed = parse_response({}, later or ANSWERED[1:], earlier, read_file)
    return parsed.turn, parsed.repaired


def source(**fields: str) -> dict[str, Any]:
    return {"type": "base64", **fields}


Parse = Callable[..., Parsed]
IMAGE_SOURCE = {"type": "image", "source": {"type": "file", "file_id": "file-png"}}
SAME: list[tuple[Parse, Any, Any]] = [
    (
        chat,
        {"type": "file", "file": {"file_id": "file-pdf"}},
        {"type": "file", "file": {"file_data": b64(PDF), "filename": "a.pdf"}},
    ),
    (
        chat,
        {"type": "file", "file": {"file_id": "file-csv", "filename": "other.csv"}},
        {"type": "file", "file": {"file_data": b64(CSV), "filename": "other.csv"}},
    ),
    (
        chat,
        {"type": "file", "file": {"file_id": "file-png"}},
        {"type": "image_url", "image_url": {"url": data_url(PNG)}},
    ),
    (
        response,
        {"type": "input_image", "file_id": "file-large"},
        {"type": "input_image", "image_url": data_url(LARGE)},
    ),
    (
        stored_response,
        {"type": "input_image", "file_id": "file-large"},
        {"type": "input_image", "image_url": data_url(LARGE)},
    ),
    (
        stored_response,
        {"type": "input_file", "file_id": "file-pdf"},
        {"type": "input_file", "file_data": b64(PDF), "filename": "a.pdf"},
    ),
    (
        response,
        {"type": "input_file", "file_id": "file-csv"},
        {"type": "input_file", "file_data": b64(CSV), "filename": "a.csv"},
    ),
    (
        message,
        IMAGE_SOURCE,
        {"type": "image", "source": source(data=b64(PNG), media_type="image/png")},
    ),
    (
        message,
        {"type": "document", "source": {"type": "file", "file_id": "file-pdf"}, "context": "old"},
        {"type": "document", "source": source(data=b64(PDF), media_type="application/pdf"), "context": "old"},
    ),
    (
        message,
        {"type": "document", "source": {"type": "file", "file_id": "file-csv"}, "title": "Sizes"},
        {"type": "document", "source": source(data=b64(CSV), media_type="text/csv"), "title": "Sizes"},
    ),
    (
        message,
        {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE_SOURCE]},
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "image", "source": source(data=b64(PNG), media_type="image/png")}],
        },
    ),
]


@pytest.mark.parametrize(("parse", "stored", "sent"), SAME)
def test_stored_file_makes_the_same_turn_as_its_content(parse: Parse, stored: Any, sent: Any) -> None:
    turn, repairs = parse(stored)
    expected_turn, expected_repairs = parse(sent)
    assert turn == expected_turn
    assert [repair.code for repair in repairs] == [repair.code for repair in expected_repairs]
    assert parse(stored, *ANSWERED)[0] == parse(sent, *ANSWERED)[0]


@pytest.mark.parametrize(
    ("parse", "make", "path"),
    [
        (chat, lambda id_: {"type": "file", "file": {"file_id": id_}}, "messages[0].content[0].file.file_id"),
        (response, lambda id_: {"type": "input_file", "file_id": id_}, "input[0].content[0].file_id"),
        (response, lambda id_: {"type": "input_image", "file_id": id_}, "input[0].content[0].file_id"),
        (
            message,
            lambda id_: {"type": "document", "source": {"type": "file", "file_id": id_}},
            "messages[0].content[0].source.file_id",
        ),
    ],
)
@pytest.mark.parametrize(
    ("file_id", "problem", "code"),
    [
        ("file-none", "There is no file with the id 'file-none'.", "file_not_found"),
        ("file-empty", "The file is empty.", "invalid_request"),
        ("file-zip", "a ZIP archive", "invalid_request"),
        (7, "Expected a string", "invalid_request"),
    ],
)
def test_unusable_file_is_refused_now_and_a_line_of_text_later(
    parse: Parse, make: Callable[[Any], Any], path: str, file_id: Any, problem: str, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(make(file_id))
    error = refused.value
    assert problem in error.message
    assert (error.status, error.param, error.code) == (400, path, code)

    turn, repairs = parse(make(file_id), *ANSWERED)
    (line,) = turn.messages[0].content
    assert line["text"].startswith("[A file was left out of this conversation. ")
    assert problem in line["text"]
    assert [repair.code for repair in repairs] == ["unreadable-file"]


def test_too_much_content_is_a_413() -> None:
    with pytest.raises(RequestTooLarge):
        chat({"type": "file", "file": {"file_id": "file-huge"}})


def test_check_of_a_body_finds_missing_files() -> None:
    parts = [{"type": "file", "file": {"file_id": name}} for name in ("file-png", "file-none")]
    body = as_chat({"messages": [{"role": "user", "content": parts}]}, read_file)
    assert [error.code for error in find_errors(body)] == ["file_not_found"]

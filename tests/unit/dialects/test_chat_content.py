"""Images and files in messages become blocks."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from gateway.dialects.common.media import MAX_FILE_BYTES
from gateway.errors import UnsupportedParameter
from gateway.repairs import Repair
from tests.support.client_bodies import PDF, PNG, PNG_URL
from tests.support.pictures import content_of, data_url, opened, plain
from tests.unit.dialects.test_chat_dialect import error_of, request

IMAGES = {f"image/{kind.lower()}": plain(8, 8, kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")}
PNG_BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def block(part: dict[str, Any]) -> dict[str, Any]:
    (message,) = request({"role": "user", "content": [part]}).turn.messages
    (got,) = message.content
    return got


def blamed_field(part: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the field that the error names, and True if the error says that it is unsupported."""
    error = error_of({"role": "user", "content": [part]})
    assert error.param is not None
    assert error.param in error.message
    return error.param.removeprefix("messages[0].content[0]."), isinstance(error, UnsupportedParameter)


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: Any, name: str | None = None) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": data, "filename": name}}


@pytest.mark.parametrize(
    "part",
    [
        image(PNG_URL),
        {"type": "image_url", "image_url": PNG_URL},
        {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "high"}, "cache_control": {}},
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto", "file_id": None},
        {"type": "input_image", "image_url": {"url": PNG_URL}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": PNG_URL}},
        image(f"DATA:image/png;name=a.png;BASE64,{PNG}"),
        image(f"data:image/jpeg;base64,{PNG}"),
        image(f"data:;base64,{PNG}"),
        image(f"data:image/png;base64,{PNG[:40]}\r\n{PNG[40:]}"),
        image(f"data:image/png;base64,{PNG.rstrip('=')}"),
        image(f"data:image/png,{quote(base64.b64decode(PNG))}"),
        image(f"data:image/png;base64,{quote(PNG, safe='')}"),
        image(f"data:image/png;base64,{PNG.replace('+', '-').replace('/', '_')}"),
        image(PNG),
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        file(PNG_URL, "a.png"),
        {"type": "resource", "resource": {"uri": "file:///a.png", "blob": PNG}},
    ],
)
def test_images_become_image_blocks(part: dict[str, Any]) -> None:
    assert block(part) == PNG_BLOCK


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("label", [*IMAGES, "image/jpg", "application/octet-stream"])
def test_first_bytes_decide_the_type_of_an_image(kind: str, label: str) -> None:
    assert block(image(data_url(IMAGES[kind], label)))["source"]["media_type"] == kind


@pytest.mark.parametrize(
    "part",
    [
        image("https://example.com/a.png?b=c"),
        {"type": "image_url", "image_url": "https://example.com/a.png?b=c"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png?b=c"}},
    ],
)
def test_image_urls_are_passed_on(part: dict[str, Any]) -> None:
    assert block(part) == {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png?b=c"}}
    assert block(image("HTTP://example.com"))["source"]["url"] == "HTTP://example.com"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        7,
        [],
        "a.png",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,!!!!",
        data_url(b"<svg/>", "image/svg+xml"),
        data_url(b"BM......", "image/png"),
        data_url(IMAGES["image/png"][:-30], "image/png"),
        data_url(b"RIFF....WAVE", "image/webp"),
    ],
)
def test_error_names_the_invalid_image(url: Any) -> None:
    assert blamed_field(image(url)) == ("image_url.url", False)


@pytest.mark.parametrize(
    ("part", "param", "unsupported"),
    [
        ({"type": "image_url"}, "image_url", False),
        ({"type": "input_image", "file_id": "file-1"}, "file_id", True),
        ({"type": "image"}, "source", False),
        ({"type": "image", "source": {"type": "file", "file_id": "x"}}, "source.file_id", True),
        ({"type": "image", "source": {"type": "base64", "data": "x"}}, "source.data", False),
        ({"type": "document", "source": {"type": "content"}}, "source.type", True),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "input_audio", True),
        ({"type": "file"}, "file", False),
        ({"type": "file", "file": {}}, "file.file_data", False),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file.file_id", True),
        ({"type": "input_file", "file_url": "file:///etc/passwd"}, "file_url", False),
    ],
)
def test_error_names_the_invalid_part(part: dict[str, Any], param: str, unsupported: bool) -> None:
    assert blamed_field(part) == (param, unsupported)


@pytest.mark.parametrize(
    "part",
    [
        file(f"data:application/pdf;base64,{PDF}", "a.pdf"),
        file(PDF, "a.pdf"),
        file(f"data:text/plain;base64,{PDF}", "a.pdf"),
        {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
    ],
)
def test_pdf_becomes_a_document(part: dict[str, Any]) -> None:
    assert block(part) == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "title": "a.pdf",
    }


@pytest.mark.parametrize(
    "part",
    [
        file(data_url("naïve\n".encode(), "text/markdown"), "a.md"),
        file(data_url("\ufeffnaïve\n".encode(), "application/octet-stream"), "a.md"),
        file(b64("naïve\n".encode()), "a.md"),
        file("data:text/plain,na%C3%AFve%0A", "a.md"),
        {"type": "document", "title": "a.md", "source": {"type": "text", "data": "naïve\n"}},
    ],
)
def test_text_file_becomes_a_document(part: dict[str, Any]) -> None:
    assert block(part) == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "naïve\n"},
        "title": "a.md",
    }


def test_document_url_is_passed_on() -> None:
    source = {"type": "url", "url": "https://example.com/a.pdf"}

    assert block({"type": "input_file", "file_url": source["url"]}) == {"type": "document", "source": source}
    assert block({"type": "document", "source": source}) == {"type": "document", "source": source}


@pytest.mark.parametrize("name", [None, "", " "])
def test_file_name_is_optional(name: str | None) -> None:
    assert "title" not in block(file(PDF, name))


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        "plain text is no base64",
        data_url(b"PK\x03\x04\xff\xfe", "application/zip"),
        data_url(b"a\0b", "text/plain"),
        data_url(b" \n", "text/plain"),
        data_url(b"\0\0\0\x18ftypheic", "image/heic"),
    ],
)
def test_error_names_the_invalid_file(data: str | None) -> None:
    assert blamed_field(file(data, "a")) == ("file.file_data", False)


def test_file_size_is_limited() -> None:
    pdf = b"%PDF-1.4".ljust(MAX_FILE_BYTES, b"\0")

    assert block(file(b64(pdf)))["source"]["media_type"] == "application/pdf"
    assert blamed_field(file(b64(pdf + b"\0"))) == ("file.file_data", False)


def test_parts_keep_their_order() -> None:
    content = [{"type": "text", "text": "a"}, image(PNG_URL), {"type": "text", "text": "b"}, file(PDF)]
    (message,) = request({"role": "user", "content": content}).turn.messages

    assert [part["type"] for part in message.content] == ["text", "image", "text", "document"]


# Repairs, and files in earlier messages


def repairs(*messages: dict[str, Any]) -> tuple[Repair, ...]:
    return request(*messages).repaired


def asked(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


ANSWERED = ({"role": "assistant", "content": "I see."}, {"role": "user", "content": "And now?"})


def test_image_that_is_too_large_is_scaled_and_named() -> None:
    part = image(data_url(plain(2400, 300)))
    (message,) = request(asked(part)).turn.messages
    assert opened(content_of(message.content[0])).size == (2000, 250)
    assert repairs(asked(part)) == (Repair("image-scaled", "messages[0].content[0].image_url.url"),)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "AVIF", "ICO"])
def test_image_in_another_format_is_converted(kind: str) -> None:
    part = image(data_url(plain(16, 16, kind), f"image/{kind.lower()}"))
    assert block(part)["source"]["media_type"] in IMAGES
    assert repairs(asked(part))[0].code == "image-scaled"


def test_wrong_label_of_an_image_is_named() -> None:
    assert [repair.code for repair in repairs(asked(image(data_url(IMAGES["image/gif"]))))] == ["image-type"]
    assert repairs(asked(image(data_url(IMAGES["image/jpeg"], "image/jpg")))) == ()


def test_pdf_in_an_image_part_becomes_a_document() -> None:
    part = image(f"data:application/pdf;base64,{PDF}")
    assert block(part)["type"] == "document"


@pytest.mark.parametrize(
    "part",
    [
        file(b64("Größe;5 €\n".encode("cp1252"))),
        file(b64("Größe;5 €\n".encode("utf-16"))),
        {"type": "resource", "resource": {"uri": "a.csv", "blob": b64("Größe;5 €\n".encode("utf-16-le"))}},
    ],
)
def test_text_in_another_encoding_is_decoded_and_named(part: dict[str, Any]) -> None:
    assert block(part)["source"]["data"] == "Größe;5 €\n"
    assert [repair.code for repair in repairs(asked(part))] == ["text-decoded"]


@pytest.mark.parametrize(
    ("part", "advice"),
    [
        (image(data_url(b"\0\0\0\x18ftypheic", "image/heic")), "Convert it to PNG or JPEG."),
        (image(data_url(b"<svg/>", "image/svg+xml")), "Convert it to PNG or JPEG."),
        (image(data_url(IMAGES["image/png"][:-30])), "Save it again as PNG or JPEG."),
        (image("blob:https://example.com/1"), "Expected base64, a data URL or an http(s) URL."),
        (file(b64(b"PK\x03\x04....word/document.xml\0")), "Send it as a PDF file or as text."),
        (file(b64(b"PK\x03\x04\0\0")), "Unpack it and send the files in it."),
        (file(b64(b"  ")), "The file is empty."),
        ({"type": "input_file", "file_id": "file-1"}, "Send the content instead."),
    ],
)
def test_unreadable_file_is_refused_now_and_a_line_of_text_later(part: dict[str, Any], advice: str) -> None:
    assert advice in error_of(asked(part)).message

    parsed = request(asked({"type": "text", "text": "Look."}, part), *ANSWERED)
    _, line = parsed.turn.messages[0].content
    assert line["type"] == "text"
    assert line["text"].startswith("[A file was left out of this conversation. ")
    assert line["text"].endswith(f"{advice}]")
    assert [repair.code for repair in parsed.repaired] == ["unreadable-file"]

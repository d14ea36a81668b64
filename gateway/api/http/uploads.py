"""Read a form with a file (multipart/form-data), and write the file to its place while it arrives.

The file is never in the memory or in a temporary file as a whole.
https://platform.openai.com/docs/api-reference/files/create
https://platform.claude.com/docs/en/api/files-create
"""

import io
import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from gateway.dialects.common.field_errors import invalid_field
from gateway.errors import InvalidRequest, UnsupportedEncoding

FORM_BYTES = 64 * 1024  # room for the parts of a form around its file
MAX_FIELDS_BYTES = 500_000  # the parser's buffer, which must hold what one read returns, has the same limit
MAX_PARTS = 20
MAX_NAME_LENGTH = 255
BINARY = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(; ?[\w-]{1,40}=\"?[\w.:-]{1,60}\"?)*")


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The name and the type of the uploaded file, and the other fields of its form."""

    filename: str
    content_type: str
    fields: dict[str, str]


def read_upload(request: Request, write: Callable[[bytes], int]) -> UploadForm:
    """Read the form, and pass the content of its field `file` to `write`. Raises InvalidRequest for other bodies."""
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != "multipart/form-data" or not boundary:
        raise _no_file()
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedEncoding(
            "A compressed upload is not supported. Send the form without Content-Encoding."
        )
    parser = MultiPartParser(
        _open_once(write), max_form_memory_size=MAX_FIELDS_BYTES, max_form_parts=MAX_PARTS
    )
    try:
        fields, files = parser.parse(request.stream, boundary.encode("utf-8", "replace"), None)
    except ValueError as error:
        raise InvalidRequest(f"Invalid request body. It is not a complete form: {error}.") from None
    except RequestEntityTooLarge:
        raise invalid_field(
            "file", f"The other fields of the form exceed {MAX_FIELDS_BYTES} bytes."
        ) from None
    file = files.get("file")
    if file is None:
        raise _no_file()
    return UploadForm(_read_name(file), _read_type(file), fields.to_dict())


def _no_file() -> InvalidRequest:
    return invalid_field("file", "Expected a form (multipart/form-data) with a file in this field.")


class _Sink(io.RawIOBase):
    """A stream that passes everything on. The parser rewinds it at the end, which has no effect."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        super().__init__()
        self._write = write

    def write(self, data: Any) -> int:
        """Pass bytes on."""
        return self._write(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Do nothing."""
        return 0


def _open_once(write: Callable[[bytes], int]) -> Callable[..., Any]:
    """Return the factory of streams for the parser. It raises InvalidRequest for a second file."""
    opened: list[_Sink] = []

    def open_stream(**_: object) -> _Sink:
        if opened:
            raise invalid_field("file", "The form has several files. Send one file per request.")
        opened.append(_Sink(write))
        return opened[0]

    return open_stream


def _read_name(file: FileStorage) -> str:
    name = re.split(r"[/\\]", file.filename or "")[-1]
    if len(name) > MAX_NAME_LENGTH:
        raise invalid_field("file", f"The name of the file has more than {MAX_NAME_LENGTH} characters.")
    return name or f"unnamed{mimetypes.guess_extension(file.mimetype) or ''}"


def _read_type(file: FileStorage) -> str:
    """Return the type that the client says, or the usual type of files with this name."""
    given = file.content_type or ""
    if given and file.mimetype != BINARY and _MEDIA_TYPE.fullmatch(given):
        return given
    return mimetypes.guess_type(file.filename or "")[0] or BINARY

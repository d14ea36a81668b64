"""Read a form with a file (multipart/form-data), and write the file to its place while it arrives.

The file is never in the memory or in a temporary file as a whole.
https://platform.openai.com/docs/api-reference/files/create
https://platform.claude.com/docs/en/api/files-create
"""

import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from gateway.dialects.common.field_errors import invalid_field
from gateway.errors import InvalidRequest, UnsupportedEncoding

FORM_BYTES = 64 * 1024  # room for the parts of a form around its file
MAX_FIELDS_BYTES = 500_000  # the parser's buffer, which must hold what one read returns, has the same limit
MAX_PARTS = 20
READ_BYTES = 64 * 1024
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
    form = _Form(write)
    try:
        form.read(request.stream, boundary.encode("utf-8", "replace"))
    except ValueError as error:
        raise InvalidRequest(f"Invalid request body. It is not a complete form: {error}.") from None
    except RequestEntityTooLarge:
        raise invalid_field(
            "file", f"The other fields of the form exceed {MAX_FIELDS_BYTES} bytes."
        ) from None
    if form.file is None:
        raise _no_file()
    return UploadForm(_read_name(form.file), _read_type(form.file), form.fields)


def _no_file() -> InvalidRequest:
    return invalid_field("file", "Expected a form (multipart/form-data) with a file in this field.")


class _Form:
    """Reads the parts of a form. The part `file` is the file even if it has no name, as in Anthropic's SDK."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.file: FileStorage | None = None
        self.fields: dict[str, str] = {}
        self._write = write
        self._part: File | Field | None = None
        self._value = bytearray()
        self._fields_bytes = 0

    def read(self, stream: IO[bytes], boundary: bytes) -> None:
        """Read all parts. Raises ValueError for a body that is not a form, and RequestEntityTooLarge for its fields."""
        decoder = MultipartDecoder(boundary, MAX_FIELDS_BYTES, max_parts=MAX_PARTS)
        while not decoder.complete:
            data = stream.read(READ_BYTES)
            decoder.receive_data(data or None)
            while not isinstance(event := decoder.next_event(), (NeedData, Epilogue)):
                self._take(event)
            if not data:
                return

    def _take(self, event: Event) -> None:
        if isinstance(event, (File, Field)):
            self._part = event
            if _is_file(event):
                self._begin_file(event)
        elif isinstance(event, Data) and self._part:
            if _is_file(self._part):
                self._write(event.data)
            else:
                self._add_to_field(self._part.name, event)

    def _begin_file(self, part: File | Field) -> None:
        if self.file:
            raise invalid_field("file", "The form has several files. Send one file per request.")
        self.file = FileStorage(None, getattr(part, "filename", ""), part.name, headers=part.headers)

    def _add_to_field(self, name: str, event: Data) -> None:
        self._value += event.data
        self._fields_bytes += len(event.data)
        if self._fields_bytes > MAX_FIELDS_BYTES:
            raise RequestEntityTooLarge
        if not event.more_data:
            self.fields.setdefault(name, self._value.decode("utf-8", "replace"))
            self._value.clear()


def _is_file(part: File | Field) -> bool:
    return part.name == "file"


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

"""The files that requests refer to by id, for the dialects, which have no database.

For example:

    parse_request(body, files_of(caller, services))
"""

import base64
from collections.abc import Iterable

from gateway.answering.caller import Caller
from gateway.answering.services import Services
from gateway.dialects.common.stored_files import FileContent, FileReader
from gateway.errors import RequestTooLarge


def files_of(caller: Caller, services: Services) -> FileReader:
    """Return the reader of the caller's own files, for one request.

    All files of a request together may have the size of a request, as if the client had sent their content.
    """
    files, owner, limit = services.files, caller.owner_id, services.settings.max_request_bytes
    known: dict[str, FileContent] = {}
    total = 0

    def read_file(file_id: str) -> FileContent:
        nonlocal total
        content = known.get(file_id)
        if content is None:
            file = files.get(owner, file_id)
            _check_total(total + file.size, limit)
            data = _encode(files.read(owner, file_id))
            content = known[file_id] = FileContent(file.filename, file.content_type, data)
        total += len(content.data) * 3 // 4
        _check_total(total, limit)
        return content

    return read_file


def _check_total(size: int, limit: int) -> None:
    if size > limit:
        problem = f"The files that the request refers to have more than {limit} bytes (MAX_REQUEST_BYTES)."
        raise RequestTooLarge(f"{problem} Refer to fewer or smaller files.")


def _encode(chunks: Iterable[bytes]) -> str:
    """Return the base64 of chunks, one at a time: other greenlets run between them."""
    encoded, rest = [], b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) - len(rest) % 3
        encoded.append(base64.b64encode(rest[:whole]).decode())
        rest = rest[whole:]
    return "".join([*encoded, base64.b64encode(rest).decode()])

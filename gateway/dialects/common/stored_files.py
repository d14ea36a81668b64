"""The content of files that a request refers to by id, which the client has uploaded before.

Dialects have no database. The layer above passes a FileReader to `parse_request`, and the place of a value
carries it to the readers of content (`where.notes.read_file`).
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file: its name, the type that the client gave, and its content in base64."""

    filename: str
    content_type: str
    data: str


#: Returns the content of the file with an id. Raises NotFound, or RequestTooLarge if the request has too many files.
FileReader = Callable[[str], FileContent]

"""Errors about one field of a request, in one form of words."""

from __future__ import annotations

from typing import Any

from gateway.errors import InvalidRequest, UnsupportedParameter, UpstreamError

_LONGEST_QUOTE = 80


def invalid(where: str, problem: str) -> InvalidRequest:
    """The field at path `where` (`messages[3].content`) is wrong; `problem` is a sentence."""
    return InvalidRequest(f"Invalid '{where}': {problem}", param=where)


def unsupported(where: str, problem: str) -> UnsupportedParameter:
    """The field is understood, cannot be honoured, and without it the answer would be another."""
    return UnsupportedParameter(f"Unsupported '{where}': {problem}", param=where)


def retracted() -> UpstreamError:
    """What a stream has sent is void, as it did not follow the schema."""
    return UpstreamError(
        "The model's output did not follow the schema, and what is sent cannot be taken back. Try again.",
        code="invalid_structured_output",
    )


def quoted(value: Any) -> str:
    """A client's own word for use in a message: bounded in length."""
    return f"'{str(value)[:_LONGEST_QUOTE]}'"

"""Errors about one field of a request, in the same wording, and with the dialect's own name for the field.

`claude` and `answering` do not know any dialect, so their errors name a concept, such as "output_schema", in `param`.
Each dialect has a `FIELD_NAMES` mapping from concepts to its fields; concepts that it does not list have the same name
in the dialect.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any

from gateway.dialects.common.where import Where
from gateway.errors import GatewayError, InvalidRequest, UnsupportedParameter

#: Maps each concept to the dialect's name for it.
FieldNames = Mapping[str, str]

_MAX_QUOTE_LENGTH = 80


def invalid_field(where: Where | str, problem: str) -> InvalidRequest:
    """Return the error for a wrong field at path `where`; `problem` is a sentence.

    >>> invalid_field("messages[3].content", "Expected a string.").message
    "Invalid 'messages[3].content': Expected a string."
    """
    return InvalidRequest(f"Invalid '{where}': {problem}", param=str(where))


def unsupported_field(where: Where | str, problem: str) -> UnsupportedParameter:
    """Return the error for a field that cannot be honored although the answer depends on it."""
    return UnsupportedParameter(f"Unsupported '{where}': {problem}", param=str(where))


def problem_of(error: InvalidRequest) -> str:
    """Return the sentence about the problem, without the path of the field.

    >>> problem_of(invalid_field("messages[3].content", "Expected a string."))
    'Expected a string.'
    """
    return error.message.split(f"'{error.param}': ", 1)[-1]


def quote(value: Any) -> str:
    """Return a client's own word for use in a message, quoted and bounded in length."""
    return f"'{str(value)[:_MAX_QUOTE_LENGTH]}'"


def translate_error(error: GatewayError, names: FieldNames) -> GatewayError:
    """Return the error with the dialect's name for its field, in `param` and in the message.

    >>> error = InvalidRequest("It is nested too deeply.", param="output_schema")
    >>> translate_error(error, {"output_schema": "text.format.schema"}).message
    "Invalid 'text.format.schema': It is nested too deeply."
    """
    if error.param is None or error.param not in names:
        return error
    translated = copy(error)
    translated.param = names[error.param]
    translated.message = f"Invalid '{translated.param}': {error.message}"
    return translated


@contextmanager
def translated_errors(names: FieldNames) -> Iterator[None]:
    """Raise the errors of the block with the dialect's names for their fields."""
    try:
        yield
    except GatewayError as error:
        translated = translate_error(error, names)
        if translated is error:
            raise
        raise translated from error


def translate_names(concepts: Iterable[str], names: FieldNames) -> tuple[str, ...]:
    """Return the dialect's names for `concepts`, for example for ignored parameters."""
    return tuple(names.get(concept, concept) for concept in concepts)

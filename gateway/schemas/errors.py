"""Turn marshmallow's tree of errors into the one error that a client gets, with `param` in OpenAI's notation.

>>> error = field_error({"messages": {0: {"role": ["Expected a string."]}}})
>>> error.param, error.message
('messages[0].role', "Invalid 'messages[0].role': Expected a string.")
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.errors import InvalidRequest

MISSING_MESSAGES = "At least one message is required."

# Texts of schema errors that have a code of their own.
_CODES = {MISSING_MESSAGES: "missing_messages"}

# The locations that webargs and flask-smorest read arguments from; webargs puts their errors one level down.
_LOCATIONS = ("json", "query", "querystring", "form", "headers", "cookies", "files", "path", "view_args")

# marshmallow's key for errors of an object as a whole.
_OBJECT_KEY = "_schema"


def field_error(messages: Mapping[Any, Any] | list[Any]) -> InvalidRequest:
    """Return the first problem in a ValidationError's `messages`, as an error that names the field.

    Accepts marshmallow's nested form (field names, and list indexes as int keys), also inside a location of webargs
    (`{"json": …}`).
    """
    unknown = InvalidRequest(f"Invalid request body: {InvalidRequest.default_message}")
    return next(field_errors(messages), unknown)


def field_errors(messages: Mapping[Any, Any] | list[Any]) -> Iterator[InvalidRequest]:
    """Yield all problems in the order of the schema's fields, each as an error that names its field."""
    for path, problem in _leaves(_without_location(messages), ""):
        where = f"'{path}'" if path else "request body"
        yield InvalidRequest(f"Invalid {where}: {problem}", param=path or None, code=_CODES.get(problem))


def _without_location(messages: Any) -> Any:
    if not isinstance(messages, Mapping) or len(messages) != 1:
        return messages
    ((key, inner),) = messages.items()
    # A field may have the name of a location ("path"), but its errors are a list. The error of a body that is not JSON
    # is {"json": [text]}.
    if key == "json" or (key in _LOCATIONS and isinstance(inner, Mapping)):
        return inner
    return messages


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _leaves(inner, _join(path, key))
    elif isinstance(node, (list, tuple)):
        for inner in node:
            yield from _leaves(inner, path)
    else:
        yield path, str(node)


def _join(path: str, key: Any) -> str:
    if key == _OBJECT_KEY:
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)

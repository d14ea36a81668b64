"""What `/openapi.json` says of an operation besides its schemas and docstring: its errors, headers, ids and keys.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from apispec import APISpec, BasePlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from gateway import errors
from gateway.api.http.blueprints import Blueprint
from gateway.dialects.messages import errors as anthropic_errors
from gateway.errors import GatewayError
from gateway.schemas.answers import AnthropicErrorSchema, ErrorSchema, StreamEventSchema
from gateway.settings import Settings

View = TypeVar("View", bound=Callable[..., Any])
Errors = Iterable[type[GatewayError]]

JSON = "application/json"
EVENTS = "text/event-stream"

ABOUT = """An OpenAI-compatible API in front of the Claude Code CLI; Anthropic's Messages API as well.

* **Keys.** {keys} Send one as `Authorization: Bearer KEY` or as `x-api-key: KEY`.
* **Unknown fields** of a request for an answer are accepted and named in the header `x-ignored-parameters`.
* **Content types.** Bodies are taken for JSON whatever their `Content-Type`.
* **Not here.** What else OpenAI's API has (embeddings, audio, images, files, batches and so on) is refused with 501
  `not_implemented`; trying again does not help.
"""

# What may befall every request, one that needs a key, one with a body, and one for an answer.
_ANY = (GatewayError,)
_GUARDED = (errors.MissingKey, errors.InvalidKey, errors.LimitReached, errors.StoreError)
_WITH_BODY = (errors.InvalidRequest, errors.RequestTooLarge)
ANSWERING = (
    errors.UnsupportedParameter,
    errors.ContextLengthExceeded,
    errors.ModelNotSupported,
    errors.ModelNotAllowed,
    errors.QuotaExceeded,
    errors.RateLimited,
    errors.TooManyTurns,
    errors.UpstreamError,
    errors.ClaudeUnavailable,
    errors.NotLoggedIn,
    errors.Overloaded,
    errors.ShuttingDown,
    errors.TurnTimeout,
)

_PARAMETERS = {
    "model_id": ("A model's id or alias.", "sonnet"),
    "project_id": ("A project's id.", None),
    "path": ("A file's path in the project, with `/` between its parts.", "docs/readme.md"),
    "response_id": ("A response's id.", None),
    "session_id": ("A session's id, or the CLI's own for it.", None),
}

_HEADERS = {
    "x-request-id": "The request's id, as in the log; the client's own if it sent one.",
    "retry-after": "After how many seconds trying again makes sense.",
    "x-should-retry": "`false`: trying again cannot help.",
    "x-ignored-parameters": "Parameters of the request that had no effect.",
    "x-session-id": "The session that the answer belongs to.",
    "x-project-id": "The project that the answer belongs to.",
}
ANSWER_HEADERS = ("x-ignored-parameters", "x-session-id", "x-project-id")
_RETRY_HEADERS = ("retry-after", "x-should-retry")
_RETRIED = ("429", "503", "529")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How errors are written. `prefix` is put before the names of their examples."""

    schema: str
    prefix: str
    status: Callable[[GatewayError], int]
    body: Callable[[GatewayError], dict[str, Any]]


OPENAI = Dialect("Error", "", lambda error: error.status, lambda error: error.body())
ANTHROPIC = Dialect(
    "AnthropicError",
    "Anthropic",
    anthropic_errors.status,
    lambda error: anthropic_errors.body(error, "req_0123456789abcdef"),
)


def raises(*kinds: type[GatewayError]) -> Callable[[View], View]:
    """Describe the errors of a view. Goes right below `blueprint.route`."""

    def mark(view: View) -> View:
        view.raises = kinds  # type: ignore[attr-defined]
        return view

    return mark


def answered(
    blueprint: Blueprint, schema: type[Schema], example: dict[str, Any], stream: str
) -> Callable[[Any], Any]:
    """Describe a view that answers like `example`, or streams events that begin like `stream`."""
    headers: dict[str, Any] = {name: name for name in ANSWER_HEADERS}
    whole = blueprint.response(200, schema, description="An answer", example=example, headers=headers)
    events = blueprint.alt_response(
        200,
        schema=StreamEventSchema,
        content_type=EVENTS,
        description="An answer",
        example=stream,
        success=True,
    )
    return lambda view: whole(events(view))


def options(settings: Settings) -> dict[str, Any]:
    """What the description says of the API as a whole."""
    keys = (
        "Every request needs one, but those for the gateway itself."
        if settings.require_auth
        else "None is needed."
    )
    schemes: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}]
    return {
        "info": {
            "description": ABOUT.format(keys=keys),
            "license": {"name": "GPL-3.0", "identifier": "GPL-3.0-only"},
        },
        "security": schemes if settings.require_auth else [{}, *schemes],
    }


class Describe(BasePlugin):
    """Completes every operation. `public` are names of blueprints whose views need no key."""

    def __init__(
        self, app: Flask, public: Collection[str], anthropic: Collection[str], both: Collection[str]
    ) -> None:
        self._app = app
        self._public = public
        self._dialects = {
            **dict.fromkeys(anthropic, (ANTHROPIC,)),
            **dict.fromkeys(both, (OPENAI, ANTHROPIC)),
        }

    def init_spec(self, spec: APISpec) -> None:
        """Add the components that operations refer to."""
        known = spec.components
        known.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
        known.security_scheme("x-api-key", {"type": "apiKey", "in": "header", "name": "x-api-key"})
        known.schema("Error", schema=ErrorSchema)
        known.schema("AnthropicError", schema=AnthropicErrorSchema)
        for name, text in _HEADERS.items():
            known.header(name, {"description": text, "schema": {"type": "string"}})
        for dialect in (OPENAI, ANTHROPIC):
            for kind in _tree(GatewayError):
                example = {"summary": _first_line(kind), "value": dialect.body(_sample(kind))}
                known.example(dialect.prefix + kind.__name__, example, lazy=True)

    def path_helper(
        self, path: str | None = None, operations: Any = None, parameters: Any = None, **kwargs: Any
    ) -> None:
        """Say what the variables in a path are."""
        for parameter in parameters:
            text, example = _PARAMETERS[parameter["name"]]
            parameter["description"] = text
            if example:
                parameter["example"] = example

    def operation_helper(self, path: str | None = None, operations: Any = None, **kwargs: Any) -> None:
        """Complete the operations of a path."""
        rule: Rule = kwargs["rule"]
        blueprint = rule.endpoint.partition(".")[0]
        own = getattr(self._app.view_functions[rule.endpoint], "raises", ())
        for method, operation in operations.items():
            operation["operationId"] = _identifier(method, str(path))
            if blueprint in self._public:
                operation["security"] = []
            responses = _by_code(operation.get("responses", {}))
            responses.update(self._failures(blueprint, [*own, *self._usual(blueprint, operation)]))
            for code, response in responses.items():
                headers = ("x-request-id", *(_RETRY_HEADERS if code in _RETRIED else ()))
                response["headers"] = {**{name: name for name in headers}, **response.get("headers", {})}
            operation["responses"] = responses

    def _usual(self, blueprint: str, operation: dict[str, Any]) -> Iterator[type[GatewayError]]:
        if "requestBody" in operation:
            yield from _WITH_BODY
        elif any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
            yield errors.InvalidRequest
        if blueprint not in self._public:
            yield from _GUARDED
        yield from _ANY

    def _failures(self, blueprint: str, kinds: Errors) -> dict[str, Any]:
        dialects = self._dialects.get(blueprint, (OPENAI,))
        found = sorted(
            {kind.__name__: kind for kind in kinds}.values(), key=lambda kind: _code(dialects[0], kind)
        )
        grouped = groupby(found, key=lambda kind: _code(dialects[0], kind))
        return {code: _response(dialects, list(group)) for code, group in grouped}


def _response(dialects: Sequence[Dialect], kinds: Sequence[type[GatewayError]]) -> dict[str, Any]:
    schemas = [dialect.schema for dialect in dialects]
    examples = {kind.__name__: dialects[0].prefix + kind.__name__ for kind in kinds}
    return {
        "description": "\n".join(f"- `{kind.code}`: {_first_line(kind)}" for kind in kinds),
        "content": {
            JSON: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, "examples": examples}
        },
    }


def _by_code(responses: dict[Any, Any]) -> dict[str, Any]:
    """Without flask-smorest's references to errors that it documents by itself."""
    return {str(int(code)): response for code, response in responses.items() if isinstance(response, dict)}


def _code(dialect: Dialect, kind: type[GatewayError]) -> str:
    return str(dialect.status(kind()))


def _tree(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _tree(inner)


def _sample(kind: type[GatewayError]) -> GatewayError:
    """With the kind's own message, if it has one: mostly that is written where the error is raised."""
    return kind() if "default_message" in vars(kind) else kind(_first_line(kind))


def _first_line(kind: type[GatewayError]) -> str:
    if kind is GatewayError:
        return "The gateway failed unexpectedly."
    return (kind.__doc__ or "").partition("\n")[0]


def _identifier(method: str, path: str) -> str:
    """`get_v1_models_by_model_id`"""
    words = re.sub(r"\{(\w+)\}", r"by_\1", path)
    return "_".join([method, *re.findall(r"\w+", words.replace("/", " "))])

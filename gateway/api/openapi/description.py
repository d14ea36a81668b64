"""Complete the operations of `/openapi.json`: their errors, headers, ids and keys, which flask-smorest does not know.

https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from apispec import APISpec, BasePlugin
from flask import Flask
from werkzeug.routing import Rule

from gateway import errors
from gateway.api.http.blueprints import ADMIN_PREFIX
from gateway.api.http.error_format import ANTHROPIC, OPENAI, ErrorFormat
from gateway.errors import GatewayError
from gateway.schemas.answers import AnthropicErrorSchema, ErrorSchema
from gateway.settings import Settings

Errors = Iterable[type[GatewayError]]

JSON = "application/json"
SAMPLE_REQUEST_ID = "req_0123456789abcdef"

ABOUT = """OpenAI's API and Anthropic's Messages API in front of the Claude Code CLI.

* **Keys.** {keys} Send one as `Authorization: Bearer KEY` or as `x-api-key: KEY`.
* **Unknown fields** of a request for an answer are accepted and named in the header `x-ignored-parameters`.
* **Repairs** of a conversation's past are named in the header `x-repaired`.
* **Content types.** Bodies are read as JSON with any `Content-Type`.
* **Not served.** The other parts of OpenAI's API (embeddings, audio, images and so on) are rejected
  with 501 `not_implemented`. Trying again does not help.
"""

# The errors of every request, of those that need a key, and of those with a body.
_ANY = (GatewayError,)
_GUARDED = (errors.MissingKey, errors.InvalidKey, errors.LimitReached, errors.StoreError)
_WITH_BODY = (errors.InvalidRequest, errors.RequestTooLarge, errors.UnsupportedEncoding)
_PARAMETERS = {
    "account": ("An account's name.", None),
    "batch_id": ("A batch's id.", None),
    "conversation_id": ("A conversation's id.", None),
    "item_id": ("An item's id.", None),
    "key_id": ("A key's id.", None),
    "team_id": ("A team's id.", None),
    "setting_name": ("The name of a setting in the environment.", "KEEP_SECONDS"),
    "model_id": ("A model's id or alias.", "sonnet"),
    "project_id": ("A project's id.", None),
    "path": ("The path of a file in the project, with `/` between its parts.", "docs/readme.md"),
    "file_id": ("A file's id.", None),
    "response_id": ("A response's id.", None),
    "request_id": ("The request's id in the list, or its `x-request-id`.", None),
    "session_id": ("A session's id, or the id that the CLI gave it.", None),
}

#: The headers of the gateway, except the limits of the client.
HEADERS = {
    "x-request-id": "The id of the request in the log: the client's own, if it sent one.",
    "retry-after": "The seconds after which the client can try again.",
    "x-should-retry": "`false`: trying again cannot help.",
    "x-ignored-parameters": "The parameters of the request that had no effect.",
    "x-repaired": "The repairs that were made to the request, by their codes.",
    "x-session-id": "The session that the answer belongs to.",
    "x-project-id": "The project that the answer belongs to.",
    "x-account": "The account that was asked, if the gateway has a list of accounts.",
    "x-fallback": "The model that the key's fallback asked, because all of its accounts are out of quota.",
}
_RETRY_HEADERS = ("retry-after", "x-should-retry")
_RETRIED = ("429", "503", "529")


def make_options(settings: Settings) -> dict[str, Any]:
    """Return the part of the description that is about the API as a whole."""
    keys = (
        "Every request needs a key, except requests about the gateway itself."
        if settings.require_auth
        else "This gateway needs no key."
    )
    schemes: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}]
    return {
        "info": {
            "description": ABOUT.format(keys=keys),
            "license": {"name": "GPL-3.0", "identifier": "GPL-3.0-only"},
        },
        "security": schemes if settings.require_auth else [{}, *schemes],
    }


class CompleteOperations(BasePlugin):
    """An apispec plugin that completes the description of every operation.

    `public`, `anthropic` and `both` are names of blueprints. Views of `public` ones need no key; errors of `anthropic`
    ones have Anthropic's form, and errors of `both` the form that the client asks for.
    """

    def __init__(
        self, app: Flask, public: Collection[str], anthropic: Collection[str], both: Collection[str]
    ) -> None:
        self._app = app
        self._public = public
        self._formats = {**dict.fromkeys(anthropic, (ANTHROPIC,)), **dict.fromkeys(both, (OPENAI, ANTHROPIC))}

    def init_spec(self, spec: APISpec) -> None:
        """Add the components that operations refer to."""
        known = spec.components
        known.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
        known.security_scheme("x-api-key", {"type": "apiKey", "in": "header", "name": "x-api-key"})
        known.schema("Error", schema=ErrorSchema)
        known.schema("AnthropicError", schema=AnthropicErrorSchema)
        for name, text in HEADERS.items():
            known.header(name, {"description": text, "schema": {"type": "string"}})
        for form in (OPENAI, ANTHROPIC):
            for kind in _subtree(GatewayError):
                body = form.make_body(_sample_error(kind), SAMPLE_REQUEST_ID)
                example = {"summary": _first_line(kind), "value": body}
                known.example(form.prefix + kind.__name__, example, lazy=True)

    def path_helper(
        self, path: str | None = None, operations: Any = None, parameters: Any = None, **kwargs: Any
    ) -> None:
        """Describe the variables in a path."""
        for parameter in parameters:
            text, example = _PARAMETERS[parameter["name"]]
            parameter["description"] = text
            if example:
                parameter["example"] = example

    def operation_helper(self, path: str | None = None, operations: Any = None, **kwargs: Any) -> None:
        """Complete the operations of a path."""
        rule: Rule = kwargs["rule"]
        blueprint = rule.endpoint.partition(".")[0]
        own = getattr(self._app.view_functions[rule.endpoint], "documented_errors", ())
        for method, operation in operations.items():
            operation["operationId"] = _operation_id(method, str(path))
            if blueprint in self._public:
                operation["security"] = []
            responses = _by_code(operation.get("responses", {}))
            responses.update(self._failures(blueprint, [*own, *self._common_errors(blueprint, operation)]))
            for code, response in responses.items():
                headers = ("x-request-id", *(_RETRY_HEADERS if code in _RETRIED else ()))
                response["headers"] = {**{name: name for name in headers}, **response.get("headers", {})}
            operation["responses"] = responses

    def _common_errors(self, blueprint: str, operation: dict[str, Any]) -> Iterator[type[GatewayError]]:
        if "requestBody" in operation:
            yield from _WITH_BODY
        elif any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
            yield errors.InvalidRequest
        if blueprint not in self._public:
            yield from _GUARDED
        if blueprint.startswith(ADMIN_PREFIX):
            yield errors.AdminRequired
        yield from _ANY

    def _failures(self, blueprint: str, kinds: Errors) -> dict[str, Any]:
        formats = self._formats.get(blueprint, (OPENAI,))
        found = sorted(
            {kind.__name__: kind for kind in kinds}.values(), key=lambda kind: _code(formats[0], kind)
        )
        grouped = groupby(found, key=lambda kind: _code(formats[0], kind))
        return {code: _error_response(formats, list(group)) for code, group in grouped}


def _error_response(formats: Sequence[ErrorFormat], kinds: Sequence[type[GatewayError]]) -> dict[str, Any]:
    schemas = [form.schema for form in formats]
    examples = {kind.__name__: formats[0].prefix + kind.__name__ for kind in kinds}
    return {
        "description": "\n".join(f"- `{kind.code}`: {_first_line(kind)}" for kind in kinds),
        "content": {
            JSON: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, "examples": examples}
        },
    }


def _by_code(responses: dict[Any, Any]) -> dict[str, Any]:
    """Return the responses by code, without flask-smorest's references to its own errors."""
    return {str(int(code)): response for code, response in responses.items() if isinstance(response, dict)}


def _code(form: ErrorFormat, kind: type[GatewayError]) -> str:
    return str(form.find_status(kind()))


def _subtree(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _subtree(inner)


def _sample_error(kind: type[GatewayError]) -> GatewayError:
    """Return an error of this kind. If it has no message of its own, the docstring stands in."""
    return kind() if "default_message" in vars(kind) else kind(_first_line(kind))


def _first_line(kind: type[GatewayError]) -> str:
    if kind is GatewayError:
        return "The gateway failed unexpectedly."
    return (kind.__doc__ or "").partition("\n")[0]


def _operation_id(method: str, path: str) -> str:
    """Return an operation's id, for example `get_v1_models_by_model_id`."""
    words = re.sub(r"\{(\w+)\}", r"by_\1", path)
    return "_".join([method, *re.findall(r"\w+", words.replace("/", " "))])

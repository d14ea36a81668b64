"""Blueprints that read request bodies as JSON and ignore the Content-Type, and what their views document.

`openapi.description` completes the documentation.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import flask_smorest
from flask import Request
from flask import request as flask_request
from marshmallow import Schema
from webargs import missing
from webargs.flaskparser import FlaskParser

from gateway import errors
from gateway.answering.body_keeping import collects_texts
from gateway.api.http.bodies import read_body, read_json
from gateway.api.http.context import get_caller, get_services, get_state
from gateway.errors import GatewayError
from gateway.schemas.answers import StreamEventSchema

View = TypeVar("View", bound=Callable[..., Any])

EVENTS = "text/event-stream"
ANSWER_HEADERS = (
    "x-ignored-parameters",
    "x-repaired",
    "x-session-id",
    "x-project-id",
    "x-account",
    "x-fallback",
)
#: The names of the blueprints for admin keys begin with it.
ADMIN_PREFIX = "admin_"
#: The header by which clients of Anthropic's API choose its shapes, at URLs that both APIs have.
ANTHROPIC_VERSION = {
    "name": "anthropic-version",
    "in": "header",
    "description": "Selects the format of Anthropic's API.",
    "schema": {"type": "string"},
}
ESTIMATED_HEADER = "x-estimated"
#: The headers of a count of tokens, in the description.
COUNT_HEADERS: dict[str, Any] = {
    ESTIMATED_HEADER: {
        "description": "The count is not exact.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "x-account": "x-account",
}
#: The errors of every request for an answer.
ANSWER_ERRORS = (
    errors.UnsupportedParameter,
    errors.ContextLengthExceeded,
    errors.ModelNotSupported,
    errors.ModelNotAllowed,
    errors.QuotaExceeded,
    errors.AccountLimitReached,
    errors.NoAccountLeft,
    errors.AccountNotAllowed,
    errors.TooManyTurns,
    errors.UpstreamError,
    errors.ClaudeUnavailable,
    errors.NotLoggedIn,
    errors.BillingProblem,
    errors.Overloaded,
    errors.ShuttingDown,
    errors.TurnTimeout,
)


class AnyTypeParser(FlaskParser):
    """A parser that reads every body as JSON: `curl -d` sends the Content-Type of a form."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        body = read_body(req)
        if collects_texts(get_state().caller, get_services().settings):
            get_state().body = body  # it may be large, and others don't need it
        return read_json(body, req.mimetype) if body.strip() else missing


class Blueprint(flask_smorest.Blueprint):
    """The views of a resource; `arguments` reads JSON of any Content-Type."""

    ARGUMENTS_PARSER = AnyTypeParser()


class AdminBlueprint(Blueprint):
    """The views of a resource below `/v1/admin`, for admin keys only."""

    def __init__(self, name: str, description: str) -> None:
        path = f"/v1/admin/{name}"
        super().__init__(f"{ADMIN_PREFIX}{name}", __name__, url_prefix=path, description=description)
        self.before_request(_require_manager)


def _require_manager() -> None:
    if flask_request.method != "OPTIONS":  # a preflight brings no key, and its response shows nothing
        get_caller().require_manager()


def document_errors(*kinds: type[GatewayError]) -> Callable[[View], View]:
    """Document the errors of a view. The decorator goes directly below `blueprint.route`."""

    def attach_errors(view: View) -> View:
        view.documented_errors = kinds  # type: ignore[attr-defined]
        return view

    return attach_errors


def document_answer(
    blueprint: Blueprint, schema: type[Schema], example: dict[str, Any], stream: str
) -> Callable[[Any], Any]:
    """Document a view that answers like `example`, or streams events that begin like `stream`."""
    headers: dict[str, Any] = {name: name for name in ANSWER_HEADERS}
    body = blueprint.response(200, schema, description="An answer", example=example, headers=headers)
    events = blueprint.alt_response(
        200,
        schema=StreamEventSchema,
        content_type=EVENTS,
        description="An answer",
        example=stream,
        success=True,
    )
    return lambda view: body(events(view))

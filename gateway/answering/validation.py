"""Validate a chat body without answering it, and report all its errors, not just the first."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

from marshmallow import ValidationError

from gateway.answering.caller import Caller
from gateway.answering.file_contents import files_of
from gateway.answering.hosted_access import allowed_hosted_tools
from gateway.answering.model_access import resolve_model
from gateway.answering.project_access import find_project
from gateway.answering.services import Services
from gateway.dialects.chat import cursor, parameters, replay
from gateway.dialects.chat import request as chat
from gateway.dialects.common.body_limits import read_limited
from gateway.dialects.common.json_types import Body
from gateway.errors import Forbidden, GatewayError, InvalidRequest, NotFound, SessionNotFound
from gateway.lenient_json import explain
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.errors import field_errors
from gateway.store.sessions import is_own_id


def validate_chat_body(data: bytes, caller: Caller, services: Services) -> dict[str, Any]:
    """Return the values of CheckSchema for a request body: its errors, ignored parameters and model.

    Raises StoreError.
    """
    try:
        body: Body = ChatCompletionSchema().load(read_limited(data))
    except ValidationError as error:
        return _result(list(field_errors(error.messages)))
    except JSONDecodeError as error:
        return _result([InvalidRequest(f"Invalid request body. {explain(error)}")])
    except InvalidRequest as error:
        return _result([error])
    errors: list[GatewayError] = []
    model = None
    with _collect(errors):
        if body.get("project_id"):
            find_project(body["project_id"], caller, services.projects)
    stored: list[Body] = []
    ignored: list[str] = []
    has_session = bool(body.get("session_id"))
    with _collect(errors):
        body, stored = _add_session(body, caller, services)
    with _collect(errors):
        allowed = allowed_hosted_tools(caller, services.settings)
        long_cache = services.settings.long_prompt_cache
        plain = cursor.as_chat(body, files_of(caller, services), allowed, long_cache=long_cache)
        history = replay.continue_conversation(stored, plain.messages).history if stored else ()
        errors += chat.find_errors(plain, history)
        ignored += plain.notes.ignored
    with _collect(errors):
        model = resolve_model(body.get("model"), caller, services.claude.catalog).id
    if has_session and not body.get("session_id"):
        ignored.append("session_id")
    return _result(errors, parameters.find_ignored(body, ignored), model)


@contextmanager
def _collect(errors: list[GatewayError]) -> Iterator[None]:
    """Add an error that the client can correct to `errors` instead of raising it."""
    try:
        yield
    except (InvalidRequest, NotFound, Forbidden) as error:
        errors.append(error)


def _add_session(body: Body, caller: Caller, services: Services) -> tuple[Body, list[Body]]:
    """Return the body with the model of its session, and the messages that the session has stored.

    An id that the client has made up is dropped. Raises SessionNotFound.
    """
    if not body.get("session_id"):
        return body, []
    try:
        session = services.sessions.get(body["session_id"], caller.visible_owner)
    except SessionNotFound:
        if is_own_id(body["session_id"]):
            raise
        return {**body, "session_id": None}, []
    if not session.is_stored:
        return body, []
    stored = [one.message for one in services.sessions.list_messages(session.id)]
    return {"model": session.model, **body}, stored


def _result(
    errors: Sequence[GatewayError], ignored: Sequence[str] = (), model: str | None = None
) -> dict[str, Any]:
    return {
        "valid": not errors,
        "errors": [error.body()["error"] for error in errors],
        "ignored_parameters": ignored,
        "model": model,
    }

"""What is wrong with a chat body, without an answer to it: every fault, where a real request is told the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import ValidationError

from gateway.answering import project_access
from gateway.api.hooks import auth
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.api.http.blueprints import loads
from gateway.dialects.chat import parameters as chat_parameters
from gateway.dialects.chat import replay
from gateway.dialects.chat import request as chat
from gateway.errors import Forbidden, GatewayError, InvalidRequest, NotFound
from gateway.schemas.chat import ChatCompletionSchema
from gateway.schemas.errors import field_errors

Body = dict[str, Any]


def check(data: bytes) -> dict[str, Any]:
    """CheckSchema's values for a request body. Raises StoreError."""
    try:
        body: Body = ChatCompletionSchema().load(loads(data))
    except ValidationError as error:
        return _result(list(field_errors(error.messages)))
    except ValueError:
        return _result([InvalidRequest("Invalid request body: it is not JSON.")])
    faults: list[GatewayError] = []
    _note(faults, lambda: project_access.require(body.get("project_id")))
    body, history = _note(faults, lambda: _continued(body)) or (body, ())
    faults += chat.find_errors(body, history)
    model = _note(faults, lambda: _model(body.get("model")))
    return _result(faults, chat_parameters.find_ignored(body), model)


def _note(faults: list[GatewayError], action: Callable[[], Any]) -> Any:
    """What `action` returns; None if it fails, which goes to `faults`."""
    try:
        return action()
    except (InvalidRequest, NotFound, Forbidden) as error:
        faults.append(error)
        return None


def _continued(body: Body) -> tuple[Body, Sequence[dict[str, Any]]]:
    """The body with what its session adds, and the messages before its own. Raises SessionNotFound."""
    if not body.get("session_id"):
        return body, ()
    sessions = current.session_turns().sessions
    session = sessions.get(body["session_id"], owner.scope())
    if not session.is_stored:
        return body, ()
    stored = [stored.message for stored in sessions.list_messages(session.id)]
    return {"model": session.model, **body}, replay.continue_conversation(
        stored, chat.read_messages(body)
    ).history


def _model(name: str | None) -> str | None:
    """Raises ModelNotSupported and ModelNotAllowed."""
    model: str | None = current.claude().catalog.resolve(name).id
    auth.require_model(name)
    return model


def _result(
    faults: list[GatewayError], ignored: Sequence[str] = (), model: str | None = None
) -> dict[str, Any]:
    errors = [fault.body()["error"] for fault in faults]
    return {"valid": not errors, "errors": errors, "ignored_parameters": ignored, "model": model}

"""The services of the app, and the state of the request at hand.

Only this module reads `app.extensions` and `flask.g`, and each holds one typed object. There is no other way: Flask
calls a view with nothing but the variables of its URL. Everything below the views gets what it needs as parameters.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

from flask import Flask, current_app, g, request

from gateway.answering import answer as answering
from gateway.answering.batches.calls import ItemCall
from gateway.answering.caller import Caller
from gateway.answering.connection_memory import ConnectionMemory
from gateway.answering.file_contents import files_of
from gateway.answering.hosted_access import allowed_hosted_tools
from gateway.answering.limits import Admission, ClientLimits
from gateway.answering.metering import MeteredAnswer
from gateway.answering.services import Services
from gateway.api.http.error_format import OPENAI, ErrorFormat
from gateway.api.http.socket_link import find_link
from gateway.dialects.common.stored_files import FileReader
from gateway.errors import GatewayError
from gateway.record import RequestTrace
from gateway.store.projects import ProjectRecord
from gateway.turn import Turn

_EXTENSION = "gateway"
#: The variable of the WSGI environment in which `in_process` passes a request of a batch.
CALL_VARIABLE = "gateway.call"


@dataclass(slots=True)
class RequestState:
    """The facts about the request at hand that hooks and views share. `started_at` is in monotonic seconds.

    `caller` is None until the request is authenticated. `dashboard_token` is the session cookie that authenticated it;
    "" for a key.
    `valid_key` is the API key that authenticated it. `body` is set if it is to be logged. `call` is set for a request
    of a batch, and `trace` if OpenTelemetry is on. `counted_by` is the account that has counted the request's tokens.
    """

    request_id: str
    started_at: float = field(default_factory=monotonic)
    error_format: ErrorFormat = OPENAI
    caller: Caller | None = None
    dashboard_token: str = ""
    valid_key: str = field(default="", repr=False)
    client_limits: ClientLimits | None = None
    admission: Admission | None = None
    body: bytes | None = None
    answer: MeteredAnswer | None = None
    error: GatewayError | None = None
    call: ItemCall | None = None
    trace: RequestTrace | None = None
    counted_by: str | None = None


def attach_services(app: Flask, services: Services) -> None:
    """Make the services available to the app's views and to the server."""
    app.extensions[_EXTENSION] = services


def services_of(app: Flask) -> Services:
    """Return the services of an app."""
    return cast(Services, app.extensions[_EXTENSION])


def find_smorest_api() -> Any:
    """Return the app's flask_smorest.Api, which its library keeps nowhere else."""
    return current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]


def get_services() -> Services:
    """Return the services of the running app."""
    return services_of(current_app)


def begin_request(request_id: str) -> None:
    """Create the state of the request. The first hook calls this."""
    g.state = RequestState(request_id, call=request.environ.get(CALL_VARIABLE))


def get_state() -> RequestState:
    """Return the state of the request."""
    return cast(RequestState, g.state)


def find_state() -> RequestState | None:
    """Return the state of the request; None if it failed before the first hook."""
    return cast("RequestState | None", g.get("state"))


def find_memory() -> ConnectionMemory | None:
    """Return the memory of the WebSocket that the request came over; None for a request over HTTP."""
    link = find_link(request.environ)
    return link.memory if link is not None else None


def get_caller() -> Caller:
    """Return the caller of the request. Raises RuntimeError in views that need no authentication."""
    caller = get_state().caller
    if caller is None:
        raise RuntimeError("The request was not authenticated.")
    return caller


def get_files() -> FileReader:
    """Return the reader of the caller's files, for the dialects. Call it once per request."""
    return files_of(get_caller(), get_services())


def get_hosted_tools() -> Collection[str]:
    """Return the names of the hosted tools that the caller may use, for the dialects."""
    return allowed_hosted_tools(get_caller(), get_services().settings)


def start_answer(
    *turns: Turn, n: int = 1, stream: bool = False, project: ProjectRecord | None = None
) -> MeteredAnswer:
    """Return `n` answers to each turn for the caller of the request. See `answering.answer.answer`."""
    state = get_state()
    state.answer = answering.answer(
        *turns,
        caller=get_caller(),
        services=get_services(),
        path=request.path,
        admission=state.admission,
        n=n,
        stream=stream,
        project=project,
    )
    if state.call is not None:
        state.call.attach_answer(state.answer)
    return state.answer


def count_tokens(turn: Turn) -> int:
    """Return the tokens of a turn for the caller of the request. See `answering.answer.count_tokens`."""
    services = get_services()
    counted = answering.count_tokens(turn, get_caller(), services)
    if services.accounts.is_listed:
        get_state().counted_by = counted.account
    return counted.tokens

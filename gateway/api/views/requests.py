"""`/v1/requests`: a key's own requests, and `/v1/admin/requests`: the requests of all keys."""

from collections.abc import Iterator
from typing import Any

import gevent
from flask import Response

from gateway.answering.request_details import compare_requests, describe_request, find_details
from gateway.answering.services import Services
from gateway.api.http.blueprints import EVENTS, AdminBlueprint, Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.streaming import STREAM_HEADERS
from gateway.dialects.common import sse
from gateway.errors import RequestNotFound
from gateway.lenient_json import dumps
from gateway.schemas import requests as schemas
from gateway.schemas.answers import StreamEventSchema
from gateway.store.request_log import RequestQuery

blueprint = Blueprint("requests", __name__, url_prefix="/v1/requests", description="A key's own requests")
admin = AdminBlueprint("requests", "The requests of all keys, for admins")

POLL_SECONDS = 1.0
KEEP_ALIVE_POLLS = 10
MAX_POLLS = 3600  # clients connect again


@blueprint.route("")
@blueprint.arguments(schemas.RequestQuerySchema, location="query")
@blueprint.response(200, schemas.RequestListSchema)
def list_own_requests(query: dict[str, Any]) -> dict[str, Any]:
    """List the caller's requests, the newest first. Requests without a valid key are in no key's list."""
    return _list_page(RequestQuery(owner=get_caller().owner_id, **query))


@blueprint.route("/<request_id>")
@document_errors(RequestNotFound)
@blueprint.response(200, schemas.RequestDetailsSchema)
def show_own_request(request_id: str) -> dict[str, Any]:
    """Return one of the caller's requests with its phases."""
    return find_details(request_id, get_services(), get_caller().owner_id)


@admin.route("")
@admin.arguments(schemas.AdminRequestQuerySchema, location="query")
@admin.response(200, schemas.RequestListSchema)
def list_requests(query: dict[str, Any]) -> dict[str, Any]:
    """List requests, refused ones too, the newest first."""
    return _list_page(RequestQuery(**query))


@admin.route("/compare")
@document_errors(RequestNotFound)
@admin.arguments(schemas.ComparisonQuerySchema, location="query")
@admin.response(200, schemas.ComparisonSchema)
def compare(query: dict[str, Any]) -> dict[str, Any]:
    """Compare two requests."""
    first, second = (find_details(query[name], get_services()) for name in ("first", "second"))
    return {"a": first, "b": second, "differences": compare_requests(first, second)}


@admin.route("/live")
@admin.arguments(schemas.AdminRequestFilterSchema, location="query")
@admin.response(200, StreamEventSchema, content_type=EVENTS)
def follow(query: dict[str, Any]) -> Response:
    """Stream requests as they end: events `request`, whose data are as in the list."""
    services = get_services()
    events = _follow(services, RequestQuery(**query), services.requests.find_last_id())
    return Response(events, mimetype=EVENTS, headers=STREAM_HEADERS)


@admin.route("/<request_id>")
@document_errors(RequestNotFound)
@admin.response(200, schemas.RequestDetailsSchema)
def show_request(request_id: str) -> dict[str, Any]:
    """Return a request with its phases, and with its bodies if they were kept."""
    return find_details(request_id, get_services())


def _list_page(query: RequestQuery) -> dict[str, Any]:
    page = get_services().requests.list_page(query)
    return {
        "data": [describe_request(row) for row in page.rows],
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
    }


def _follow(services: Services, query: RequestQuery, last_id: int) -> Iterator[bytes]:
    schema = schemas.RequestSchema()
    yield sse.KEEP_ALIVE
    for poll in range(MAX_POLLS):
        gevent.sleep(POLL_SECONDS)
        rows = services.requests.list_after(last_id, query)
        for row in rows:
            last_id = row.id
            yield b"event: request\n" + sse.data(dumps(schema.dump(describe_request(row))))
        if not rows and poll % KEEP_ALIVE_POLLS == 0:
            yield sse.KEEP_ALIVE

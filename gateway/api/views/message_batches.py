"""`/v1/messages/batches`, Anthropic's Message Batches API."""

from flask import Response, request, url_for

from gateway.answering.batches import anthropic_format
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.streaming import json_response
from gateway.api.openapi import examples
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.json_types import Body
from gateway.errors import BatchNotActive, BatchNotFound, LimitReached
from gateway.schemas import batches as schemas
from gateway.store.batches import OPEN, Batch

blueprint = Blueprint(
    "message_batches",
    __name__,
    url_prefix="/v1/messages/batches",
    description="Anthropic's batches of messages",
)

#: Headers that may change what a request means, so they go with each request of the batch.
KEPT_HEADERS = ("anthropic-beta", "anthropic-version")
JSON_LINES = "application/x-jsonl"


@blueprint.route("", methods=["POST"])
@document_errors(LimitReached)
@blueprint.arguments(schemas.NewMessageBatchSchema(), example=examples.MESSAGE_BATCH)
@blueprint.response(200, schemas.MessageBatchSchema)
def create_message_batch(body: Body) -> Response:
    """Create a batch of messages."""
    services = get_services()
    anthropic_format.check_requests(body["requests"], services.settings.max_batch_requests)
    headers = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
    batch = anthropic_format.new_batch(get_caller(), headers)
    created = services.batch_jobs.create(batch, anthropic_format.read_requests(body["requests"]))
    services.batch_runner.wake()
    return json_response(_show(created))


@blueprint.route("", methods=["GET"])
@document_errors(BatchNotFound)
@blueprint.arguments(schemas.MessageBatchListQuerySchema(), location="query")
@blueprint.response(200, schemas.MessageBatchListSchema)
def list_message_batches(query: Body) -> Response:
    """List the batches, the newest first."""
    after, before = query["after_id"], query["before_id"]
    if after and before:
        raise invalid_field("before_id", "Expected only one of 'after_id' and 'before_id'.")
    owner = get_caller().owner_id
    page = get_services().batches.list_page(owner, "anthropic", query["limit"], after, before)
    data = [_show(batch) for batch in page.batches]
    first_id, last_id = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return json_response({"data": data, "first_id": first_id, "last_id": last_id, "has_more": page.has_more})


@blueprint.route("/<batch_id>", methods=["GET"])
@document_errors(BatchNotFound)
@blueprint.response(200, schemas.MessageBatchSchema)
def show_message_batch(batch_id: str) -> Response:
    """Return a batch as it is now."""
    return json_response(_show(_get_batch(batch_id)))


@blueprint.route("/<batch_id>/cancel", methods=["POST"])
@document_errors(BatchNotFound, BatchNotActive)
@blueprint.response(200, schemas.MessageBatchSchema)
def cancel_message_batch(batch_id: str) -> Response:
    """Cancel a batch. It ends when no request of it is running any more."""
    services = get_services()
    batch = services.batches.cancel(get_caller().owner_id, "anthropic", batch_id)
    services.batch_runner.wake()
    return json_response(_show(batch))


@blueprint.route("/<batch_id>", methods=["DELETE"])
@document_errors(BatchNotFound, BatchNotActive)
@blueprint.response(200, schemas.DeletedMessageBatchSchema)
def delete_message_batch(batch_id: str) -> Response:
    """Delete a batch that has ended, with its results."""
    get_services().batch_jobs.delete(_get_batch(batch_id))
    return json_response({"id": batch_id, "type": "message_batch_deleted"})


@blueprint.route("/<batch_id>/results", methods=["GET"])
@document_errors(BatchNotFound, BatchNotActive)
@blueprint.response(200, {"type": "string"}, content_type=JSON_LINES)
def show_results(batch_id: str) -> Response:
    """Stream the results of a batch that has ended, one JSON object per line."""
    batch = _get_batch(batch_id)
    if batch.status in OPEN:
        raise BatchNotActive("The batch has no results yet. Wait until its processing_status is 'ended'.")
    results = get_services().batch_jobs.read_results(batch)
    return Response((line for _, line in results), mimetype=JSON_LINES)


def _get_batch(batch_id: str) -> Batch:
    return get_services().batches.get(get_caller().owner_id, "anthropic", batch_id)


def _show(batch: Batch) -> Body:
    """Return the batch object. Its URL must be absolute, because SDKs send the key to it.

    Proxies that end TLS say so in a header; a wrong value has no effect but a wrong URL for its own client.
    """
    scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else None
    url = url_for(
        f"{blueprint.name}.{show_results.__name__}", batch_id=batch.id, _external=True, _scheme=scheme
    )
    return anthropic_format.batch_object(batch, url)

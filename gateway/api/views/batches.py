"""`/v1/batches`, OpenAI's Batch API."""

from flask import Response

from gateway.answering.batches.openai_format import batch_object, new_batch
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.streaming import json_response
from gateway.api.openapi import examples
from gateway.dialects.common.json_types import Body
from gateway.errors import BatchNotActive, BatchNotFound, LimitReached, StoredFileNotFound
from gateway.schemas.batches import BatchListQuerySchema, BatchListSchema, BatchSchema, NewBatchSchema

blueprint = Blueprint("batches", __name__, url_prefix="/v1/batches", description="OpenAI's batches")


@blueprint.route("", methods=["POST"])
@document_errors(LimitReached, StoredFileNotFound)
@blueprint.arguments(NewBatchSchema(), example=examples.BATCH)
@blueprint.response(200, BatchSchema)
def create_batch(body: Body) -> Response:
    """Create a batch from an uploaded file of requests."""
    services = get_services()
    batch = services.batch_jobs.create(new_batch(body, get_caller()))
    services.batch_runner.wake()
    return json_response(batch_object(batch))


@blueprint.route("", methods=["GET"])
@document_errors(BatchNotFound)
@blueprint.arguments(BatchListQuerySchema(), location="query")
@blueprint.response(200, BatchListSchema)
def list_batches(query: Body) -> Response:
    """List the batches, the newest first."""
    owner = get_caller().owner_id
    page = get_services().batches.list_page(owner, "openai", query["limit"], after=query["after"])
    data = [batch_object(batch) for batch in page.batches]
    first_id, last_id = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    listed = {
        "object": "list",
        "data": data,
        "first_id": first_id,
        "last_id": last_id,
        "has_more": page.has_more,
    }
    return json_response(listed)


@blueprint.route("/<batch_id>", methods=["GET"])
@document_errors(BatchNotFound)
@blueprint.response(200, BatchSchema)
def show_batch(batch_id: str) -> Response:
    """Return a batch as it is now."""
    return json_response(batch_object(get_services().batches.get(get_caller().owner_id, "openai", batch_id)))


@blueprint.route("/<batch_id>/cancel", methods=["POST"])
@document_errors(BatchNotFound, BatchNotActive)
@blueprint.response(200, BatchSchema)
def cancel_batch(batch_id: str) -> Response:
    """Cancel a batch. The answers that are complete are in its files when it is `cancelled`."""
    services = get_services()
    batch = services.batches.cancel(get_caller().owner_id, "openai", batch_id)
    services.batch_runner.wake()
    return json_response(batch_object(batch))

"""`/v1/responses`."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, request

from gateway.answering import answer as running
from gateway.answering.answer import Metered
from gateway.answering.background import Task
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.api.http import streaming as answers
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import ANSWERING, answered, raises
from gateway.dialects.common import sse
from gateway.dialects.common.field_errors import invalid, unsupported
from gateway.dialects.common.input_items import Item, as_list
from gateway.dialects.responses import request as responses
from gateway.dialects.responses.answers import Collector, StreamEncoder
from gateway.dialects.responses.builder import OnEnd, ResponseBuilder, new_response
from gateway.dialects.responses.items import complete_items
from gateway.dialects.responses.references import find_references, replace_references
from gateway.dialects.responses.request import ResponsesRequest
from gateway.errors import InvalidRequest, ResponseNotFound, StoreError, UnsupportedParameter
from gateway.schemas.responses import InputItemsQuerySchema, ResponsesSchema
from gateway.schemas.responses_answers import DeletedResponseSchema, InputItemListSchema, ResponseSchema

blueprint = Blueprint("responses", __name__, url_prefix="/v1/responses", description="OpenAI's Responses API")

Body = dict[str, Any]

PREVIOUS = "previous_response_id"
STREAM = {
    "name": "stream",
    "in": "query",
    "description": "`true` is refused: ask again until the response is finished.",
    "schema": {"type": "boolean"},
}


@blueprint.route("", methods=["POST"])
@raises(*ANSWERING, ResponseNotFound)
@blueprint.arguments(ResponsesSchema(), examples=examples.RESPONSE)
@answered(blueprint, ResponseSchema, examples.RESPONSE_ANSWER, examples.RESPONSE_STREAM)
def create(body: Body) -> Response:
    """Answer input, streamed, whole, or in the background."""
    stores = _stores(body)
    given = _given(body)
    wanted = responses.parse_request(body, given, _earlier(body))
    items = complete_items(given)
    is_streamed = bool(body.get("stream"))
    run = running.run(wanted.turn, stream=is_streamed)
    response = new_response(
        f"resp_{secrets.token_hex(16)}", run.record.model, {**wanted.echoed, "store": stores}
    )
    if body.get("background"):
        return _in_background(run, response, items, wanted, is_streamed)
    keep = _keeper(items) if stores else _forget
    if is_streamed:
        return answers.stream(run, StreamEncoder(response, wanted.with_summary, keep), wanted.ignored)
    return answers.whole(run, Collector(response, wanted.with_summary, keep), wanted.ignored)


@blueprint.route("/<response_id>", methods=["GET"])
@raises(ResponseNotFound, UnsupportedParameter)
@blueprint.doc(parameters=[STREAM])
@blueprint.response(200, ResponseSchema, example=examples.RESPONSE_ANSWER)
def show(response_id: str) -> Response:
    """A stored response, as it is now."""
    if request.args.get("stream", "").lower() in ("true", "1"):
        raise unsupported("stream", "A stored response is sent whole; ask again until it is finished.")
    return _json(current.responses().get(owner.current(), response_id).body)


@blueprint.route("/<response_id>", methods=["DELETE"])
@raises(ResponseNotFound)
@blueprint.response(200, DeletedResponseSchema)
def delete(response_id: str) -> Response:
    """Forget a response. One that is still written ends."""
    current.responses().delete(owner.current(), response_id)
    return _json({"id": response_id, "object": "response", "deleted": True})


@blueprint.route("/<response_id>/cancel", methods=["POST"])
@raises(ResponseNotFound, InvalidRequest)
@blueprint.response(200, ResponseSchema)
def cancel(response_id: str) -> Response:
    """End a response in the background. One that is finished stays as it is."""
    return _json(current.responses().cancel(owner.current(), response_id).body)


@blueprint.route("/<response_id>/input_items", methods=["GET"])
@raises(ResponseNotFound)
@blueprint.arguments(InputItemsQuerySchema(), location="query")
@blueprint.response(200, InputItemListSchema)
def input_items(query: Body, response_id: str) -> Response:
    """What a response had for its input, the newest item first."""
    items = current.responses().list_input_items(owner.current(), response_id)
    if query["order"] == "desc":
        items = items[::-1]
    items = items[_after(items, query["after"]) :]
    page = items[: query["limit"]]
    first, last = (page[0]["id"], page[-1]["id"]) if page else ("", "")
    return _json(
        {
            "object": "list",
            "data": page,
            "first_id": first,
            "last_id": last,
            "has_more": len(items) > len(page),
        }
    )


def _json(body: Body) -> Response:
    return Response(sse.dumps(body), mimetype="application/json")


def _after(items: list[Item], item_id: str | None) -> int:
    if item_id is None:
        return 0
    for index, item in enumerate(items):
        if item["id"] == item_id:
            return index + 1
    raise invalid("after", "There is no such item.")


def _stores(body: Body) -> bool:
    """Whether the response is to be kept."""
    stores = current.settings().store_responses and body.get("store", True)
    if body.get("background") and not stores:
        raise unsupported("background", "A response in the background has to be stored, and this one is not.")
    return bool(stores)


def _given(body: Body) -> list[Item]:
    """The request's input as items, those it refers to among them."""
    items = as_list(body.get("input", []))
    referred = find_references(items)
    if not referred:
        return items
    return replace_references(items, current.responses().find_items(owner.current(), referred))


def _earlier(body: Body) -> list[Item]:
    """The items of the responses that the request follows."""
    previous = body.get(PREVIOUS)
    if not previous:
        return []
    stored, own = current.responses(), owner.current()
    try:
        if not stored.get(own, previous).is_finished:
            raise invalid(PREVIOUS, "That response is not finished yet.")
        return stored.list_chain(own, previous)
    except ResponseNotFound as error:
        problem = f"{error.message} It was not stored, is expired or deleted, or belongs to another key."
        raise InvalidRequest(problem, param=PREVIOUS, code="previous_response_not_found") from error


def _in_background(
    run: Metered, response: Body, items: list[Item], wanted: ResponsesRequest, is_streamed: bool
) -> Response:
    response["status"] = "queued"
    stored, own = current.responses(), owner.current()
    try:
        stored.add(own, response, items, is_background=True)
    except StoreError:
        run.close()
        raise
    follower = StreamEncoder({**response, "output": []}, wanted.with_summary, _forget)
    answer = _json(response)
    answer.headers.update(answers.ignored_header(wanted.ignored))
    task = Task(
        run, ResponseBuilder(response, with_summary=wanted.with_summary, can_retract=True), stored, own
    )
    if is_streamed:
        return answers.stream(task, follower, wanted.ignored)
    task.close()
    return answer


def _keeper(items: list[Item]) -> OnEnd:
    """Stores a response that is over. The request's context is gone by then."""
    stored, own = current.responses(), owner.current()

    def keep(response: Body) -> None:
        try:
            stored.add(own, response, items)
        except StoreError:  # logged by the store; the answer is there all the same, and says so
            response["store"] = False

    return keep


def _forget(response: Body) -> None:
    """Stores nothing."""

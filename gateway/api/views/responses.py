"""`/v1/responses`, OpenAI's Responses API."""

import secrets
from collections.abc import Sequence

from flask import Response

from gateway.answering import conversations, stored_responses
from gateway.answering.answer import prepare_turns
from gateway.answering.background import BackgroundAnswer
from gateway.answering.claims import ClaimedAnswer
from gateway.answering.event_log import EventLog
from gateway.answering.follow import follow_response
from gateway.answering.project_access import find_project
from gateway.api.hooks.limits import COMPACT
from gateway.api.http.blueprints import (
    ANSWER_ERRORS,
    COUNT_HEADERS,
    ESTIMATED_HEADER,
    EVENTS,
    Blueprint,
    document_answer,
    document_errors,
)
from gateway.api.http.context import (
    count_tokens,
    find_memory,
    get_caller,
    get_files,
    get_hosted_tools,
    get_services,
    start_answer,
)
from gateway.api.http.streaming import STREAM_HEADERS, json_response, note_headers, send_answer, stream_answer
from gateway.api.openapi import examples
from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.json_types import Body, Item
from gateway.dialects.responses.answers import Collector, StreamEncoder
from gateway.dialects.responses.builder import OnEnd, ResponseBuilder, new_response
from gateway.dialects.responses.compaction import CompactionCollector, asks_to_compact, parse_compaction
from gateway.dialects.responses.items import complete_items, list_object, refuse_orphans
from gateway.dialects.responses.request import ResponsesRequest, parse_request
from gateway.errors import (
    AgentsNotAllowed,
    ConversationLocked,
    InvalidRequest,
    ProjectNotFound,
    ProjectTooLarge,
    ResponseNotFound,
    StoreError,
)
from gateway.schemas.responses import (
    CompactionRequestSchema,
    InputItemsQuerySchema,
    ResponsesSchema,
    ShownResponseQuerySchema,
)
from gateway.schemas.responses_answers import (
    CompactionSchema,
    DeletedResponseSchema,
    InputItemListSchema,
    InputTokensSchema,
    ResponseSchema,
)
from gateway.store.projects import ProjectRecord
from gateway.turn import Done, Started, Usage

blueprint = Blueprint("responses", __name__, url_prefix="/v1/responses", description="OpenAI's Responses API")

#: Stands for the question that follows a prepared response.
_QUESTION: Item = {"role": "user", "content": "…"}


@blueprint.route("", methods=["POST"])
@document_errors(
    *ANSWER_ERRORS, ResponseNotFound, ConversationLocked, ProjectNotFound, AgentsNotAllowed, ProjectTooLarge
)
@blueprint.arguments(ResponsesSchema(), examples=examples.RESPONSE)
@document_answer(blueprint, ResponseSchema, examples.RESPONSE_ANSWER, examples.RESPONSE_STREAM)
def create_response(body: Body) -> Response:
    """Answer input: streamed, as one body, or in the background."""
    services, caller, memory = get_services(), get_caller(), find_memory()
    is_stored = stored_responses.is_to_be_stored(body, services.settings)
    given = stored_responses.find_input_items(body, caller, services)
    context = conversations.find_context(body, caller, services, memory)
    if memory is not None and context.items:  # a client that sends only new items has to send the right ones
        refuse_orphans(given, context.items)
    prepares = memory is not None and body.get("generate") is False
    parsed = _parse(body, given, context.items, prepares=prepares)
    items = complete_items(given)
    echoed = {**parsed.echoed, "store": is_stored, **conversations.conversation_field(context)}
    on_end = stored_responses.store_at_end(items, caller, services, context.items, memory)
    if prepares:
        return _prepare_response(parsed, echoed, on_end)
    started = start_answer(parsed.turn, stream=parsed.stream, project=_find_project(body))
    response = new_response(_new_id(), started.record.model, echoed)
    answer = conversations.join_conversation(started, context, response["id"], caller, services)
    if body.get("background"):
        return _answer_in_background(answer, response, items, parsed)
    return _answer(answer, response, parsed, conversations.add_at_end(answer.claim, items, on_end))


def _find_project(body: Body) -> ProjectRecord | None:
    project_id = body.get("project_id")
    return find_project(project_id, get_caller(), get_services().projects) if project_id else None


@blueprint.route("/input_tokens", methods=["POST"])
@document_errors(*ANSWER_ERRORS, ResponseNotFound)
@blueprint.arguments(ResponsesSchema(), example=examples.INPUT_TOKENS)
@blueprint.response(200, InputTokensSchema, headers=COUNT_HEADERS)
def count_input_tokens(body: Body) -> tuple[Body, int, dict[str, str]]:
    """Estimate the tokens of a request's input, instructions and tools, without an answer."""
    services, caller = get_services(), get_caller()
    given = stored_responses.find_input_items(body, caller, services)
    earlier = conversations.find_context(body, caller, services).items
    parsed = parse_request(body, given, earlier, get_files(), get_hosted_tools())
    counted = count_tokens(parsed.turn)
    return {"object": "response.input_tokens", "input_tokens": counted}, 200, {ESTIMATED_HEADER: "true"}


@blueprint.route(COMPACT, methods=["POST"])
@document_errors(*ANSWER_ERRORS, ResponseNotFound)
@blueprint.arguments(CompactionRequestSchema(), example=examples.INPUT_TOKENS)
@blueprint.response(200, CompactionSchema)
def compact_conversation(body: Body) -> Response:
    """Let the model summarize a conversation, and return shorter input that continues it."""
    services, caller = get_services(), get_caller()
    given = stored_responses.find_input_items(body, caller, services)
    earlier = conversations.find_context(body, caller, services).items
    parsed = parse_compaction(body, given, earlier, get_files())
    answer = start_answer(parsed.turn)
    return send_answer(answer, CompactionCollector([*earlier, *given]), parsed.ignored, parsed.repaired)


@blueprint.route("/<response_id>", methods=["GET"])
@document_errors(ResponseNotFound)
@blueprint.arguments(ShownResponseQuerySchema(), location="query")
@document_answer(blueprint, ResponseSchema, examples.RESPONSE_ANSWER, examples.RESPONSE_STREAM)
def show_response(query: Body, response_id: str) -> Response:
    """Return a stored response as it is now, or the events of its stream until it is finished."""
    responses, owner_id = get_services().responses, get_caller().owner_id
    stored = responses.get(owner_id, response_id)
    if not query["stream"]:
        return json_response(stored.body)
    events = follow_response(responses, owner_id, response_id, query["starting_after"])
    return Response(events, mimetype=EVENTS, headers=STREAM_HEADERS)


@blueprint.route("/<response_id>", methods=["DELETE"])
@document_errors(ResponseNotFound)
@blueprint.response(200, DeletedResponseSchema)
def delete_response(response_id: str) -> Response:
    """Delete a response, and stop it if it is still being written."""
    get_services().responses.delete(get_caller().owner_id, response_id)
    return json_response({"id": response_id, "object": "response", "deleted": True})


@blueprint.route("/<response_id>/cancel", methods=["POST"])
@document_errors(ResponseNotFound, InvalidRequest)
@blueprint.response(200, ResponseSchema)
def cancel_response(response_id: str) -> Response:
    """Cancel a background response. A finished response stays as it is."""
    return json_response(get_services().responses.cancel(get_caller().owner_id, response_id).body)


@blueprint.route("/<response_id>/input_items", methods=["GET"])
@document_errors(ResponseNotFound)
@blueprint.arguments(InputItemsQuerySchema(), location="query")
@blueprint.response(200, InputItemListSchema)
def list_input_items(query: Body, response_id: str) -> Response:
    """List the input items of a response, the newest first."""
    items = get_services().responses.list_input_items(get_caller().owner_id, response_id)
    if query["order"] == "desc":
        items = items[::-1]
    items = items[_find_start(items, query["after"]) :]
    page = items[: query["limit"]]
    return json_response(list_object(page, has_more=len(items) > len(page)))


def _find_start(items: list[Item], after: str | None) -> int:
    """Return the index behind the item `after`. Raises InvalidRequest."""
    if after is None:
        return 0
    for index, item in enumerate(items):
        if item["id"] == after:
            return index + 1
    raise invalid_field("after", "There is no such item.")


def _new_id() -> str:
    return f"resp_{secrets.token_hex(16)}"


def _parse(body: Body, given: list[Item], earlier: Sequence[Item], *, prepares: bool) -> ResponsesRequest:
    """Translate the request. A preparation needs no question: Codex sends only its tools."""
    if asks_to_compact(given):
        return parse_compaction(body, given, earlier, get_files())
    asked = [*given, _QUESTION] if prepares else given
    long_cache = get_services().settings.long_prompt_cache
    return parse_request(body, asked, earlier, get_files(), get_hosted_tools(), long_cache=long_cache)


def _prepare_response(parsed: ResponsesRequest, echoed: Body, on_end: OnEnd) -> Response:
    """Return a response without output, which the next message of a WebSocket can continue: `generate: false`."""
    (turn,) = prepare_turns([parsed.turn], get_caller(), get_services())
    response = new_response(_new_id(), turn.resolved_model.id, echoed)
    events = StreamEncoder(response, parsed.with_summary, on_end).encode(
        [Started(turn.resolved_model.id), Done("end_turn", Usage())]
    )
    headers = note_headers(parsed.ignored, parsed.repaired)
    return Response(events, mimetype=EVENTS, headers=headers)


def _answer(answer: ClaimedAnswer, response: Body, parsed: ResponsesRequest, on_end: OnEnd) -> Response:
    if parsed.stream:
        encoder = StreamEncoder(
            response, parsed.with_summary, on_end, parsed.tool_forms, compacts=parsed.compacts
        )
        return stream_answer(answer, encoder, parsed.ignored, parsed.repaired)
    collector = Collector(response, parsed.with_summary, on_end, parsed.tool_forms, compacts=parsed.compacts)
    return send_answer(answer, collector, parsed.ignored, parsed.repaired)


def _answer_in_background(
    answer: ClaimedAnswer, response: Body, items: list[Item], parsed: ResponsesRequest
) -> Response:
    services, owner_id = get_services(), get_caller().owner_id
    response["status"] = "queued"
    try:
        services.responses.add(owner_id, response, items, is_background=True)
    except StoreError:
        answer.close()
        raise
    follower, again = _make_encoder(response, parsed), _make_encoder(response, parsed)
    queued = json_response(response)  # before the background answer changes the response
    builder = ResponseBuilder(
        response, with_summary=parsed.with_summary, can_retract=True, tool_forms=parsed.tool_forms
    )
    event_log = EventLog(str(response["id"]), again, services.responses) if parsed.stream else None
    background = BackgroundAnswer(
        answer,
        builder,
        owner_id,
        services.responses,
        services.response_leases,
        event_log,
        conversations.add_at_end(answer.claim, items),
    )
    if parsed.stream:
        return stream_answer(background, follower, parsed.ignored, parsed.repaired)
    background.close()
    queued.headers.update(note_headers(parsed.ignored, parsed.repaired))
    return queued


def _make_encoder(response: Body, parsed: ResponsesRequest) -> StreamEncoder:
    """Return an encoder with a copy of the response, because the background answer changes it."""
    return StreamEncoder({**response, "output": []}, parsed.with_summary, tool_forms=parsed.tool_forms)

"""`/v1/conversations`, OpenAI's Conversations API. Responses continue a conversation with `conversation`."""

from flask import Response

from gateway.answering import conversations
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.streaming import json_response
from gateway.api.openapi import examples
from gateway.dialects.common.json_types import Body
from gateway.dialects.responses.items import list_object
from gateway.errors import ConversationLocked, ConversationNotFound, NotServed
from gateway.schemas import conversations as schemas
from gateway.schemas.responses import InputItemsQuerySchema
from gateway.schemas.responses_answers import InputItemListSchema, ItemSchema
from gateway.store.conversations import StoredConversation

blueprint = Blueprint(
    "conversations", __name__, url_prefix="/v1/conversations", description="OpenAI's Conversations API"
)


@blueprint.route("", methods=["POST"])
@document_errors(NotServed)
@blueprint.arguments(
    schemas.NewConversationSchema(), example={**examples.CONVERSATION_METADATA, **examples.CONVERSATION_ITEMS}
)
@blueprint.response(200, schemas.ConversationSchema)
def create_conversation(body: Body) -> Response:
    """Create a conversation, with up to 20 items."""
    return _respond(conversations.create_conversation(body, get_caller(), get_services()))


@blueprint.route("/<conversation_id>", methods=["GET"])
@document_errors(ConversationNotFound)
@blueprint.response(200, schemas.ConversationSchema)
def show_conversation(conversation_id: str) -> Response:
    """Return a conversation without its items."""
    return _respond(get_services().conversations.get(get_caller().owner_id, conversation_id))


@blueprint.route("/<conversation_id>", methods=["POST"])
@document_errors(ConversationNotFound)
@blueprint.arguments(schemas.ConversationChangeSchema(), example=examples.CONVERSATION_METADATA)
@blueprint.response(200, schemas.ConversationSchema)
def update_conversation(body: Body, conversation_id: str) -> Response:
    """Replace the metadata of a conversation."""
    table, owner = get_services().conversations, get_caller().owner_id
    return _respond(table.update(owner, conversation_id, {"metadata": body["metadata"]}))


@blueprint.route("/<conversation_id>", methods=["DELETE"])
@document_errors(ConversationNotFound)
@blueprint.response(200, schemas.DeletedConversationSchema)
def delete_conversation(conversation_id: str) -> Response:
    """Delete a conversation and its items."""
    get_services().conversations.delete(get_caller().owner_id, conversation_id)
    return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


@blueprint.route("/<conversation_id>/items", methods=["POST"])
@document_errors(ConversationNotFound, ConversationLocked)
@blueprint.arguments(schemas.NewItemsSchema(), example=examples.CONVERSATION_ITEMS)
@blueprint.response(200, InputItemListSchema)
def add_items(body: Body, conversation_id: str) -> Response:
    """Add up to 20 items to a conversation."""
    added = conversations.add_items(conversation_id, body["items"], get_caller(), get_services())
    return json_response(list_object(added, has_more=False))


@blueprint.route("/<conversation_id>/items", methods=["GET"])
@document_errors(ConversationNotFound)
@blueprint.arguments(InputItemsQuerySchema(), location="query")
@blueprint.response(200, InputItemListSchema)
def list_items(query: Body, conversation_id: str) -> Response:
    """List the items of a conversation, the newest first. `include` is accepted without effect."""
    page = get_services().conversations.list_items(
        get_caller().owner_id,
        conversation_id,
        limit=query["limit"],
        is_ascending=query["order"] == "asc",
        after=query["after"],
    )
    return json_response(list_object(page.items, has_more=page.has_more))


@blueprint.route("/<conversation_id>/items/<item_id>", methods=["GET"])
@document_errors(ConversationNotFound)
@blueprint.response(200, ItemSchema)
def show_item(conversation_id: str, item_id: str) -> Response:
    """Return an item of a conversation."""
    return json_response(
        get_services().conversations.get_item(get_caller().owner_id, conversation_id, item_id)
    )


@blueprint.route("/<conversation_id>/items/<item_id>", methods=["DELETE"])
@document_errors(ConversationNotFound, ConversationLocked)
@blueprint.response(200, schemas.ConversationSchema)
def delete_item(conversation_id: str, item_id: str) -> Response:
    """Delete an item, and return its conversation."""
    table, owner = get_services().conversations, get_caller().owner_id
    table.delete_item(owner, conversation_id, item_id)
    return _respond(table.get(owner, conversation_id))


def _respond(conversation: StoredConversation) -> Response:
    created_at = int(conversation.created_at.timestamp())
    return json_response(
        {"id": conversation.id, "object": "conversation", "created_at": created_at, **conversation.body}
    )

"""The bodies of `/v1/conversations`, and its answers.

https://platform.openai.com/docs/api-reference/conversations
"""

from marshmallow import fields, validate

from gateway.schemas.answers import AnswerSchema, constant
from gateway.schemas.chat_answers import SECONDS
from gateway.schemas.fields import LenientSchema, ListOf, Object
from gateway.schemas.responses import check_labels

MAX_NEW_ITEMS = 20

_FEW = validate.Length(max=MAX_NEW_ITEMS, error=f"At most {MAX_NEW_ITEMS} items are allowed at a time.")
_ITEMS = {"description": "Items of the Responses API's `input`: messages, tool calls, outputs of tools."}
_LABELS = {"description": "An object of strings."}


class NewConversationSchema(LenientSchema):
    """A new conversation."""

    items = ListOf(Object(), validate=_FEW, metadata=_ITEMS)
    metadata = Object(validate=check_labels, metadata=_LABELS)


class ConversationChangeSchema(LenientSchema):
    """The new metadata of a conversation."""

    metadata = Object(required=True, validate=check_labels, metadata=_LABELS)


class NewItemsSchema(LenientSchema):
    """Items to add to a conversation."""

    items = ListOf(Object(), required=True, validate=_FEW, metadata=_ITEMS)


class ConversationSchema(AnswerSchema):
    """A conversation without its items."""

    id = fields.String()
    object = constant("conversation")
    created_at = fields.Integer(metadata=SECONDS)
    metadata = fields.Dict(values=fields.String())


class DeletedConversationSchema(AnswerSchema):
    """A deleted conversation."""

    id = fields.String()
    object = constant("conversation.deleted")
    deleted = constant(True)

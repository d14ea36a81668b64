"""The bodies and answers of `/v1/batches` and `/v1/messages/batches`.

https://platform.openai.com/docs/api-reference/batch and
https://platform.claude.com/docs/en/api/creating-message-batches
"""

import re
from datetime import timedelta

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.chat_answers import SECONDS
from gateway.schemas.fields import Count, LenientSchema, Object, ObjectOf, Text, Unchecked, allowed, between
from gateway.schemas.responses import check_labels

LONGEST_WINDOW = timedelta(days=7)
_WINDOW = re.compile(r"([1-9]\d{0,3})([hd])")
_WINDOW_PROBLEM = "Expected a time such as 24h, from 1h to 7d."
_WAITING = about("Why no request runs now, with a code, and when the gateway expects to go on.")


def read_window(text: str) -> timedelta:
    """Return the length of a completion window. Raises ValidationError.

    >>> read_window("2d")
    datetime.timedelta(days=2)
    """
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValidationError(_WINDOW_PROBLEM)
    window = timedelta(hours=int(found[1])) if found[2] == "h" else timedelta(days=int(found[1]))
    if window > LONGEST_WINDOW:
        raise ValidationError(_WINDOW_PROBLEM)
    return window


def _check_window(text: str) -> None:
    read_window(text)


class OutputExpirySchema(LenientSchema):
    """The time after which the result files are deleted."""

    anchor = Text(required=True, validate=allowed("created_at"))
    seconds = Count(required=True, validate=between(3600, 2_592_000))


class NewBatchSchema(LenientSchema):
    """A batch whose requests are the lines of a file."""

    input_file_id = Text(
        required=True, metadata=about("A file of purpose `batch`, with a request on each line.")
    )
    endpoint = Text(
        required=True,
        metadata=about("`/v1/chat/completions`, `/v1/responses` or `/v1/completions`, for all requests."),
    )
    completion_window = Text(validate=_check_window, metadata=about("`24h`, or any time from `1h` to `7d`."))
    metadata = Object(validate=check_labels, metadata=about("Up to 16 pairs of strings."))
    output_expires_after = ObjectOf(OutputExpirySchema)


class BatchListQuerySchema(Schema):
    """The batches to list. `after` is the id of the batch before the first one."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(load_default=20, validate=between(1, 100))
    after = fields.String(load_default=None)


class BatchCountsSchema(AnswerSchema):
    """The requests of a batch, by their state."""

    total = fields.Integer()
    completed = fields.Integer()
    failed = fields.Integer()


class BatchSchema(AnswerSchema):
    """A batch."""

    id = fields.String()
    object = constant("batch")
    endpoint = fields.String()
    model = fields.String(allow_none=True, metadata=about("The model of the first request."))
    errors = fields.Dict(allow_none=True, metadata=about("Mistakes in the input file, by line."))
    input_file_id = fields.String()
    completion_window = fields.String()
    status = fields.String()
    output_file_id = fields.String(allow_none=True, metadata=about("The file of the answers."))
    error_file_id = fields.String(allow_none=True, metadata=about("The file of the requests that failed."))
    created_at = fields.Integer(metadata=SECONDS)
    in_progress_at = fields.Integer(allow_none=True)
    expires_at = fields.Integer()
    finalizing_at = fields.Integer(allow_none=True)
    cancelling_at = fields.Integer(allow_none=True)
    completed_at = fields.Integer(allow_none=True)
    failed_at = fields.Integer(allow_none=True)
    expired_at = fields.Integer(allow_none=True)
    cancelled_at = fields.Integer(allow_none=True)
    request_counts = fields.Nested(BatchCountsSchema)
    usage = fields.Dict()
    metadata = fields.Dict(values=fields.String(), allow_none=True)
    waiting = fields.Dict(allow_none=True, metadata=_WAITING)


class BatchListSchema(AnswerSchema):
    """A page of batches, the newest first."""

    object = constant("list")
    data = fields.List(fields.Nested(BatchSchema))
    first_id = fields.String(allow_none=True)
    last_id = fields.String(allow_none=True)
    has_more = fields.Boolean()


class NewMessageBatchSchema(LenientSchema):
    """A batch of requests of the Messages API."""

    requests = Unchecked(
        required=True,
        metadata={
            "description": "Each has a `custom_id` and `params`, a body of `POST /v1/messages`.",
            "type": "array",
            "items": {"type": "object"},
        },
    )


class MessageBatchListQuerySchema(Schema):
    """The batches to list: those after (older than) or before (newer than) the batch with this id."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(load_default=20, validate=between(1, 1000))
    after_id = fields.String(load_default=None)
    before_id = fields.String(load_default=None)


class MessageBatchCountsSchema(AnswerSchema):
    """The requests of a batch, by their state. Unlike Anthropic's, these change while the batch runs."""

    processing = fields.Integer()
    succeeded = fields.Integer()
    errored = fields.Integer()
    canceled = fields.Integer()
    expired = fields.Integer()


class MessageBatchSchema(AnswerSchema):
    """A batch of messages."""

    id = fields.String()
    type = constant("message_batch")
    processing_status = fields.String(metadata=about("`in_progress`, `canceling` or `ended`."))
    request_counts = fields.Nested(MessageBatchCountsSchema)
    created_at = fields.String()
    expires_at = fields.String()
    ended_at = fields.String(allow_none=True)
    cancel_initiated_at = fields.String(allow_none=True)
    archived_at = fields.String(allow_none=True, metadata=about("Always null."))
    results_url = fields.String(allow_none=True, metadata=about("null until the batch has ended."))
    waiting = fields.Dict(allow_none=True, metadata=_WAITING)


class MessageBatchListSchema(AnswerSchema):
    """A page of batches, the newest first."""

    data = fields.List(fields.Nested(MessageBatchSchema))
    first_id = fields.String(allow_none=True)
    last_id = fields.String(allow_none=True)
    has_more = fields.Boolean()


class DeletedMessageBatchSchema(AnswerSchema):
    """A deleted batch."""

    id = fields.String()
    type = constant("message_batch_deleted")

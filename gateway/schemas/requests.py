"""Queries and answers of the list of requests."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from gateway.schemas.answers import AnswerSchema, about, constant, one_of

OUTCOMES = ("complete", "cut", "failed", "refused")
PROCESSES = ("kept", "prepared", "warm", "started")


class RequestFilterSchema(Schema):
    """The requests to list."""

    since = fields.AwareDateTime(
        data_key="from", format="iso", metadata=about("Begun at this time or later.")
    )
    until = fields.AwareDateTime(data_key="to", format="iso", metadata=about("Begun before this time."))
    model = fields.String()
    dialect = fields.String(validate=validate.OneOf(("chat", "responses", "messages", "completions")))
    account = fields.String()
    project_id = fields.String()
    session_id = fields.String()
    status = fields.String(
        validate=validate.Regexp("[1-5]([0-9]{2}|xx)$", error="Expected a status such as 429, or 4xx."),
        metadata=about("A status, or a class such as `4xx`."),
    )
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))
    code = fields.String(metadata=about("The code of an error."))
    process = fields.String(validate=validate.OneOf(PROCESSES))
    repaired = fields.String(metadata=about("The code of a repair."))
    min_seconds = fields.Float(validate=validate.Range(min=0))
    has_error = fields.Boolean(metadata=about("Failed and refused requests only, or the others only."))
    words = fields.String(data_key="q", metadata=about("A part of the id, key, path, model or reason."))


class RequestQuerySchema(RequestFilterSchema):
    """The requests to list, and the page."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=200))
    cursor = fields.String(
        validate=validate.Regexp(r"\d{1,11}\.\d{1,9}_\d{1,18}$", error="Expected a `next_cursor`.")
    )


class AdminRequestFilterSchema(RequestFilterSchema):
    """The requests to list, of all keys."""

    key_id = fields.String()

    @post_load
    def drop_empty(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Drop empty filters, as forms send them."""
        return {name: value for name, value in data.items() if value != ""}


class AdminRequestQuerySchema(AdminRequestFilterSchema, RequestQuerySchema):
    """The requests to list, of all keys, and the page."""


class RequestSchema(AnswerSchema):
    """A request for an answer, or one that was refused."""

    object = constant("request")
    id = fields.String()
    created_at = fields.DateTime(format="iso")
    request_id = fields.String()
    key_id = fields.String(allow_none=True)
    key_name = fields.String(allow_none=True)
    address = fields.String()
    client = fields.String(metadata=about("The client's `User-Agent`."))
    method = fields.String()
    path = fields.String()
    dialect = fields.String(metadata=about("Empty for requests that are not for an answer."))
    model = fields.String(allow_none=True)
    account = fields.String(allow_none=True)
    fallback_model = fields.String(
        allow_none=True, metadata=about("The model that the key's fallback asked. Null if it was not needed.")
    )
    project_id = fields.String(allow_none=True)
    session_id = fields.String(allow_none=True)
    status = fields.Integer()
    outcome = one_of(*OUTCOMES)
    code = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    stop_reason = fields.String(allow_none=True)
    streamed = fields.Boolean()
    repeats = fields.Integer(
        metadata=about("Further requests like this one in the same minute, without rows.")
    )
    input_tokens = fields.Integer(metadata=about("Excludes cached tokens."))
    cache_read_tokens = fields.Integer()
    cache_write_tokens = fields.Integer()
    output_tokens = fields.Integer(metadata=about("Includes thinking."))
    thinking_tokens = fields.Integer()
    web_searches = fields.Integer()
    web_fetches = fields.Integer()
    cost = fields.Float(metadata=about("In USD, by the API's list prices."))
    is_estimated = fields.Boolean()
    parse_seconds = fields.Float(allow_none=True, metadata=about("Reading and checking the request."))
    queue_seconds = fields.Float(allow_none=True, metadata=about("Waiting for a turn."))
    process_seconds = fields.Float(allow_none=True, metadata=about("Waiting for a CLI process."))
    setup_seconds = fields.Float(allow_none=True, metadata=about("Setting the process up, and asking."))
    first_seconds = fields.Float(
        allow_none=True, metadata=about("From the end of parsing to the first part.")
    )
    answer_seconds = fields.Float(allow_none=True, metadata=about("From the end of parsing to the end."))
    seconds = fields.Float(metadata=about("From the beginning to the last byte."))
    process = fields.String(
        allow_none=True,
        metadata={
            "enum": [*PROCESSES, None],
            **about("`kept` and `prepared` are hits of the process cache."),
        },
    )
    attempts = fields.Integer()
    repaired = fields.List(fields.String(), metadata=about("Codes of repairs."))
    ignored = fields.List(fields.String(), metadata=about("Parameters without effect."))
    has_bodies = fields.Boolean()


class RequestListSchema(AnswerSchema):
    """A page of requests, the newest first."""

    object = constant("list")
    data = fields.List(fields.Nested(RequestSchema))
    has_more = fields.Boolean()
    next_cursor = fields.String(allow_none=True)


class PhaseSchema(AnswerSchema):
    """A phase of a request, for a waterfall."""

    name = one_of("parse", "queue", "process", "set-up", "first token", "answer", "end")
    start = fields.Float(metadata=about("Seconds after the beginning of the request."))
    seconds = fields.Float()


class BodiesSchema(AnswerSchema):
    """The texts of a request and its answer."""

    request = fields.String(allow_none=True)
    answer = fields.String(allow_none=True)
    is_cut = fields.Boolean(metadata=about("True if one was longer than `REQUEST_BODY_MAX_KB`."))


class RequestDetailsSchema(RequestSchema):
    """A request with its phases, as a command, and with its bodies if they were kept."""

    phases = fields.List(fields.Nested(PhaseSchema))
    curl = fields.String(
        metadata=about("A command that sends the request again, with `$API_KEY` for the key.")
    )
    bodies = fields.Nested(BodiesSchema, allow_none=True)


class ComparisonQuerySchema(Schema):
    """Two requests."""

    first = fields.String(data_key="a", required=True)
    second = fields.String(data_key="b", required=True)


class DifferenceSchema(AnswerSchema):
    """A field in which two requests differ."""

    field = fields.String()
    a = fields.Raw()
    b = fields.Raw()


class ComparisonSchema(AnswerSchema):
    """Two requests and the fields in which they differ."""

    object = constant("comparison")
    a = fields.Nested(RequestDetailsSchema)
    b = fields.Nested(RequestDetailsSchema)
    differences = fields.List(fields.Nested(DifferenceSchema))

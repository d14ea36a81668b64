"""Queries and answers of `/v1/admin/sessions`, `…/projects`, `…/files` and `…/batches`."""

from marshmallow import fields

from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.pages import PageQuerySchema, PaginationSchema


class InventoryQuerySchema(PageQuerySchema):
    """The rows to list."""

    owner = fields.String(
        data_key="key_id", metadata=about("Only the data of this key, or of another owner by its id.")
    )


class OwnedSchema(AnswerSchema):
    """Something that a client has stored."""

    id = fields.String()
    owner = fields.String(metadata=about("The id of a key, or of a client without one."))
    key_name = fields.String(allow_none=True)
    created_at = fields.DateTime(format="iso")


class StoredSessionSchema(OwnedSchema):
    """A session, without its messages."""

    title = fields.String(allow_none=True)
    project_id = fields.String(allow_none=True)
    model = fields.String(allow_none=True)
    updated_at = fields.DateTime(format="iso")
    message_count = fields.Integer()
    total_tokens = fields.Integer()
    total_cost = fields.Float(metadata=about("In USD."))
    is_stored = fields.Boolean()


class StoredProjectSchema(OwnedSchema):
    """A project, without its files."""

    name = fields.String()
    path = fields.String(metadata=about("The name of its folder in `PROJECT_ROOT`."))
    policy = fields.Dict()
    updated_at = fields.DateTime(format="iso")


class FileFactsSchema(OwnedSchema):
    """A file, without its content."""

    filename = fields.String()
    purpose = fields.String()
    content_type = fields.String()
    size = fields.Integer(metadata=about("In bytes."))
    expires_at = fields.DateTime(format="iso")


class BatchFactsSchema(OwnedSchema):
    """A batch, without its requests."""

    kind = fields.String(metadata=about("The API: `openai` or `anthropic`."))
    endpoint = fields.String()
    status = fields.String()
    model = fields.String(allow_none=True)
    expires_at = fields.DateTime(format="iso")
    ended_at = fields.DateTime(format="iso", allow_none=True)
    total = fields.Integer()
    succeeded = fields.Integer()
    errored = fields.Integer()
    canceled = fields.Integer()
    expired = fields.Integer()


class _PageSchema(AnswerSchema):
    object = constant("list")
    pagination = fields.Nested(PaginationSchema)


class StoredSessionsSchema(_PageSchema):
    """A page of sessions, the newest first."""

    data = fields.List(fields.Nested(StoredSessionSchema))


class StoredProjectsSchema(_PageSchema):
    """A page of projects, the newest first."""

    data = fields.List(fields.Nested(StoredProjectSchema))


class StoredFilesSchema(_PageSchema):
    """A page of files, the newest first."""

    data = fields.List(fields.Nested(FileFactsSchema))


class StoredBatchesSchema(_PageSchema):
    """A page of batches, the newest first."""

    data = fields.List(fields.Nested(BatchFactsSchema))

"""Queries and answers of `/v1/files`, in OpenAI's and in Anthropic's shape."""

from marshmallow import EXCLUDE, Schema, fields, validate

from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.fields import allowed

MAX_PER_PAGE = 1000
ANTHROPIC_PER_PAGE = 20


class FileListQuerySchema(Schema):
    """The files to list. Anthropic's clients page with `page`, or with `before_id` and `after_id`."""

    class Meta:
        unknown = EXCLUDE

    purpose = fields.String(load_default=None, metadata=about("Only files with this purpose."))
    limit = fields.Integer(
        load_default=None,
        validate=validate.Range(min=1, max=10_000),
        metadata=about(f"The size of a page: at most {MAX_PER_PAGE}."),
    )
    order = fields.String(load_default="desc", validate=allowed("asc", "desc"))
    after = fields.String(load_default=None, metadata=about("The last file of the previous page."))
    after_id = fields.String(load_default=None)
    before_id = fields.String(load_default=None)
    page = fields.String(load_default=None, metadata=about("The `next_page` of the previous page."))


class StoredFileSchema(AnswerSchema):
    """A file in OpenAI's shape."""

    id = fields.String()
    object = constant("file")
    bytes = fields.Integer()
    created_at = fields.Integer()
    expires_at = fields.Integer()
    filename = fields.String()
    purpose = fields.String()
    status = constant("processed")
    status_details = fields.String(allow_none=True)


class AnthropicFileSchema(AnswerSchema):
    """A file in Anthropic's shape."""

    type = constant("file")
    id = fields.String()
    filename = fields.String()
    mime_type = fields.String()
    size_bytes = fields.Integer()
    created_at = fields.String()
    expires_at = fields.String()
    downloadable = fields.Boolean()


class _PageSchema(AnswerSchema):
    has_more = fields.Boolean()
    first_id = fields.String(allow_none=True)
    last_id = fields.String(allow_none=True)


class StoredFileListSchema(_PageSchema):
    """A page of files in OpenAI's shape."""

    object = constant("list")
    data = fields.List(fields.Nested(StoredFileSchema))


class AnthropicFileListSchema(_PageSchema):
    """A page of files in Anthropic's shape."""

    data = fields.List(fields.Nested(AnthropicFileSchema))
    next_page = fields.String(allow_none=True)


class DeletedStoredFileSchema(AnswerSchema):
    """A deleted file in OpenAI's shape."""

    id = fields.String()
    object = constant("file")
    deleted = fields.Boolean()


class AnthropicDeletedFileSchema(AnswerSchema):
    """A deleted file in Anthropic's shape."""

    id = fields.String()
    type = constant("file_deleted")

"""`/v1/files`: upload, list, download and delete files, for clients of OpenAI's and of Anthropic's API."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from flask import Response, request

from gateway.api.hooks.anthropic_dialect import is_anthropic_request
from gateway.api.http import file_objects
from gateway.api.http.blueprints import ANTHROPIC_VERSION, Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.streaming import DOWNLOAD_HEADERS, json_response
from gateway.api.http.uploads import BINARY, FORM_BYTES, UploadForm, read_upload
from gateway.dialects.common.field_errors import invalid_field
from gateway.errors import FileQuotaExceeded, FileTooLarge, StoredFileNotFound
from gateway.schemas import files as schemas
from gateway.store.files import FilePage, FileQuery, StoredFile

blueprint = Blueprint(
    "files", __name__, url_prefix="/v1/files", description="Files that requests refer to by id"
)

FILE = {"type": "string", "format": "binary"}
PURPOSE = {
    "type": "string",
    "description": "Any word; it only selects files in the list. Default: `user_data`.",
}
SECONDS = {"type": "integer", "minimum": 3600, "description": "The time until the file is deleted."}
FIELDS = {
    "type": "object",
    "properties": {
        "file": FILE,
        "purpose": PURPOSE,
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": SECONDS,
        "expires_in_seconds": {**SECONDS, "description": "The same for Anthropic's clients."},
    },
    "required": ["file"],
}
FORM = {"required": True, "content": {"multipart/form-data": {"schema": FIELDS}}}
DEFAULT_PURPOSE = "user_data"
MIN_SECONDS = 3600
MAX_IDS = 100


@blueprint.route("", methods=["POST"])
@document_errors(FileTooLarge, FileQuotaExceeded)
@blueprint.doc(requestBody=FORM, parameters=[ANTHROPIC_VERSION])
@blueprint.response(200, {"anyOf": [schemas.StoredFileSchema, schemas.AnthropicFileSchema]})
def upload_file() -> Response:
    """Upload a file as a form (multipart/form-data)."""
    files, owner = get_services().files, get_caller().owner_id
    files.check_size(max(0, (request.content_length or 0) - FORM_BYTES))
    request.max_content_length = (
        files.limits.max_bytes + FORM_BYTES
    )  # MAX_REQUEST_BYTES does not apply to files
    with files.begin(owner) as upload:
        form = read_upload(request, upload.write)
        purpose = form.fields.get("purpose") or DEFAULT_PURPOSE
        stored = upload.finish(form.filename, purpose, form.content_type, _read_ttl(form))
    return _respond(stored)


@blueprint.route("", methods=["GET"])
@document_errors(StoredFileNotFound)
@blueprint.arguments(schemas.FileListQuerySchema(), location="query")
@blueprint.doc(parameters=[ANTHROPIC_VERSION])
@blueprint.response(200, {"anyOf": [schemas.StoredFileListSchema, schemas.AnthropicFileListSchema]})
def list_files(query: dict[str, Any]) -> Response:
    """List the files of the key, the newest first unless `order` is `asc`."""
    files, owner = get_services().files, get_caller().owner_id
    if not is_anthropic_request():
        return json_response(file_objects.openai_page(files.list_page(owner, _openai_query(query))))
    ids = request.args.getlist("ids[]") + request.args.getlist("ids")
    if ids:
        return json_response(
            file_objects.anthropic_page(FilePage(files.find_all(owner, ids[:MAX_IDS]), False))
        )
    return json_response(file_objects.anthropic_page(files.list_page(owner, _anthropic_query(query))))


@blueprint.route("/<file_id>", methods=["GET"])
@document_errors(StoredFileNotFound)
@blueprint.doc(parameters=[ANTHROPIC_VERSION])
@blueprint.response(200, {"anyOf": [schemas.StoredFileSchema, schemas.AnthropicFileSchema]})
def show_file(file_id: str) -> Response:
    """Return the name, size and type of a file, without its content."""
    return _respond(get_services().files.get(get_caller().owner_id, file_id))


@blueprint.route("/<file_id>/content", methods=["GET"])
@document_errors(StoredFileNotFound)
@blueprint.response(200, FILE, content_type=BINARY)
def download_file(file_id: str) -> Response:
    """Return the content of a file."""
    files, owner = get_services().files, get_caller().owner_id
    file = files.get(owner, file_id)
    response = Response(files.read(owner, file_id), mimetype=BINARY, headers=DOWNLOAD_HEADERS)
    response.content_length = file.size
    response.last_modified = file.created_at
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}"
    return response


@blueprint.route("/<file_id>", methods=["DELETE"])
@document_errors(StoredFileNotFound)
@blueprint.doc(parameters=[ANTHROPIC_VERSION])
@blueprint.response(200, {"anyOf": [schemas.DeletedStoredFileSchema, schemas.AnthropicDeletedFileSchema]})
def delete_file(file_id: str) -> Response:
    """Delete a file. Requests that refer to it are rejected from now on."""
    get_services().files.delete(get_caller().owner_id, file_id)
    if is_anthropic_request():
        return json_response({"id": file_id, "type": "file_deleted"})
    return json_response({"id": file_id, "object": "file", "deleted": True})


def _respond(file: StoredFile) -> Response:
    write = file_objects.anthropic_file if is_anthropic_request() else file_objects.openai_file
    return json_response(write(file))


def _openai_query(query: dict[str, Any]) -> FileQuery:
    return FileQuery(
        purpose=query["purpose"],
        limit=min(query["limit"] or schemas.MAX_PER_PAGE, schemas.MAX_PER_PAGE),
        is_ascending=query["order"] == "asc",
        after=query["after"],
    )


def _anthropic_query(query: dict[str, Any]) -> FileQuery:
    page = query["page"]
    return FileQuery(
        limit=min(query["limit"] or schemas.ANTHROPIC_PER_PAGE, schemas.MAX_PER_PAGE),
        after=page.removeprefix(file_objects.PAGE_PREFIX) if page else query["after_id"],
        before=query["before_id"],
    )


def _read_ttl(form: UploadForm) -> timedelta | None:
    """Return the time after which the client wants the file to be deleted, in either API's field."""
    for name in ("expires_after[seconds]", "expires_in_seconds"):
        given = form.fields.get(name)
        if given is not None:
            return timedelta(seconds=_read_seconds(name, given))
    return None


def _read_seconds(name: str, given: str) -> float:
    if not given.isascii() or not given.isdigit() or int(given[:12]) < MIN_SECONDS:
        raise invalid_field(name, f"Expected a number of seconds, {MIN_SECONDS} or more.")
    return min(int(given[:12]), get_services().files.limits.ttl.total_seconds())

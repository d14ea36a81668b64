"""`/v1/projects/{id}/files`: list, upload, download and delete."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.answering.project_access import find_project
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.streaming import DOWNLOAD_HEADERS
from gateway.api.http.uploads import BINARY, FORM_BYTES
from gateway.errors import InvalidRequest, ProjectFileNotFound, ProjectNotFound, ProjectTooLarge
from gateway.schemas.pages import PageQuerySchema, pagination
from gateway.schemas.projects import DeletedFileSchema, FileListSchema, FileSchema
from gateway.store.project_folders import ProjectFile
from gateway.store.project_paths import split_file_path

blueprint = Blueprint(
    "project-files",
    __name__,
    url_prefix="/v1/projects/<project_id>/files",
    description="The files in a project's folder",
)

FILE = {"type": "string", "format": "binary"}
CONTENT = {"content": {BINARY: {"schema": FILE}}}
PATH = {"type": "string", "description": "The path in the project. Default: the file's name."}
FIELDS = {"type": "object", "properties": {"file": FILE, "path": PATH}, "required": ["file"]}
FORM = {"required": True, "content": {"multipart/form-data": {"schema": FIELDS}}}

CHUNK = 64 * 1024


@blueprint.route("", methods=["GET"])
@document_errors(ProjectNotFound)
@blueprint.arguments(PageQuerySchema(), location="query")
@blueprint.response(200, FileListSchema)
def list_files(query: dict[str, int], project_id: str) -> dict[str, Any]:
    """List the project's files by path."""
    files = get_services().folders.list_files(_find_folder(project_id))
    first = (query["page"] - 1) * query["per_page"]
    return {
        "data": files[first : first + query["per_page"]],
        "pagination": pagination(**query, items=len(files)),
    }


@blueprint.route("", methods=["POST"])
@document_errors(ProjectNotFound, ProjectTooLarge)
@blueprint.doc(requestBody=FORM)
@blueprint.response(200, FileSchema)
def upload_form(project_id: str) -> ProjectFile:
    """Upload a file as a form with the field `file`. `path` replaces the file's own name."""
    folder = _find_folder(project_id)
    request.max_content_length = get_services().folders.max_bytes + FORM_BYTES
    try:
        file, path = request.files.get("file"), request.form.get("path")
    except RequestEntityTooLarge:
        raise _too_large() from None
    if file is None:
        problem = "Invalid 'file': expected a form (multipart/form-data) with this field."
        raise InvalidRequest(problem, param="file")
    parts = split_file_path(file.filename or "", "file") if path is None else split_file_path(path)
    return get_services().folders.write_file(folder, parts, _chunks(file.stream))


@blueprint.route("/<path:path>", methods=["PUT", "POST"])
@document_errors(ProjectNotFound, ProjectTooLarge)
@blueprint.doc(requestBody=CONTENT)
@blueprint.response(200, FileSchema)
def upload_file(project_id: str, path: str) -> ProjectFile:
    """Upload a file, whose content is the body. An existing file is replaced."""
    folder = _find_folder(project_id)
    parts = split_file_path(path)
    max_bytes = get_services().folders.max_bytes
    if (request.content_length or 0) > max_bytes:
        raise _too_large()
    request.max_content_length = max_bytes + FORM_BYTES  # MAX_REQUEST_BYTES does not apply to files
    return get_services().folders.write_file(folder, parts, _chunks(request.stream))


@blueprint.route("/<path:path>", methods=["GET"])
@document_errors(InvalidRequest, ProjectNotFound, ProjectFileNotFound)
@blueprint.response(200, FILE, content_type=BINARY)
def download_file(project_id: str, path: str) -> Response:
    """Return the content of a file."""
    file, found = get_services().folders.open_file(_find_folder(project_id), split_file_path(path))
    response = Response(_chunks(file), mimetype=BINARY, headers=DOWNLOAD_HEADERS)
    response.call_on_close(file.close)
    response.content_length = found.bytes
    response.last_modified = found.modified_at
    name = quote(found.name.rpartition("/")[2], safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return response


@blueprint.route("/<path:path>", methods=["DELETE"])
@document_errors(InvalidRequest, ProjectNotFound, ProjectFileNotFound)
@blueprint.response(200, DeletedFileSchema)
def delete_file(project_id: str, path: str) -> dict[str, Any]:
    """Delete a file."""
    get_services().folders.delete_file(_find_folder(project_id), split_file_path(path))
    return {"name": path}


def _find_folder(project_id: str) -> str:
    """Return the folder of a project that the caller may see. Raises ProjectNotFound."""
    return find_project(project_id, get_caller(), get_services().projects).path


def _chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _too_large() -> ProjectTooLarge:
    return ProjectTooLarge(
        "The file is larger than a whole project may be (MAX_PROJECT_SIZE_MB).", param="file"
    )

"""`/v1/projects/{id}/files`: list, upload, download and delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.answering import project_access
from gateway.api.http import context as current
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi.description import raises
from gateway.errors import InvalidRequest, ProjectFileNotFound, ProjectNotFound, ProjectTooLarge
from gateway.schemas.pages import PageQuerySchema, pagination
from gateway.schemas.projects import DeletedFileSchema, FileListSchema, FileSchema
from gateway.store import project_paths
from gateway.store.project_folders import ProjectFile

blueprint = Blueprint(
    "project-files",
    __name__,
    url_prefix="/v1/projects/<project_id>/files",
    description="What is in a project's folder",
)

BINARY = "application/octet-stream"
CONTENT = {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "path": {
                        "type": "string",
                        "description": "Its path in the project; left out, the file's name.",
                    },
                },
                "required": ["file"],
            }
        }
    },
}

CHUNK = 64 * 1024
FORM_BYTES = 64 * 1024  # what a form may be larger than the file in it

# What a project holds is anybody's: no browser may take it for a page of the gateway's.
DOWNLOAD_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}


@blueprint.route("", methods=["GET"])
@raises(ProjectNotFound)
@blueprint.arguments(PageQuerySchema(), location="query")
@blueprint.response(200, FileListSchema)
def listing(query: dict[str, int], project_id: str) -> dict[str, Any]:
    """The project's files, by path."""
    files = current.folders().list_files(project_access.find(project_id).path)
    first = (query["page"] - 1) * query["per_page"]
    return {
        "data": files[first : first + query["per_page"]],
        "pagination": pagination(**query, items=len(files)),
    }


@blueprint.route("", methods=["POST"])
@raises(ProjectNotFound, ProjectTooLarge)
@blueprint.doc(requestBody=FORM)
@blueprint.response(200, FileSchema)
def upload_form(project_id: str) -> ProjectFile:
    """Upload a file as a form: `file`, and `path` if it is not to have the file's own name."""
    folder = project_access.find(project_id).path
    request.max_content_length = current.folders().max_bytes + FORM_BYTES
    try:
        file, path = request.files.get("file"), request.form.get("path")
    except RequestEntityTooLarge:
        raise _too_large() from None
    if file is None:
        raise InvalidRequest(
            "Invalid 'file': expected a form (multipart/form-data) with a file.", param="file"
        )
    parts = project_paths.split_file_path(
        file.filename or "" if path is None else path, "file" if path is None else "path"
    )
    return current.folders().write_file(folder, parts, _chunks(file.stream))


@blueprint.route("/<path:path>", methods=["PUT", "POST"])
@raises(ProjectNotFound, ProjectTooLarge)
@blueprint.doc(requestBody=CONTENT)
@blueprint.response(200, FileSchema)
def upload(project_id: str, path: str) -> ProjectFile:
    """Upload a file: the body is its content. One that is there is replaced."""
    folder = project_access.find(project_id).path
    parts = project_paths.split_file_path(path)
    most = current.folders().max_bytes
    if (request.content_length or 0) > most:
        raise _too_large()
    request.max_content_length = (
        most + FORM_BYTES
    )  # else that of other requests; the file's own limit comes first
    return current.folders().write_file(folder, parts, _chunks(request.stream))


@blueprint.route("/<path:path>", methods=["GET"])
@raises(InvalidRequest, ProjectNotFound, ProjectFileNotFound)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=BINARY)
def download(project_id: str, path: str) -> Response:
    """The file's content."""
    file, found = current.folders().open_file(
        project_access.find(project_id).path, project_paths.split_file_path(path)
    )
    response = Response(_chunks(file), mimetype=BINARY, headers=DOWNLOAD_HEADERS)
    response.call_on_close(file.close)
    response.content_length = found.bytes
    response.last_modified = found.modified_at
    name = quote(found.name.rpartition("/")[2], safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return response


@blueprint.route("/<path:path>", methods=["DELETE"])
@raises(InvalidRequest, ProjectNotFound, ProjectFileNotFound)
@blueprint.response(200, DeletedFileSchema)
def delete(project_id: str, path: str) -> dict[str, Any]:
    """Delete a file."""
    current.folders().delete_file(project_access.find(project_id).path, project_paths.split_file_path(path))
    return {"name": path}


def _chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _too_large() -> ProjectTooLarge:
    return ProjectTooLarge("The file is larger than a project may be (MAX_PROJECT_SIZE_MB).", param="file")

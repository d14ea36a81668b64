"""`/v1/projects`."""

from __future__ import annotations

from typing import Any

from gateway.answering import project_access
from gateway.answering import project_policy as workplaces
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.api.http.blueprints import Blueprint
from gateway.api.openapi import examples
from gateway.api.openapi.description import raises
from gateway.errors import AgentsNotAllowed, ProjectNotAllowed, ProjectNotFound, TurnStopped
from gateway.schemas.pages import PageQuerySchema, pagination
from gateway.schemas.projects import (
    DeletedProjectSchema,
    NewProjectSchema,
    ProjectChangeSchema,
    ProjectListSchema,
    ProjectSchema,
)
from gateway.store import project_paths
from gateway.store.projects import ProjectRecord, new_project_id

blueprint = Blueprint(
    "projects",
    __name__,
    url_prefix="/v1/projects",
    description="Places for sessions and files, each with a folder",
)

CHAT = {"mode": "chat"}


@blueprint.route("", methods=["GET"])
@blueprint.arguments(PageQuerySchema(), location="query")
@blueprint.response(200, ProjectListSchema)
def listing(query: dict[str, int]) -> dict[str, Any]:
    """The projects that the key may see, the newest first."""
    records, count = current.projects().list_page(project_access.scope(), **query, only=project_access.only())
    return {"data": records, "pagination": pagination(**query, items=count)}


@blueprint.route("", methods=["POST"])
@raises(AgentsNotAllowed, ProjectNotAllowed)
@blueprint.arguments(NewProjectSchema(), example=examples.PROJECT)
@blueprint.response(200, ProjectSchema)
def create(body: dict[str, Any]) -> ProjectRecord:
    """Make a project with a folder of its own."""
    project_access.require_unlimited()
    policy = body.get("policy") or CHAT
    workplaces.require_allowed(policy)
    project_id = new_project_id()
    path = body.get("path")
    folder = project_id if path is None else project_paths.check_folder_name(path)
    current.folders().create(folder)
    try:
        return current.projects().create(
            project_id, owner.current(), folder, body["name"], body.get("description"), policy
        )
    except BaseException:
        current.folders().remove(folder)
        raise


@blueprint.route("/<project_id>", methods=["GET"])
@raises(ProjectNotFound)
@blueprint.response(200, ProjectSchema)
def retrieve(project_id: str) -> ProjectRecord:
    """One project."""
    return project_access.find(project_id)


@blueprint.route("/<project_id>", methods=["PATCH"])
@raises(AgentsNotAllowed, ProjectNotAllowed, ProjectNotFound)
@blueprint.arguments(ProjectChangeSchema(), required=False, example=examples.PROJECT_CHANGE)
@blueprint.response(200, ProjectSchema)
def change(body: dict[str, Any], project_id: str) -> ProjectRecord:
    """Change the name, description or policy."""
    record = project_access.find_own(project_id)
    if "policy" in body:
        workplaces.require_allowed(body["policy"])
    return current.projects().update(record.id, body)


@blueprint.route("/<project_id>", methods=["DELETE"])
@raises(ProjectNotAllowed, ProjectNotFound)
@blueprint.response(200, DeletedProjectSchema)
def delete(project_id: str) -> dict[str, Any]:
    """Delete a project with its folder; answers that are being written in it are stopped."""
    record = project_access.find_own(project_id)
    current.projects().delete(record.id)
    current.session_turns().delete_project(record.id)
    current.claude().stop_project(record.id, TurnStopped("The project was deleted."))
    current.folders().remove(record.path)
    return {"project_id": record.id}

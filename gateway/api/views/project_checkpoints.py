"""`/v1/projects/{id}/checkpoints` and `/v1/projects/{id}/rewind`: undo what agents did to files."""

from dataclasses import asdict
from typing import Any

from gateway.answering import checkpoints
from gateway.answering.project_access import find_project
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import CheckpointNotFound, ProjectBusy, ProjectNotFound
from gateway.schemas.projects import CheckpointListSchema, RewindSchema, RewoundSchema

blueprint = Blueprint(
    "project-checkpoints",
    __name__,
    url_prefix="/v1/projects/<project_id>",
    description="Checkpoints of a project's files",
)


@blueprint.route("/checkpoints", methods=["GET"])
@document_errors(ProjectNotFound)
@blueprint.response(200, CheckpointListSchema)
def list_checkpoints(project_id: str) -> dict[str, Any]:
    """List the checkpoints of a project's files, the newest first."""
    services = get_services()
    project = find_project(project_id, get_caller(), services.projects)
    return {"data": services.checkpoints.list(project.path)}


@blueprint.route("/rewind", methods=["POST"])
@document_errors(CheckpointNotFound, ProjectBusy, ProjectNotFound)
@blueprint.arguments(RewindSchema(), required=False, example=examples.REWIND)
@blueprint.response(200, RewoundSchema)
def rewind_project(body: dict[str, Any], project_id: str) -> dict[str, Any]:
    """Undo all changes of a project's files since a checkpoint, by default since the newest one."""
    services, caller = get_services(), get_caller()
    project = find_project(project_id, caller, services.projects)
    checkpoint, changes, undo = checkpoints.rewind(project, caller, services, **body)
    return {
        "checkpoint": checkpoint,
        **asdict(changes),
        "undo_checkpoint_id": undo.id if undo else None,
    }

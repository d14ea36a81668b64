"""`/v1/projects`."""

from typing import Any

from gateway.answering import project_access
from gateway.answering.project_policy import require_policy_allowed
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import AgentsNotAllowed, ProjectNotAllowed, ProjectNotFound, TurnStopped
from gateway.schemas import projects as schemas
from gateway.schemas.pages import PageQuerySchema, pagination
from gateway.store import project_paths
from gateway.store.projects import ProjectRecord, new_project_id

blueprint = Blueprint(
    "projects",
    __name__,
    url_prefix="/v1/projects",
    description="Sessions and files that belong together, with a folder",
)

CHAT = {"mode": "chat"}


@blueprint.route("", methods=["GET"])
@blueprint.arguments(PageQuerySchema(), location="query")
@blueprint.response(200, schemas.ProjectListSchema)
def list_projects(query: dict[str, int]) -> dict[str, Any]:
    """List the projects that the caller may see, the newest first."""
    caller = get_caller()
    owner, only = project_access.visible_owner(caller), project_access.allowed_ids(caller)
    records, count = get_services().projects.list_page(owner, **query, only=only)
    return {"data": records, "pagination": pagination(**query, items=count)}


@blueprint.route("", methods=["POST"])
@document_errors(AgentsNotAllowed, ProjectNotAllowed)
@blueprint.arguments(schemas.NewProjectSchema(), example=examples.PROJECT)
@blueprint.response(200, schemas.ProjectSchema)
def create_project(body: dict[str, Any]) -> ProjectRecord:
    """Create a project and its folder."""
    services, caller = get_services(), get_caller()
    project_access.require_unlimited(caller)
    policy = body.get("policy") or CHAT
    require_policy_allowed(policy, services.settings)
    project_id = new_project_id()
    path = body.get("path")
    folder = project_id if path is None else project_paths.check_folder_name(path)
    services.folders.create(folder)
    try:
        return services.projects.create(
            project_id, caller.owner_id, folder, body["name"], body.get("description"), policy
        )
    except BaseException:
        services.folders.remove(folder)
        raise


@blueprint.route("/<project_id>", methods=["GET"])
@document_errors(ProjectNotFound)
@blueprint.response(200, schemas.ProjectSchema)
def show_project(project_id: str) -> ProjectRecord:
    """Return a project."""
    return project_access.find_project(project_id, get_caller(), get_services().projects)


@blueprint.route("/<project_id>", methods=["PATCH"])
@document_errors(AgentsNotAllowed, ProjectNotAllowed, ProjectNotFound)
@blueprint.arguments(schemas.ProjectChangeSchema(), required=False, example=examples.PROJECT_CHANGE)
@blueprint.response(200, schemas.ProjectSchema)
def change_project(body: dict[str, Any], project_id: str) -> ProjectRecord:
    """Change the name, description or policy of a project."""
    services = get_services()
    record = project_access.find_changeable_project(project_id, get_caller(), services.projects)
    if "policy" in body:
        require_policy_allowed(body["policy"], services.settings)
    return services.projects.update(record.id, body)


@blueprint.route("/<project_id>", methods=["DELETE"])
@document_errors(ProjectNotAllowed, ProjectNotFound)
@blueprint.response(200, schemas.DeletedProjectSchema)
def delete_project(project_id: str) -> dict[str, Any]:
    """Delete a project with its folder, and stop its running answers."""
    services = get_services()
    record = project_access.find_changeable_project(project_id, get_caller(), services.projects)
    services.projects.delete(record.id)
    services.activity.delete_project(record.id)
    services.session_turns.delete_project(record.id)
    services.claude.stop_project(record.id, TurnStopped("The project was deleted."))
    services.folders.remove(record.path)
    services.checkpoints.remove(record.path)
    return {"project_id": record.id}

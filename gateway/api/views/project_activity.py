"""`/v1/projects/{id}/activity`: what agents did."""

from typing import Any

from gateway.answering.agent_activity import activity_owner
from gateway.answering.project_access import find_project
from gateway.api.http.blueprints import Blueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.errors import ProjectNotFound
from gateway.schemas.pages import pagination
from gateway.schemas.projects import ActivityListSchema, ActivityQuerySchema

blueprint = Blueprint(
    "project-activity",
    __name__,
    url_prefix="/v1/projects/<project_id>/activity",
    description="What agents did in a project",
)


@blueprint.route("", methods=["GET"])
@document_errors(ProjectNotFound)
@blueprint.arguments(ActivityQuerySchema(), location="query")
@blueprint.response(200, ActivityListSchema)
def list_activity(query: dict[str, Any], project_id: str) -> dict[str, Any]:
    """List the uses of tools by agents, the newest first.

    The owner of the project sees all of them. Other keys see only the ones of their own requests.
    """
    services, caller = get_services(), get_caller()
    project = find_project(project_id, caller, services.projects)
    owner, request_id = activity_owner(project, caller), query.pop("request_id", None)
    actions, count = services.activity.list_page(project.id, owner, **query, request_id=request_id)
    return {"data": actions, "pagination": pagination(**query, items=count)}

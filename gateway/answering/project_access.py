"""The projects that a caller may see and change.

A key sees the projects that it created; an admin key sees all of them. A key for certain projects (`keys create
--project ID`) works in these, no matter who created them, and in no others; it cannot create, change or delete any.
All other projects answer 404, as if they did not exist.
"""

from gateway.answering.caller import Caller
from gateway.errors import ProjectNotAllowed, ProjectNotFound
from gateway.store.projects import ProjectRecord, Projects


def visible_owner(caller: Caller) -> str | None:
    """Return the owner whose projects the caller may see; None for all owners."""
    return None if allowed_ids(caller) is not None else caller.visible_owner


def allowed_ids(caller: Caller) -> tuple[str, ...] | None:
    """Return the ids of the projects that the key is limited to; None without such a limit."""
    return caller.identity.allowed_projects if caller.identity else None


def find_project(project_id: str, caller: Caller, projects: Projects) -> ProjectRecord:
    """Return a project to work in. Raises ProjectNotFound."""
    allowed = allowed_ids(caller)
    if allowed is not None and project_id not in allowed:
        raise ProjectNotFound(f"There is no project '{project_id}'.", param="project_id")
    return projects.get(project_id, visible_owner(caller))


def find_changeable_project(project_id: str, caller: Caller, projects: Projects) -> ProjectRecord:
    """Return a project to change or delete. Raises ProjectNotFound or ProjectNotAllowed."""
    record = find_project(project_id, caller, projects)
    require_unlimited(caller)
    return record


def require_unlimited(caller: Caller) -> None:
    """Raise ProjectNotAllowed if the key is limited to certain projects."""
    allowed = allowed_ids(caller)
    if allowed is not None:
        raise ProjectNotAllowed(
            f"This API key can only work in its own projects: {', '.join(allowed) or 'none'}.",
            param="project_id",
        )

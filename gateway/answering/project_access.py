"""Which projects whoever asks may see, and change.

A key sees the projects that it has made; an admin's key sees all. One that is made for certain projects (`keys create
--project ID`) works in those, whoever made them, and in no others; it neither makes, changes nor deletes any.
Everything else is not there for it: 404.
"""

from __future__ import annotations

from gateway.api.hooks import auth
from gateway.api.http import context as current
from gateway.api.http import owner
from gateway.errors import ProjectNotAllowed, ProjectNotFound
from gateway.store.projects import ProjectRecord


def scope() -> str | None:
    """The owner whose projects may be seen; None for all."""
    who = auth.identity()
    return None if who and (who.is_admin or who.allowed_projects is not None) else owner.current()


def only() -> tuple[str, ...] | None:
    """The ids that the key is limited to; None for no such limit."""
    who = auth.identity()
    return who.allowed_projects if who else None


def find(project_id: str) -> ProjectRecord:
    """A project to work in. Raises ProjectNotFound."""
    allowed = only()
    if allowed is not None and project_id not in allowed:
        raise ProjectNotFound(f"There is no project '{project_id}'.", param="project_id")
    return current.projects().get(project_id, scope())


def require(project_id: str | None) -> None:
    """Raises as `find` does; no id asks for nothing."""
    if project_id:
        find(project_id)


def find_own(project_id: str) -> ProjectRecord:
    """A project to change or delete. Raises ProjectNotFound or ProjectNotAllowed."""
    record = find(project_id)
    require_unlimited()
    return record


def require_unlimited() -> None:
    """Raises ProjectNotAllowed if the key is for certain projects only."""
    allowed = only()
    if allowed is not None:
        raise ProjectNotAllowed(
            f"This API key can only work in its projects: {', '.join(allowed) or 'none'}.", param="project_id"
        )

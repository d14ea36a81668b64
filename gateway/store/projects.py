"""Projects in the database. `project_folders` has their folders."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import InvalidRequest, ProjectNotFound
from gateway.store.database import Store, utc_now
from gateway.store.project_models import Project


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project. Times are in UTC.

    `path` is the name of its folder in PROJECT_ROOT. `policy` has the form of PolicySchema.
    """

    id: str
    owner: str
    name: str
    description: str | None
    path: str
    policy: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    is_active: bool


class Projects:
    """The table of projects. Every method raises StoreError when the database fails.

    An `owner` of None stands for all owners.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(
        self,
        project_id: str,
        owner: str,
        path: str,
        name: str,
        description: str | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> ProjectRecord:
        """Create a project. Raise InvalidRequest if another project has this path."""
        now = utc_now()
        values = {
            "id": project_id,
            "owner": owner,
            "name": name,
            "description": description,
            "path": path,
            "policy": dict(policy or {}),
            "created_at": now,
            "updated_at": now,
        }

        def work(db: Any) -> ProjectRecord:
            _check_path_is_free(db, path)
            Project.insert(**values).execute(db)
            return _get(db, project_id, owner)

        return self._store.write(work)

    def get(self, project_id: str, owner: str | None) -> ProjectRecord:
        """Return one project. Raise ProjectNotFound if it does not exist or belongs to another owner."""
        return self._store.read(lambda db: _get(db, project_id, owner))

    def list_page(
        self, owner: str | None, page: int, per_page: int, only: Collection[str] | None = None
    ) -> tuple[list[ProjectRecord], int]:
        """Return a page of projects, the newest first, and the total number. Pages count from 1.

        With `only`, other ids are left out.
        """
        query = Project.select().order_by(Project.created_at.desc(), Project.id)
        if owner is not None:
            query = query.where(Project.owner == owner)
        if only is not None:
            query = query.where(Project.id.in_(list(only)))
        count = self._store.read(query.count)
        shown = query.paginate(page, per_page)
        return self._store.read(lambda db: [_record(row) for row in shown.execute(db)]), count

    def update(self, project_id: str, changes: Mapping[str, Any]) -> ProjectRecord:
        """Change the name, the description or the policy. Raise ProjectNotFound."""
        values = {**changes, "updated_at": utc_now()}

        def work(db: Any) -> ProjectRecord:
            Project.update(**values).where(Project.id == project_id).execute(db)
            return _get(db, project_id, None)

        return self._store.write(work)

    def delete(self, project_id: str) -> None:
        """Delete a project's row. Its folder is left alone."""
        self._store.write(lambda db: Project.delete().where(Project.id == project_id).execute(db))


def new_project_id() -> str:
    """Return an id for a new project. It is also a valid folder name."""
    return f"proj_{secrets.token_hex(12)}"


def _check_path_is_free(db: Any, path: str) -> None:
    if Project.select().where(Project.path == path).exists(db):
        raise InvalidRequest(
            f"Invalid 'path': another project has the path '{path}'. Choose another path.",
            param="path",
            code="path_taken",
        )


def _get(db: Any, project_id: str, owner: str | None) -> ProjectRecord:
    row = Project.select().where(Project.id == project_id).first(db)
    if row is None or owner not in (None, row.owner):
        raise ProjectNotFound(f"There is no project '{project_id}'.", param="project_id")
    return _record(row)


def _record(row: Any) -> ProjectRecord:
    return ProjectRecord(**{name: getattr(row, name) for name in ProjectRecord.__dataclass_fields__})

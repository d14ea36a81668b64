"""The records of what agents did in projects.

For example:

    activity.start(NewAction("proj_1", "key_1", "req_1", "toolu_1", "Read", {"file_path": "a.txt"}))
    activity.finish("proj_1", "toolu_1", "completed", "hello", 12)
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.store.database import Store, utc_now
from gateway.store.project_models import ActivityRow

MAX_PER_PROJECT = 10_000  # the newest; the sweeper deletes the others


@dataclass(frozen=True, slots=True)
class NewAction:
    """The use of a tool that is about to happen. `owner` is who sent the request."""

    project_id: str
    owner: str
    request_id: str
    call_id: str
    tool: str
    arguments: Mapping[str, Any]
    subagent: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedAction:
    """The use of a tool. `result` is its outcome or the reason of its failure, `created_at` is in UTC."""

    id: int
    request_id: str
    call_id: str
    tool: str
    subagent: str | None
    status: str
    arguments: Mapping[str, Any]
    result: str | None
    milliseconds: int | None
    created_at: datetime


class Activity:
    """The table of actions. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, ttl: timedelta) -> None:
        self._store = store
        self.ttl = ttl

    def start(self, action: NewAction) -> None:
        """Record an action before it happens."""
        values = {**asdict(action), "status": "started", "created_at": utc_now()}
        self._store.write_single(lambda db: ActivityRow.insert(**values).execute(db))

    def finish(
        self, project_id: str, call_id: str, status: str, result: str | None, milliseconds: int | None
    ) -> bool:
        """Record the outcome of an action. Return False if no such action has started."""
        query = ActivityRow.update(status=status, result=result, milliseconds=milliseconds).where(
            ActivityRow.project_id == project_id,
            ActivityRow.call_id == call_id,
            ActivityRow.status == "started",
        )
        return bool(self._store.write_single(lambda db: query.execute(db)))

    def list_page(
        self, project_id: str, owner: str | None, page: int, per_page: int, request_id: str | None = None
    ) -> tuple[list[RecordedAction], int]:
        """Return a page of a project's actions, the newest first, and the total number. Pages count from 1.

        `owner` limits them to one owner's requests, and `request_id` to one request.
        """
        query = ActivityRow.select().where(ActivityRow.project_id == project_id)
        if owner is not None:
            query = query.where(ActivityRow.owner == owner)
        if request_id is not None:
            query = query.where(ActivityRow.request_id == request_id)
        shown = query.order_by(ActivityRow.id.desc()).paginate(page, per_page)
        count = self._store.read(query.count)
        return self._store.read(lambda db: [_record(row) for row in shown.execute(db)]), count

    def delete_project(self, project_id: str) -> None:
        """Delete the actions of a project."""
        self._store.delete_in_batches(ActivityRow, lambda: ActivityRow.project_id == project_id)

    def delete_expired(self) -> int:
        """Delete the actions that are too old, and those above a project's limit. Return their number."""
        oldest = utc_now() - self.ttl
        deleted = self._store.delete_in_batches(ActivityRow, lambda: ActivityRow.created_at < oldest)
        return deleted + sum(self._trim(project_id) for project_id in self._list_projects())

    def _list_projects(self) -> list[str]:
        query = ActivityRow.select(ActivityRow.project_id).distinct().tuples()
        return self._store.read(lambda db: [project_id for (project_id,) in query.execute(db)])

    def _trim(self, project_id: str) -> int:
        """Delete the oldest actions of a project above its limit. Return their number."""
        rows = ActivityRow.select(ActivityRow.id).where(ActivityRow.project_id == project_id)
        excess = rows.order_by(ActivityRow.id.desc()).offset(MAX_PER_PROJECT).limit(1).tuples()
        found = self._store.read(lambda db: list(excess.execute(db)))
        if not found:
            return 0
        newest = found[0][0]
        return self._store.delete_in_batches(
            ActivityRow, lambda: (ActivityRow.project_id == project_id) & (ActivityRow.id <= newest)
        )


def _record(row: Any) -> RecordedAction:
    return RecordedAction(**{name: getattr(row, name) for name in RecordedAction.__dataclass_fields__})

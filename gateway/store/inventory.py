"""Lists of the stored sessions, projects, files and batches of all keys, for admins. They have no contents.

For example, the newest files of a key and their number: `inventory.list_page("files", "key_1", page=1, per_page=20)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gateway.store.database import Store, utc_now
from gateway.store.models import BatchRow, FileRow, Session
from gateway.store.project_models import Project
from gateway.store.sessions import SessionExpiry

Kind = Literal["sessions", "projects", "files", "batches"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Source:
    """A table, the columns that a list has, and the condition for rows that exist for clients."""

    model: Any
    columns: tuple[str, ...]
    find_condition: Callable[[], Any] | None = None


class Inventory:
    """Lists of stored data. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, expiry: SessionExpiry) -> None:
        self._store = store
        self._sources: Mapping[Kind, Source] = {
            "sessions": Source(
                Session,
                ("id", "title", "project_id", "model", "created_at", "updated_at", "message_count")
                + ("total_tokens", "total_cost", "is_stored"),
                expiry.where_current,
            ),
            "projects": Source(Project, ("id", "name", "path", "policy", "created_at", "updated_at")),
            "files": Source(
                FileRow,
                ("id", "filename", "purpose", "content_type", "size", "created_at", "expires_at"),
                lambda: FileRow.is_complete & (FileRow.expires_at > utc_now()),
            ),
            "batches": Source(
                BatchRow,
                ("id", "kind", "endpoint", "status", "model", "created_at", "expires_at", "ended_at")
                + ("total", "succeeded", "errored", "canceled", "expired"),
            ),
        }

    def list_page(
        self, kind: Kind, owner: str | None, page: int, per_page: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return a page of rows, the newest first, and the total number. An `owner` of None stands for all."""
        source = self._sources[kind]
        model, names = source.model, ("owner", *source.columns)
        query = model.select(*(getattr(model, name) for name in names))
        if source.find_condition is not None:
            query = query.where(source.find_condition())
        if owner is not None:
            query = query.where(model.owner == owner)
        newest = query.order_by(model.created_at.desc(), model.id).paginate(page, per_page)

        def work(db: Any) -> tuple[list[dict[str, Any]], int]:
            rows = [{name: getattr(row, name) for name in names} for row in newest.execute(db)]
            return rows, query.count(db)

        return self._store.read(work)

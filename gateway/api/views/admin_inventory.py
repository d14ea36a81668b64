"""`/v1/admin/sessions`, `…/projects`, `…/files` and `…/batches`: what the clients of all keys have stored."""

from typing import Any

from gateway.answering.inventory import list_stored
from gateway.api.http.blueprints import AdminBlueprint
from gateway.api.http.context import get_services
from gateway.schemas import admin_inventory as schemas
from gateway.schemas.pages import pagination
from gateway.store.inventory import Kind

sessions = AdminBlueprint("sessions", "The stored sessions of all keys, for admins")
projects = AdminBlueprint("projects", "The projects of all keys, for admins")
files = AdminBlueprint("files", "The files of all keys, for admins")
batches = AdminBlueprint("batches", "The batches of all keys, for admins")
BLUEPRINTS = (sessions, projects, files, batches)


@sessions.route("", methods=["GET"])
@sessions.arguments(schemas.InventoryQuerySchema, location="query")
@sessions.response(200, schemas.StoredSessionsSchema)
def list_all_sessions(query: dict[str, Any]) -> dict[str, Any]:
    """List the sessions of all keys, the newest first."""
    return _list("sessions", query)


@projects.route("", methods=["GET"])
@projects.arguments(schemas.InventoryQuerySchema, location="query")
@projects.response(200, schemas.StoredProjectsSchema)
def list_all_projects(query: dict[str, Any]) -> dict[str, Any]:
    """List the projects of all keys, the newest first."""
    return _list("projects", query)


@files.route("", methods=["GET"])
@files.arguments(schemas.InventoryQuerySchema, location="query")
@files.response(200, schemas.StoredFilesSchema)
def list_all_files(query: dict[str, Any]) -> dict[str, Any]:
    """List the files of all keys, the newest first."""
    return _list("files", query)


@batches.route("", methods=["GET"])
@batches.arguments(schemas.InventoryQuerySchema, location="query")
@batches.response(200, schemas.StoredBatchesSchema)
def list_all_batches(query: dict[str, Any]) -> dict[str, Any]:
    """List the batches of all keys, the newest first."""
    return _list("batches", query)


def _list(kind: Kind, query: dict[str, Any]) -> dict[str, Any]:
    services, page, per_page = get_services(), query["page"], query["per_page"]
    data, total = list_stored(services.inventory, services.keys, kind, query.get("owner"), page, per_page)
    return {"data": data, "pagination": pagination(page, per_page, total)}

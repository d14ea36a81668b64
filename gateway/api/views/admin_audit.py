"""`/v1/admin/audit`: who changed what, and when."""

from typing import Any

from gateway.api.http.blueprints import AdminBlueprint
from gateway.api.http.context import get_services
from gateway.schemas import admin_audit as schemas
from gateway.store.audit import AuditQuery

blueprint = AdminBlueprint("audit", "The log of changes, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.arguments(schemas.AuditQuerySchema, location="query")
@blueprint.response(200, schemas.AuditListSchema)
def list_entries(query: dict[str, Any]) -> dict[str, Any]:
    """List the changes of keys, teams and accounts, the newest first."""
    page = get_services().audit.list_page(AuditQuery(**query))
    return {"data": page.entries, "has_more": page.has_more}

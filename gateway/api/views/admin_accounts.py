"""`/v1/admin/accounts`: the accounts with their quota, a test of their logins, and the end of their rests."""

from typing import Any

from gateway.answering.account_admin import check_account, find_account, list_accounts, resume_account
from gateway.api.http.blueprints import AdminBlueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.errors import AccountNotFound, ClaudeUnavailable, ShuttingDown
from gateway.schemas import admin_accounts as schemas

blueprint = AdminBlueprint("accounts", "Accounts, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.response(200, schemas.AccountListSchema)
def list_all() -> dict[str, Any]:
    """List the accounts, with their quota, keys, processes and usage."""
    return {"data": list_accounts(get_services())}


@blueprint.route("/<account>", methods=["GET"])
@document_errors(AccountNotFound)
@blueprint.response(200, schemas.AccountSchema)
def show(account: str) -> dict[str, Any]:
    """Return an account."""
    return find_account(account, get_services())


@blueprint.route("/<account>/test", methods=["POST"])
@document_errors(AccountNotFound, ClaudeUnavailable, ShuttingDown)
@blueprint.response(200, schemas.AccountTestSchema)
def test(account: str) -> dict[str, Any]:
    """Start the CLI with an account, and tell whether it is logged in. No model is asked."""
    return check_account(account, get_caller().actor, get_services())


@blueprint.route("/<account>/resume", methods=["POST"])
@document_errors(AccountNotFound)
@blueprint.response(200, schemas.AccountSchema)
def resume(account: str) -> dict[str, Any]:
    """End the rests of an account, so that it is asked again. It rests again if it still cannot answer."""
    services = get_services()
    resume_account(account, get_caller().actor, services.accounts, services.account_sync, services.audit)
    return find_account(account, services)

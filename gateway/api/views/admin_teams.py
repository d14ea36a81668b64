"""`/v1/admin/teams`: teams, whose keys share budgets. A key joins one by its `team_id`."""

from dataclasses import asdict
from typing import Any

from gateway.api.http.blueprints import AdminBlueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import TeamHasKeys, TeamNotFound
from gateway.schemas import admin_teams as schemas
from gateway.store.teams import Team

blueprint = AdminBlueprint("teams", "Teams, whose keys share budgets, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.response(200, schemas.TeamListSchema)
def list_teams() -> dict[str, Any]:
    """List all teams with their budgets."""
    return {"data": [_describe(team) for team in get_services().teams.list()]}


@blueprint.route("", methods=["POST"])
@blueprint.arguments(schemas.NewTeamSchema, example=examples.NEW_TEAM)
@blueprint.response(200, schemas.TeamSchema)
def create(body: dict[str, Any]) -> dict[str, Any]:
    """Create a team."""
    given = body.pop("limits", {})
    limits = {name: value for name, value in given.items() if value is not None}
    return _describe(get_services().teams.create(limits=limits, by=get_caller().actor, **body))


@blueprint.route("/<team_id>", methods=["GET"])
@document_errors(TeamNotFound)
@blueprint.response(200, schemas.TeamSchema)
def show(team_id: str) -> dict[str, Any]:
    """Return a team, with the state of its budgets."""
    return _describe(get_services().teams.get(team_id))


@blueprint.route("/<team_id>", methods=["PATCH"])
@document_errors(TeamNotFound)
@blueprint.arguments(schemas.TeamChangeSchema, example=examples.TEAM_CHANGE)
@blueprint.response(200, schemas.TeamSchema)
def change(body: dict[str, Any], team_id: str) -> dict[str, Any]:
    """Change a team. A new budget counts the answers from now on."""
    return _describe(get_services().teams.change(team_id, body, get_caller().actor))


@blueprint.route("/<team_id>", methods=["DELETE"])
@document_errors(TeamNotFound, TeamHasKeys)
@blueprint.response(200, schemas.DeletedTeamSchema)
def delete(team_id: str) -> Team:
    """Delete a team. Its keys must have left it, or be revoked."""
    return get_services().teams.delete(team_id, get_caller().actor)


def _describe(team: Team) -> dict[str, Any]:
    return asdict(team) | {"budgets": get_services().limits.list_team_budgets(team.id, team.limits)}

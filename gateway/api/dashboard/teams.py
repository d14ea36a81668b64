"""The pages with teams, whose keys share budgets: a list with a form for a new team, and one page per team."""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, redirect, request, url_for
from marshmallow import Schema, ValidationError

from gateway.api.dashboard.blueprints import managing, render_page
from gateway.api.dashboard.key_forms import Texts, flatten_messages, parse_number
from gateway.api.dashboard.keys import SECTION, title_limit
from gateway.api.http.context import get_caller, get_services
from gateway.errors import TeamHasKeys
from gateway.schemas.admin_teams import NewTeamSchema, TeamChangeSchema
from gateway.store.limits.budgets import LONG_BUDGET_NAMES
from gateway.store.teams import Team

NAMES = ("name", "notes", *LONG_BUDGET_NAMES)


@managing.get("/teams")
def show_teams() -> str:
    """List the teams with their budgets."""
    return _render_list(dict.fromkeys(NAMES, ""))


@managing.post("/teams")
def create_team() -> Response:
    """Create a team, or show the mistakes in the form."""
    texts = _texts_sent()
    fields, problems = _load(NewTeamSchema(), texts)
    if problems:
        return make_response(_render_list(texts, problems), 400)
    given = fields.pop("limits")
    limits = {name: value for name, value in given.items() if value is not None}
    team = get_services().teams.create(limits=limits, by=get_caller().actor, **fields)
    return _see("dashboard-managing.show_team", team_id=team.id, said="created")


@managing.get("/teams/<team_id>")
def show_team(team_id: str) -> str:
    """Show a team, its keys, and the form to change it."""
    team = get_services().teams.get(team_id)
    return _render_team(team, _texts_of(team))


@managing.post("/teams/<team_id>")
def change_team(team_id: str) -> Response:
    """Change a team, or show the mistakes in the form."""
    team, texts = get_services().teams.get(team_id), _texts_sent()
    fields, problems = _load(TeamChangeSchema(), texts)
    if problems:
        return make_response(_render_team(team, texts, problems), 400)
    if texts != _texts_of(team):
        get_services().teams.change(team_id, fields, get_caller().actor)
    return _see("dashboard-managing.show_team", team_id=team_id, said="saved")


@managing.post("/teams/<team_id>/delete")
def delete_team(team_id: str) -> Response:
    """Delete a team, or say that keys belong to it."""
    teams = get_services().teams
    try:
        teams.delete(team_id, get_caller().actor)
    except TeamHasKeys as error:
        team = teams.get(team_id)
        return make_response(_render_team(team, _texts_of(team), refusal=error.message), 409)
    return _see("dashboard-managing.show_teams", said="deleted")


def _texts_of(team: Team) -> Texts:
    numbers = {name: str(team.limits.get(name, "")).removesuffix(".0") for name in LONG_BUDGET_NAMES}
    return {"name": team.name, "notes": team.notes, **numbers}


def _texts_sent() -> Texts:
    return {name: request.form.get(name, "").replace("\r\n", "\n").strip() for name in NAMES}


def _load(schema: Schema, texts: Texts) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a team that a form stands for, and the mistakes in it by the names of its inputs."""
    limits = {name: parse_number(texts[name]) for name in LONG_BUDGET_NAMES}
    try:
        fields: dict[str, Any] = schema.load(
            {"name": texts["name"], "notes": texts["notes"], "limits": limits}
        )
    except ValidationError as error:
        return {}, flatten_messages(error.messages_dict)
    return fields, {}


def _render_list(texts: Texts, problems: Mapping[str, str] | None = None) -> str:
    services = get_services()
    rows = [(team, services.limits.list_team_budgets(team.id, team.limits)) for team in services.teams.list()]
    return _render("dashboard/teams.html", texts, problems, rows=rows)


def _render_team(
    team: Team, texts: Texts, problems: Mapping[str, str] | None = None, refusal: str = ""
) -> str:
    services = get_services()
    return _render(
        "dashboard/team.html",
        texts,
        problems,
        team=team,
        keys=[key for key in services.keys.list() if key.team_id == team.id],
        budgets=services.limits.list_team_budgets(team.id, team.limits),
        refusal=refusal,
    )


def _render(template: str, texts: Texts, problems: Mapping[str, str] | None, **more: Any) -> str:
    return render_page(
        template,
        texts=texts,
        problems=problems or {},
        inputs=[(name, title_limit(name)) for name in LONG_BUDGET_NAMES],
        said=request.args.get("said", ""),
        section=SECTION,
        **more,
    )


def _see(endpoint: str, **values: Any) -> Response:
    return redirect(url_for(endpoint, **values), 303, Response=Response)  # type: ignore[return-value]

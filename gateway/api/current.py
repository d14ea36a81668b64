"""What the views work with, found by way of the running app."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app

from gateway.claude.service import Claude
from gateway.errors import ProjectNotFound
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.api.session_turns import SessionTurns


def claude() -> Claude:
    """The CLI."""
    return cast(Claude, current_app.extensions["claude"])


def settings() -> Settings:
    """The settings in force."""
    return cast(Settings, current_app.extensions["settings"])


def session_turns() -> SessionTurns:
    """The turns of sessions in this worker."""
    return cast("SessionTurns", current_app.extensions["session_turns"])


def require_project(project_id: str | None) -> None:
    """Raises ProjectNotFound if the asker has no project with this id. None asks for none."""
    if project_id:
        raise ProjectNotFound(f"There is no project '{project_id}'.", param="project_id")

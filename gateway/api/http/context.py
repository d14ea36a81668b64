"""What the views work with, found by way of the running app."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app

from gateway.claude.service import Claude
from gateway.observe.metrics import Metrics
from gateway.settings import Settings
from gateway.store.admin_sessions import AdminSessions
from gateway.store.project_folders import ProjectFolders
from gateway.store.projects import Projects
from gateway.store.responses import Responses
from gateway.store.usage import UsageTable

if TYPE_CHECKING:
    from gateway.answering.sessions import SessionTurns


def claude() -> Claude:
    """The CLI."""
    return cast(Claude, current_app.extensions["claude"])


def responses() -> Responses:
    """The responses that are kept."""
    return cast(Responses, current_app.extensions["responses"])


def settings() -> Settings:
    """The settings in force."""
    return cast(Settings, current_app.extensions["settings"])


def projects() -> Projects:
    """The projects in the database."""
    return cast(Projects, current_app.extensions["projects"])


def folders() -> ProjectFolders:
    """The projects' folders."""
    return cast(ProjectFolders, current_app.extensions["folders"])


def usage() -> UsageTable:
    """What every answer has used."""
    return cast(UsageTable, current_app.extensions["usage"])


def admin_sessions() -> AdminSessions:
    """Who is signed in to the dashboard."""
    return cast(AdminSessions, current_app.extensions["admin_sessions"])


def metrics() -> Metrics:
    """The metrics of this worker, and through its files those of all."""
    return cast(Metrics, current_app.extensions["metrics"])


def session_turns() -> SessionTurns:
    """The turns of sessions in this worker."""
    return cast("SessionTurns", current_app.extensions["session_turns"])

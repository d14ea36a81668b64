"""What a project means for a turn, by its policy and the operator's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gateway.answering import project_access
from gateway.api.http import context as current
from gateway.errors import AgentsNotAllowed, ProjectTooLarge, UnsupportedParameter
from gateway.schemas.projects import rule_tool
from gateway.settings import Settings
from gateway.store.projects import ProjectRecord
from gateway.turn import AgentWorkspace, Turn


def place(turn: Turn, project_id: str | None) -> Turn:
    """The turn as one of the project with this id, if there is an id.

    Raises ProjectNotFound, and for a project with an agent AgentsNotAllowed, ProjectTooLarge, or UnsupportedParameter
    for what goes with chat only.
    """
    if not project_id:
        return turn
    project = project_access.find(project_id)
    if project.policy.get("mode", "chat") == "chat":
        return replace(turn, project=project.id)
    _check(turn)
    return replace(turn, project=project.id, agent_workspace=_workplace(project))


def require_allowed(policy: Mapping[str, Any]) -> None:
    """Raises AgentsNotAllowed where the operator's settings forbid this policy."""
    if policy["mode"] == "chat":
        return
    settings = current.settings()
    if not settings.allow_agent_projects:
        raise AgentsNotAllowed(
            "This gateway has no agent projects. Its operator can allow them with ALLOW_AGENT_PROJECTS=true.",
            param="policy.mode",
        )
    for tool in policy["tools"]:
        if tool not in settings.agent_tools:
            raise AgentsNotAllowed(
                f"The tool '{tool}' is not among those that this gateway's operator allows (AGENT_TOOLS): "
                f"{', '.join(settings.agent_tools) or 'none'}.",
                param="policy.tools",
            )


def _check(turn: Turn) -> None:
    """Two kinds of tools in one answer could not be told apart by a client."""
    if turn.tools:
        raise UnsupportedParameter(
            "Functions ('tools') cannot be used in a project whose policy is 'agent'.", param="tools"
        )
    if turn.output_schema is not None:
        raise UnsupportedParameter(
            "Structured output cannot be used in a project whose policy is 'agent'.", param="response_format"
        )


def _workplace(project: ProjectRecord) -> AgentWorkspace:
    """The settings may have become stricter since the policy was made: they win."""
    settings, folders, policy = current.settings(), current.folders(), project.policy
    require_allowed({**policy, "tools": ()})
    if folders.count_bytes(project.path) > folders.max_bytes:
        raise ProjectTooLarge(
            "The project is over its size limit: delete some of its files.", param="project_id"
        )
    return AgentWorkspace(
        folder=folders.locate(project.path),
        tools=_permitted(policy["tools"], settings),
        allowed=_permitted(policy["allowed_tools"], settings),
        permission_mode=policy["permission_mode"],
        max_turns=min(policy["max_turns"] or settings.agent_max_turns, settings.agent_max_turns),
        instructions=folders.read_instructions(project.path),
        reports_activity=policy["report_activity"],
    )


def _permitted(rules: Iterable[str], settings: Settings) -> tuple[str, ...]:
    return tuple(rule for rule in rules if rule_tool(rule) in settings.agent_tools)

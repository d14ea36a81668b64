"""The effect of a project's policy and of the operator's settings on a turn."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.answering.project_skills import describe_skills, read_skills
from gateway.errors import AgentsNotAllowed, ProjectTooLarge, UnsupportedParameter
from gateway.schemas.projects import rule_tool
from gateway.settings import Settings
from gateway.store.project_folders import ProjectFolders
from gateway.store.projects import ProjectRecord
from gateway.turn import Turn
from gateway.workspace import AgentWorkspace

#: The tools of Claude Code that only ask the user: a question, or to accept a plan.
ASKING_TOOLS = ("AskUserQuestion", "EnterPlanMode", "ExitPlanMode")


def find_workspace(
    turn: Turn, project: ProjectRecord, settings: Settings, folders: ProjectFolders
) -> AgentWorkspace | None:
    """Return the workspace in which Claude Code itself works on the turn; None in a project with the policy "chat".

    Raises AgentsNotAllowed, ProjectTooLarge, or UnsupportedParameter for a turn that only a chat can answer.
    """
    if project.policy.get("mode", "chat") == "chat":
        return None
    _require_no_client_tools(turn)
    return _make_workspace(project, settings, folders)


def require_policy_allowed(policy: Mapping[str, Any], settings: Settings) -> None:
    """Raise AgentsNotAllowed if the operator's settings forbid this policy."""
    if policy["mode"] == "chat":
        return
    if not settings.allow_agent_projects:
        raise AgentsNotAllowed(
            "This gateway does not allow agent projects. The operator can allow them with "
            "ALLOW_AGENT_PROJECTS=true.",
            param="policy.mode",
        )
    for tool in policy["tools"]:
        if tool not in settings.agent_tools:
            raise AgentsNotAllowed(
                f"The operator of this gateway does not allow the tool '{tool}'. Allowed tools (AGENT_TOOLS): "
                f"{', '.join(settings.agent_tools) or 'none'}.",
                param="policy.tools",
            )


def _require_no_client_tools(turn: Turn) -> None:
    """Refuse a client's own tools: it could not tell them from the agent's tools in the answer."""
    if turn.tools or turn.hosted_tools:
        raise UnsupportedParameter(
            "The client's 'tools' cannot be used in a project whose policy is 'agent'.", param="tools"
        )
    if turn.output_schema is not None:
        raise UnsupportedParameter(
            "Structured output cannot be used in a project whose policy is 'agent'.",
            param="structured_output",
        )


def _make_workspace(project: ProjectRecord, settings: Settings, folders: ProjectFolders) -> AgentWorkspace:
    """Apply the settings to the stored policy: they may have become stricter since it was written."""
    policy = project.policy
    require_policy_allowed({**policy, "tools": ()}, settings)
    if folders.count_bytes(project.path) > folders.max_bytes:
        raise ProjectTooLarge(
            "The project is over its size limit. Delete some of its files.", param="project_id"
        )
    tools = _permitted_rules(policy["tools"], settings)
    asks = policy["permission_mode"] == "ask"
    return AgentWorkspace(
        folder=folders.locate(project.path),
        tools=(*tools, *ASKING_TOOLS) if asks else tools,
        allowed=_permitted_rules(policy["allowed_tools"], settings),
        permission_mode="default" if asks else policy["permission_mode"],
        asks=asks,
        max_turns=min(policy["max_turns"] or settings.agent_max_turns, settings.agent_max_turns),
        instructions=folders.read_instructions(project.path),
        reports_activity=policy["report_activity"],
        skills=describe_skills(read_skills(folders, project.path)) if "Read" in tools else "",
        subagents=_permitted_subagents(policy.get("subagents", {}), tools),
    )


def _permitted_rules(rules: Iterable[str], settings: Settings) -> tuple[str, ...]:
    return tuple(rule for rule in rules if rule_tool(rule) in settings.agent_tools)


def _permitted_subagents(
    subagents: Mapping[str, Mapping[str, Any]], tools: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Return the subagents with the tools that the agent itself has."""
    return {
        name: {**agent, "tools": [tool for tool in agent.get("tools", tools) if tool in tools]}
        for name, agent in subagents.items()
    }

"""The system text in the form that the CLI passes on unchanged."""

from collections.abc import Sequence

from gateway.workspace import AgentWorkspace

# Texts with a meaning for the CLI, if a text of the system prompt begins with the first or is the second.
ATTRIBUTION_HEADER = "x-anthropic-billing-header"
DYNAMIC_BOUNDARY = "__SYSTEM_PROMPT_DYNAMIC_BOUNDARY__"


def agent_system(workspace: AgentWorkspace, system: Sequence[str]) -> list[str]:
    """Return the texts that follow Claude Code's own system text: from the project, and then the client's."""
    instructions = workspace.instructions.strip()
    heading = [f"# Instructions of this project (CLAUDE.md)\n\n{instructions}"] if instructions else []
    return [*heading, *([workspace.skills] if workspace.skills else []), *system]


def join_system_texts(texts: Sequence[str]) -> str:
    """Join system texts as the CLI joins them. A new line protects a text that the CLI would take for its own.

    The CLI looks at each text alone: one that begins like its attribution header would replace that header, and its
    mark between the static and the dynamic part of its prompt would be lost.
    """
    text = "\n\n".join(texts)
    return f"\n{text}" if text.startswith(ATTRIBUTION_HEADER) or text == DYNAMIC_BOUNDARY else text

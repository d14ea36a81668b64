"""How a CLI process is started: its arguments and its environment. Nothing of a request is in either."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.turn import AgentWorkspace

_ARGUMENTS = (
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--strict-mcp-config",
    "--setting-sources=",
    "--no-session-persistence",
)
CHAT_ARGUMENTS = (*_ARGUMENTS, "--tools=", "--allowedTools=mcp__client")

# What the CLI needs of the gateway's environment; everything else (the gateway's secrets among it) stays here.
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|"
    r"(?i:https?_proxy|no_proxy|all_proxy)|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|"
    r"ANTHROPIC_\w+|CLAUDE_CONFIG_DIR|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_USE_\w+|CLAUDE_CODE_SKIP_\w+_AUTH|"
    r"CLAUDE_CODE_API_KEY_HELPER_TTL_MS|CLAUDE_CODE_CLIENT_(CERT|KEY|KEY_PASSPHRASE)|"
    r"AWS_\w+|GOOGLE_\w+|GCLOUD_\w+|CLOUD_ML_\w+|VERTEX_\w+|AZURE_\w+"
)

# Third-party providers and API keys work without the CLI's own login, and so without its context blocks.
OWN_LOGIN_NOT_NEEDED = re.compile(r"ANTHROPIC_API_KEY|ANTHROPIC_AUTH_TOKEN|CLAUDE_CODE_USE_\w+")


def child_environment(
    environ: Mapping[str, str], *, api_key: str | None = None, max_retries: int = 2
) -> dict[str, str]:
    """The environment of a CLI process, from the gateway's own.

    With an API key (`api_key`, or one in `environ`) the CLI runs in its simple mode, in which it adds nothing to the
    conversation; with a subscription login it puts its date and environment blocks before the first message.
    """
    env = {name: value for name, value in environ.items() if PASSED_ON.fullmatch(name)}
    if api_key:
        env["ANTHROPIC_API_KEY"] = api_key
    if any(value and OWN_LOGIN_NOT_NEEDED.fullmatch(name) for name, value in env.items()):
        env["CLAUDE_CODE_SIMPLE"] = "1"
    return env | {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "CLAUDE_CODE_MAX_RETRIES": str(max_retries),
        # A conversation that gets long is the client's to shorten: the CLI would replace it by a summary.
        "DISABLE_COMPACT": "1",
        "DISABLE_AUTO_COMPACT": "1",
        # Tools' descriptions reach the model whole; the CLI would cut them at 2,048 characters.
        "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH": "1000000",
        # The model the client names, not the one the CLI would rather use.
        "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",
        # An answer is one API message: no second attempt by another model or in another mode behind it.
        "CLAUDE_CODE_DISABLE_REFUSAL_FALLBACK": "1",
        "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    }


def agent_arguments(agent_workspace: AgentWorkspace) -> tuple[str, ...]:
    """The arguments of a process that works in a project, as the project's policy has it.

    No settings are read, neither the user's nor the project's: a `.claude/settings.json` among a project's files could
    name hooks, which the CLI runs without asking. `--restricted` keeps the file tools inside the working folder, also
    where links lead out of it, and rules out the mode in which nothing is asked.
    """
    return (
        *_ARGUMENTS,
        "--restricted",
        f"--tools={','.join(agent_workspace.tools)}",
        f"--permission-mode={agent_workspace.permission_mode}",
        f"--max-turns={agent_workspace.max_turns}",
        *([f"--allowedTools={','.join(agent_workspace.allowed)}"] if agent_workspace.allowed else []),
    )


def agent_environment(chat: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that works in a project, from that of one that chats.

    The simple mode knows three tools only. CLAUDE.md files are the gateway's business: the CLI would read those of all
    folders above the project's as well. Nothing is remembered outside the project, or left running behind an answer.
    """
    env = {name: value for name, value in chat.items() if name != "CLAUDE_CODE_SIMPLE"}
    return env | {
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    }

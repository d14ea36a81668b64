"""The arguments and the environment of a CLI process. They depend on settings only, never on a request.

For example, a process for chat and one that works in a project start with

    claude -p --input-format=stream-json … --tools= --allowedTools=mcp__client
    claude -p --input-format=stream-json … --restricted --tools=Read,Edit --permission-mode=dontAsk --max-turns=30
"""

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.workspace import AgentWorkspace

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
#: The CLI's tool with which an agent starts another.
START_SUBAGENT = "Agent"

CHAT_ARGUMENTS = (*_ARGUMENTS, "--tools=", "--allowedTools=mcp__client")

# Plugins of Claude Code that keep the CLI from adding to a conversation. See docs/design/driving-the-cli.md.
_PLUGINS = Path(__file__).resolve().with_name("plugins")

# The variables that the CLI needs. All others, including the gateway's secrets, are not passed on.
PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|"
    r"(?i:https?_proxy|no_proxy|all_proxy)|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|"
    r"ANTHROPIC_\w+|CLAUDE_CONFIG_DIR|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_USE_\w+|CLAUDE_CODE_SKIP_\w+_AUTH|"
    r"CLAUDE_CODE_API_KEY_HELPER_TTL_MS|CLAUDE_CODE_CLIENT_(CERT|KEY|KEY_PASSPHRASE)|"
    r"AWS_\w+|GOOGLE_\w+|GCLOUD_\w+|CLOUD_ML_\w+|VERTEX_\w+|AZURE_\w+"
)

# Third-party providers and API keys work without the CLI's own login, and so without the blocks that it adds.
OWN_LOGIN_NOT_NEEDED = re.compile(r"ANTHROPIC_API_KEY|ANTHROPIC_AUTH_TOKEN|CLAUDE_CODE_USE_\w+")

# Collect garbage when memory is needed, not by a timer and in threads beside the program. A start and a turn cost a
# third less CPU, and a waiting process none. Never turn BUN_JSC_useDFGJIT off: long answers would cost 70 % more.
# Let the kernel tell when the CLI's own files change: it would look at each of them every second.
LEAN_RUNTIME = {
    "BUN_GC_TIMER_DISABLE": "1",
    "BUN_JSC_useConcurrentGC": "0",
    "CLAUDE_CODE_CONFIG_WATCH_EVENTS": "1",
}


def child_environment(
    environ: Mapping[str, str],
    *,
    api_key: str | None = None,
    max_retries: int = 2,
    lean_runtime: bool = True,
) -> dict[str, str]:
    """Return the environment of a CLI process, made from the gateway's own.

    With an API key (`api_key`, or one in `environ`) the CLI runs in its simple mode and adds nothing to the
    conversation. With a subscription login, `chat_arguments` names a plugin that has the same effect.
    """
    env = {name: value for name, value in environ.items() if PASSED_ON.fullmatch(name)}
    if api_key:
        env["ANTHROPIC_API_KEY"] = api_key
    if any(value and OWN_LOGIN_NOT_NEEDED.fullmatch(name) for name, value in env.items()):
        env["CLAUDE_CODE_SIMPLE"] = "1"
    if lean_runtime:
        env |= LEAN_RUNTIME
    return env | {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "CLAUDE_CODE_MAX_RETRIES": str(max_retries),
        # The client decides how to shorten a long conversation. The CLI would replace it with a summary.
        "DISABLE_COMPACT": "1",
        "DISABLE_AUTO_COMPACT": "1",
        # Pass tool descriptions on in full. The CLI would cut them at 2,048 characters.
        "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH": "1000000",
        # Let the API decide whether a prompt is too long. The CLI would count 2,000 tokens for each image.
        "CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE": "100000000",
        # Otherwise some models are told their token budget in every tool result.
        "CLAUDE_CODE_TOTAL_TOKENS_REMINDER": "off",
        # Pass tool results on in full. The CLI would store those above 25,000 tokens, and leave their images out.
        "MAX_MCP_OUTPUT_TOKENS": "100000000",
        # Use the model that the client names, even if the CLI would replace it with a newer one.
        "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",
        # An answer is one API message, so the CLI must not try another model or another mode after it.
        "CLAUDE_CODE_DISABLE_REFUSAL_FALLBACK": "1",
        "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    }


def cache_ttl(environment: Mapping[str, str]) -> str | None:
    """Return the lifetime of the marks with which the CLI caches a prompt; None for the API's default.

    With a subscription login they last an hour.
    """
    return None if "CLAUDE_CODE_SIMPLE" in environment else "1h"


def chat_arguments(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the arguments of a process for chat that gets this environment."""
    return (*CHAT_ARGUMENTS, *_plugin(environment, "verbatim"))


def agent_arguments(environment: Mapping[str, str], agent_workspace: AgentWorkspace) -> tuple[str, ...]:
    """Return the arguments of a process that works in a project, by the project's policy.

    `environment` is the environment for chat, which tells the login.

    No settings are read, neither the user's nor the project's: a `.claude/settings.json` in a project could name hooks,
    which the CLI runs without asking. `--restricted` keeps the file tools inside the working folder, even where links
    lead out of it, and disables the permission mode that never asks.
    """
    return (
        *_ARGUMENTS,
        "--restricted",
        f"--tools={','.join([*agent_workspace.tools, *([START_SUBAGENT] if agent_workspace.subagents else [])])}",
        f"--permission-mode={agent_workspace.permission_mode}",
        f"--max-turns={agent_workspace.max_turns}",
        *([f"--allowedTools={','.join(agent_workspace.allowed)}"] if agent_workspace.allowed else []),
        *(["--permission-prompt-tool=stdio"] if agent_workspace.asks else []),
        *_plugin(environment, "no-email"),
    )


def agent_environment(chat_environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that works in a project, made from that for chat.

    The simple mode has only three tools, so it is left out. The gateway passes CLAUDE.md on itself, because the CLI
    would read the files of all parent folders too. Nothing may be remembered outside the project or keep running after
    the answer.
    """
    env = {name: value for name, value in chat_environment.items() if name != "CLAUDE_CODE_SIMPLE"}
    return env | {
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    }


def _plugin(environment: Mapping[str, str], name: str) -> list[str]:
    """Return the argument that loads a plugin. Logins without an account of their own don't need it."""
    return [] if "CLAUDE_CODE_SIMPLE" in environment else [f"--plugin-dir={_PLUGINS / name}"]

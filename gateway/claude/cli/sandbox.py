"""The sandbox in which the CLI runs an agent's commands, with bubblewrap on Linux.

A command can write only the project's folder and temporary files. It reaches no network but the allowed domains, sees
no folder of the gateway, and gets none of its secrets. The CLI itself sets the sandbox up, from settings such as

    {"sandbox": {"enabled": true, "failIfUnavailable": true, "network": {"allowedDomains": []}, …}}

See https://code.claude.com/docs/en/settings#sandbox-settings
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

PROGRAMS = ("bwrap", "socat")
TRY_SECONDS = 10.0

# The sandbox needs this of the host: namespaces of its own for users and the network, and a fresh /proc.
_TRIAL = (
    "--ro-bind",
    "/",
    "/",
    "--unshare-user",
    "--unshare-net",
    "--unshare-pid",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
)

# Variables that hold credentials, or that tell how the CLI reaches a provider.
_SECRETS = re.compile(
    r"ANTHROPIC_\w+|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_CLIENT_\w+|"
    r"AWS_\w+|GOOGLE_\w+|GCLOUD_\w+|CLOUD_ML_\w+|VERTEX_\w+|AZURE_\w+"
)


def find_problem() -> str | None:
    """Return the reason why this host has no sandbox for commands; None if it has one. Runs a program."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    try:
        trial = subprocess.run(
            ["bwrap", *_TRIAL, "true"], capture_output=True, timeout=TRY_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap does not run: {error}"
    if trial.returncode:
        return f"bwrap does not work here: {trial.stderr.decode('utf-8', 'replace').strip()[:200]}"
    return None


def sandbox_settings(
    environment: Mapping[str, str], folder: str, hidden: Iterable[str], domains: Iterable[str]
) -> dict[str, Any]:
    """Return the settings for commands of an agent that works in `folder`.

    `environment` is the CLI's, `hidden` are paths that no command may read, and `domains` may be reached. A CLI that
    cannot set the sandbox up does not start.
    """
    secrets = [name for name in environment if _SECRETS.fullmatch(name)]
    return {
        "sandbox": {
            "enabled": True,
            "failIfUnavailable": True,
            "allowUnsandboxedCommands": False,
            "network": {"allowedDomains": list(domains), "strictAllowlist": True},
            "filesystem": {"denyRead": list(hidden), "allowRead": [folder]},
            "credentials": {"envVars": [{"name": name, "mode": "deny"} for name in secrets]},
        }
    }

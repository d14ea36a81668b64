"""A list of accounts of all kinds in different states, for an app without a CLI."""

import time
from pathlib import Path

from gateway.accounts.states import AccountStates, Rest, Window

ACCOUNTS = """
[team]
config_dir = "/srv/secret-folder"
shared = true

[metered]
shared = true
variables = { ANTHROPIC_API_KEY = "sk-ant-secret" }

[bob]
variables = { CLAUDE_CODE_OAUTH_TOKEN = "sk-ant-oat01-secret" }

[cloud]
variables = { CLAUDE_CODE_USE_BEDROCK = "1" }

[own]
"""
HOUR = 3600


def write_accounts(folder: Path) -> Path:
    """Write the list into a folder, and return its path."""
    path = folder / "accounts.toml"
    path.write_text(ACCOUNTS)
    return path


def record_states(states: AccountStates) -> None:
    """Record that `team` has used 92 % of a window, that `metered` rests, and that `bob` is logged out."""
    now = time.time()
    states.record_windows("team", {"five_hour": Window(0.92, now + 2 * HOUR + 30, "allowed_warning")})
    states.record_rest("metered", Rest("quota", now + HOUR))
    states.record_rest("metered", Rest("overloaded", now + HOUR + 1, "opus"))
    states.record_login("bob", is_good=False)

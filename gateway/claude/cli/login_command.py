"""The command that logs the CLI in, and the advice that names it.

>>> advise_login("/opt/claude", {})
"Run `/opt/claude auth login` as the gateway's user, or set CLAUDE_API_KEY."
"""

import shlex
from collections.abc import Mapping

CONFIG_DIR = "CLAUDE_CONFIG_DIR"
#: Credentials in the environment, which the CLI uses in place of its login.
CREDENTIALS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")


def login_command(program: str) -> list[str]:
    """Return the command that logs the CLI at the path `program` in. It opens a browser, or prints an address."""
    return [program, "auth", "login"]


def login_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the command: `environ` without credentials, which would hide the new login."""
    return {name: value for name, value in environ.items() if name not in CREDENTIALS}


def advise_login(program: str, environ: Mapping[str, str]) -> str:
    """Return a sentence for the operator of a CLI at the path `program` that has no valid login.

    `environ` is the environment of the CLI's processes.
    """
    command = shlex.join(login_command(program))
    if environ.get(CONFIG_DIR):
        command = f"{CONFIG_DIR}={shlex.quote(environ[CONFIG_DIR])} {command}"
    given = next((name for name in CREDENTIALS if environ.get(name)), None)
    if given is not None:
        name = "CLAUDE_API_KEY" if given == "ANTHROPIC_API_KEY" else given
        return f"Correct {name}, or remove it and run `{command}` as the gateway's user."
    return f"Run `{command}` as the gateway's user, or set CLAUDE_API_KEY."


def advise_account_login(program: str, account: str, folder: str | None) -> str:
    """Return the same sentence for an account of the list. `folder` is None for one that logs in by variables."""
    if folder is None:
        return f"Correct the variables of the account {account} in the list of accounts."
    return f"Run `{CONFIG_DIR}={shlex.quote(folder)} {shlex.join(login_command(program))}` as the gateway's user."

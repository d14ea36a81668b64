"""Read and change the list of accounts in a file, `accounts.toml`. Each section is one account.

For example:

    [team-a]
    config_dir = "/srv/claude/team-a"

    [metered]
    shared = true
    variables = { ANTHROPIC_API_KEY = "$METERED_KEY" }

The CLI's login of `team-a` is in its folder, which only the CLI reads. `$METERED_KEY` is a variable of the gateway. A
section with neither a folder nor variables is the login of the gateway's own environment.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.accounts.account import CONFIG_DIR, Account, find_kind
from gateway.settings import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIELDS = ("config_dir", "shared", "variables")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
#: The variables that choose how the CLI logs in, and where.
VARIABLE = re.compile(
    r"ANTHROPIC_\w+|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_USE_\w+|CLAUDE_CODE_SKIP_\w+_AUTH|"
    r"AWS_\w+|GOOGLE_\w+|GCLOUD_\w+|CLOUD_ML_\w+|VERTEX_\w+|AZURE_\w+"
)


def read_accounts(path: Path, environ: Mapping[str, str], api_key: str | None = None) -> list[Account]:
    """Return the accounts of the file in its order; [] without a file. Raises SettingsError.

    `environ` and `api_key` are the gateway's own.
    """
    try:
        sections = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    try:
        accounts = [_read_account(name, section, environ, api_key) for name, section in sections.items()]
        _check_differ(accounts)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    return accounts


def add_section(
    path: Path, account: str, config_dir: str | None, variables: Iterable[str], shared: bool
) -> None:
    """Add an account to the file. `variables` have the form NAME=VALUE. Raises OSError."""
    lines = [f"[{account}]"]
    lines += [f"config_dir = {json.dumps(config_dir)}"] if config_dir else []
    lines += ["shared = true"] if shared else []
    pairs = [variable.partition("=") for variable in variables]
    given = ", ".join(f"{name} = {json.dumps(value)}" for name, _, value in pairs)
    lines += [f"variables = {{ {given} }}"] if given else []
    old = path.read_text("utf-8").rstrip() if path.exists() else ""
    _write(path, "\n".join([*([old, ""] if old else []), *lines, ""]))


def remove_section(path: Path, account: str) -> None:
    """Remove an account from the file, and leave everything else as it is. Raises OSError."""
    kept, is_removed = [], False
    for line in path.read_text("utf-8").splitlines():
        header = re.match(r"\s*\[\s*\"?([^\]\".]+)", line)
        if header is not None:
            is_removed = header[1].strip() == account
        if not is_removed:
            kept.append(line)
    _write(path, "\n".join(kept).strip() + "\n" if any(kept) else "")


def _write(path: Path, text: str) -> None:
    """Replace the file at once. It may hold secrets, so only its owner may read it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, "utf-8")
    new.replace(path)


def _read_account(name: str, section: Any, environ: Mapping[str, str], api_key: str | None) -> Account:
    if not NAME.fullmatch(name):
        raise ValueError(f"The name {name!r} is not valid. Use letters, digits, '-' and '_'.")
    if not isinstance(section, dict) or (unknown := section.keys() - set(FIELDS)):
        found = sorted(unknown) if isinstance(section, dict) else section
        raise ValueError(f"[{name}] has {found}. Expected some of: {', '.join(FIELDS)}.")
    is_shared = section.get("shared", False)
    if not isinstance(is_shared, bool):
        raise ValueError(f"[{name}] shared must be true or false.")
    environment = _read_variables(name, section.get("variables", {}), environ)
    folder = section.get("config_dir")
    if folder is not None:
        environment[CONFIG_DIR] = _read_folder(name, folder)
    if not environment:
        return Account(name, find_kind(environ, api_key), is_shared=is_shared, is_default=True)
    return Account(name, find_kind(environment), environment, is_shared)


def _read_folder(name: str, folder: Any) -> str:
    path = Path(folder).expanduser() if isinstance(folder, str) else Path()
    if not path.is_absolute():
        raise ValueError(f"[{name}] config_dir must be an absolute path.")
    return str(path)


def _read_variables(name: str, variables: Any, environ: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(variables, dict):
        raise ValueError(f"[{name}] variables must be a table of names and values.")
    found = {}
    for variable, value in variables.items():
        if not VARIABLE.fullmatch(variable) or not isinstance(value, str):
            raise ValueError(f"[{name}] The variable {variable} cannot be set, or its value is no text.")
        if value.startswith("$"):
            if value[1:] not in environ:
                raise ValueError(f"[{name}] {variable} names the variable {value[1:]}, which is not set.")
            value = environ[value[1:]]
        found[variable] = value
    return found


def _check_differ(accounts: list[Account]) -> None:
    """Raise ValueError if two accounts are the same login."""
    seen: dict[str, str] = {}
    for account in accounts:
        login = "the gateway's own login" if account.is_default else account.environment.get(CONFIG_DIR)
        if login is not None and account.kind in ("login", "token") and login in seen:
            raise ValueError(f"[{seen[login]}] and [{account.name}] are the same login: {login}.")
        if login is not None:
            seen[login] = account.name

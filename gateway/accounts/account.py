"""An account: one named login of the CLI, with the environment that makes a process use it.

The gateway never reads a login itself. A login of a folder stays in this folder (CLAUDE_CONFIG_DIR), and only the CLI
opens its files.

>>> Account("team-a", "api_key", {"ANTHROPIC_API_KEY": "sk-ant-secret"})
Account(name='team-a', kind='api_key', is_shared=False)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

#: The name of the only account of a gateway without a list of accounts.
DEFAULT = "default"

#: The kinds of accounts: a login in a folder, a long-lived token, an API key, or a cloud provider.
AccountKind = Literal["login", "token", "api_key", "bedrock", "vertex", "foundry"]
ACCOUNT_KINDS: tuple[AccountKind, ...] = get_args(AccountKind)

#: The place of an account's login: the gateway's own environment, a configuration folder, or variables.
LoginSource = Literal["environment", "folder", "variables"]
LOGIN_SOURCES: tuple[LoginSource, ...] = get_args(LoginSource)

#: The variables that switch the CLI to a cloud provider.
PROVIDERS: Mapping[str, AccountKind] = {
    "CLAUDE_CODE_USE_BEDROCK": "bedrock",
    "CLAUDE_CODE_USE_VERTEX": "vertex",
    "CLAUDE_CODE_USE_FOUNDRY": "foundry",
}
#: The variable that names the CLI's configuration folder, which has its login.
CONFIG_DIR = "CLAUDE_CONFIG_DIR"
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
# The variables that choose a login. An account has none of the gateway's own.
_LOGIN = re.compile(rf"{'|'.join(_KEYS)}|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_USE_\w+|{CONFIG_DIR}")


@dataclass(frozen=True, slots=True)
class Account:
    """A login of the CLI.

    `environment` has the variables of its processes that differ from the gateway's own. It may hold secrets, so it is
    never shown. An account that is not shared serves one key only. `is_default` marks the login of the gateway's own
    environment.
    """

    name: str
    kind: AccountKind
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    is_shared: bool = False
    is_default: bool = field(default=False, repr=False)

    @property
    def has_windows(self) -> bool:
        """True if a subscription may be behind the account, whose use counts in windows of hours and days."""
        return self.kind in ("login", "token")

    @property
    def config_dir(self) -> str | None:
        """The CLI's configuration folder of the account, if it has one of its own."""
        return self.environment.get(CONFIG_DIR)

    @property
    def source(self) -> LoginSource:
        """The place of the login."""
        if self.is_default:
            return "environment"
        return "folder" if self.config_dir else "variables"

    def has_login_of(self, other: "Account") -> bool:
        """Return True if both name the same login."""
        return (
            self.kind == other.kind and self.source == other.source and self.environment == other.environment
        )

    def apply(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the gateway's environment with the login of the account in place of the gateway's own."""
        if self.is_default:
            return dict(environ)
        own = {name: value for name, value in environ.items() if not _LOGIN.fullmatch(name)}
        return own | dict(self.environment)


def default_account(environ: Mapping[str, str], api_key: str | None) -> Account:
    """Return the account of the gateway's own environment, which every key may use."""
    return Account(DEFAULT, find_kind(environ, api_key), is_shared=True, is_default=True)


def find_kind(environ: Mapping[str, str], api_key: str | None = None) -> AccountKind:
    """Return the kind of login that the CLI takes from an environment.

    >>> find_kind({"CLAUDE_CODE_USE_BEDROCK": "1"})
    'bedrock'
    """
    for name, kind in PROVIDERS.items():
        if environ.get(name):
            return kind
    if api_key or any(environ.get(name) for name in _KEYS):
        return "api_key"
    return "token" if environ.get("CLAUDE_CODE_OAUTH_TOKEN") else "login"

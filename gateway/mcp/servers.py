"""The operator's list of MCP servers, `mcp.json`.

For example:

    {"servers": {"docs": {
        "url": "https://mcp.example.com/mcp",
        "headers": {"Authorization": "Bearer ${DOCS_TOKEN}"},
        "allowed_tools": ["search"],
        "require_approval": "never",
        "keys": ["team-a"],
        "on_every_request": true
    }}}

A value of a header may name variables of the environment, so that the file holds no secrets.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.remote import ApprovalPolicy, RemoteServer
from gateway.settings import SettingsError

LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_FIELDS = frozenset({
    "url", "headers", "allowed_tools", "require_approval", "keys", "on_every_request",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedServer:
    """A server of the list. `keys` are the names or ids of the keys that may use it; None for all."""

    server: RemoteServer
    keys: frozenset[str] | None
    on_every_request: bool

    def serves(self, names: Collection[str | None]) -> bool:
        """Return True if a key with one of these names may use the server."""
        return self.keys is None or not self.keys.isdisjoint(name for name in names if name)


class McpServers:
    """The servers of the operator's list by label. `allows_any` lets clients name others by URL."""

    def __init__(self, listed: Mapping[str, ListedServer], *, allows_any: bool = False) -> None:
        self._listed = listed
        self.allows_any = allows_any

    def find(self, label: str, names: Collection[str | None]) -> RemoteServer | None:
        """Return the server with this label, if the key may use it."""
        listed = self._listed.get(label)
        return listed.server if listed is not None and listed.serves(names) else None

    def find_by_url(self, url: str, names: Collection[str | None]) -> RemoteServer | None:
        """Return the server with this URL, if the key may use it."""
        return next(
            (one.server for one in self._listed.values() if one.server.url == url and one.serves(names)), None
        )

    def find_constant(self, names: Collection[str | None]) -> list[RemoteServer]:
        """Return the servers that a key gets on every request."""
        return [one.server for one in self._listed.values() if one.on_every_request and one.serves(names)]


def load_servers(path: Path | None, environ: Mapping[str, str], *, allows_any: bool) -> McpServers:
    """Read the list. Raises SettingsError, which names the server and the field."""
    if path is None:
        return McpServers({}, allows_any=allows_any)
    try:
        servers = json.loads(path.read_text("utf-8"))["servers"]
        listed = {label: _read_server(label, given, environ) for label, given in servers.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"Bad MCP_CONFIG_PATH={path}: {_explain(error)}") from error
    return McpServers(listed, allows_any=allows_any)


def read_approval(given: Any) -> ApprovalPolicy:
    """Return a policy: "always", "never", or lists of tools for either. Raises ValueError.

    >>> read_approval({"never": {"tool_names": ["search"]}}).needs_approval("delete")
    True
    """
    if given in ("always", "never"):
        return ApprovalPolicy(given)
    if not isinstance(given, dict) or not given or not set(given) <= {"always", "never"}:
        raise ValueError("Expected 'always', 'never', or an object with lists of tools for them.")
    always, never = (_names(given.get(name)) for name in ("always", "never"))
    return ApprovalPolicy("never" if "never" not in given else "always", always, never)


def check_url(url: Any) -> str:
    """Return a URL of a server. Raises ValueError."""
    parts = urlsplit(url if isinstance(url, str) else "")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("Expected a URL that begins with https:// or http://, without a user name.")
    _ = parts.port  # raises ValueError
    return str(url)


def _names(given: Any) -> frozenset[str]:
    names = given.get("tool_names") if isinstance(given, dict) else given
    if names is None:
        return frozenset()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("Expected a list of the names of tools.")
    return frozenset(names)


def _read_server(label: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> ListedServer:
    if not LABEL.fullmatch(label):
        raise ValueError(f"{label}: Expected a label of letters, digits, '_' and '-'.")
    if unknown := sorted(given.keys() - _FIELDS):
        raise ValueError(f"{label}: Unknown field {unknown[0]}.")
    headers = {name: _fill(label, value, environ) for name, value in given.get("headers", {}).items()}
    allowed = given.get("allowed_tools")
    server = RemoteServer(
        label,
        check_url(given["url"]),
        headers,
        None if allowed is None else tuple(sorted(_names(allowed))),
        read_approval(given.get("require_approval", "never")),
        is_listed=True,
    )
    keys = given.get("keys")
    return ListedServer(
        server, None if keys is None else frozenset(keys), given.get("on_every_request") is True
    )


def _fill(label: str, value: str, environ: Mapping[str, str]) -> str:
    """Return a header with the values of the variables that it names."""
    for name in _VARIABLE.findall(value):
        if not environ.get(name):
            raise ValueError(f"{label}: The variable {name} is not set.")
    return _VARIABLE.sub(lambda found: environ[found[1]], value)


def _explain(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    if isinstance(error, KeyError):
        return f"The field {error} is missing."
    return str(error)


def restrict(server: RemoteServer, wanted: RemoteServer) -> RemoteServer:
    """Return a listed server as a client wants it. The client may only make it stricter."""
    allowed = server.allowed_tools
    if wanted.allowed_tools is not None:
        allowed = tuple(name for name in wanted.allowed_tools if allowed is None or name in allowed)
    approval = server.approval if wanted.approval == ApprovalPolicy() else _stricter(server, wanted)
    own = {name.lower() for name in server.headers}
    headers = {name: value for name, value in wanted.headers.items() if name.lower() not in own}
    return replace(
        server,
        label=wanted.label or server.label,
        headers={**headers, **server.headers},
        allowed_tools=allowed,
        approval=approval,
        path=wanted.path,
        is_known=wanted.is_known,
        denied_tools=wanted.denied_tools,
        tools=wanted.tools,
    )


def _stricter(server: RemoteServer, wanted: RemoteServer) -> ApprovalPolicy:
    """Return a policy that asks whenever one of the two does."""
    one, other = server.approval, wanted.approval
    if "always" in (one.default, other.default):
        exempt = [policy.never if policy.default == "always" else None for policy in (one, other)]
        lists = [names for names in exempt if names is not None]
        never = frozenset.intersection(*lists) - one.always - other.always
        return ApprovalPolicy("always", one.always | other.always, never)
    return ApprovalPolicy("never", one.always | other.always)

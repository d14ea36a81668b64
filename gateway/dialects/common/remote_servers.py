"""Read the fields that describe an MCP server, which the APIs call by different names.

>>> read_label("docs", Where("tools[0].server_label"))
'docs'
>>> read_token("secret", Where("tools[0].authorization"))
{'Authorization': 'Bearer secret'}
"""

from typing import Any

from gateway.dialects.common.field_errors import invalid_field
from gateway.dialects.common.where import Where
from gateway.mcp.servers import LABEL, check_url


def read_label(label: Any, where: Where) -> str:
    """Return the label of a server. Raises InvalidRequest."""
    if not isinstance(label, str) or not LABEL.fullmatch(label):
        raise invalid_field(where, "Expected 1 to 64 letters, digits, '_' and '-'.")
    return label


def read_url(url: Any, where: Where) -> str:
    """Return the URL of a server, "" without one. Raises InvalidRequest."""
    if url is None:
        return ""
    try:
        return check_url(url)
    except ValueError as error:
        raise invalid_field(where, str(error)) from error


def read_token(token: Any, where: Where) -> dict[str, str]:
    """Return the header with the token that a server wants; none without a token. Raises InvalidRequest."""
    if token is None:
        return {}
    if not isinstance(token, str) or not token.isprintable():
        raise invalid_field(where, "Expected an access token.")
    return {"Authorization": f"Bearer {token.removeprefix('Bearer ')}"}


def read_names(names: Any, where: Where) -> tuple[str, ...] | None:
    """Return a list of the names of tools, None without one. Raises InvalidRequest."""
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid_field(where, "Expected a list of the names of tools.")
    return tuple(names)

"""The hosted tools that a caller may use.

>>> from gateway.settings import Settings
>>> caller = Caller(None, owner_id="", address="203.0.113.7", user_agent="curl/8.5", request_id="req_1")
>>> allowed_hosted_tools(caller, Settings(hosted_tools=("web_search",)))
('web_search',)
"""

from collections.abc import Collection

from gateway.answering.caller import Caller
from gateway.settings import Settings


def allowed_hosted_tools(caller: Caller, settings: Settings) -> Collection[str]:
    """Return the names of the hosted tools that the caller may use. A key's own rule replaces HOSTED_TOOLS."""
    own = caller.identity.hosted_tools if caller.identity else None
    return settings.hosted_tools if own is None else own

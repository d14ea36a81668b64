"""The remote tools of one turn: list them, and call them in the name of the client.

For example:

    toolbox = Toolbox([server], Limits())
    toolbox.open()                                   # asks the servers for their tools
    [tool.name for tool in toolbox.tools]            # ["mcp__docs__search"]
    toolbox.call("toolu_1", "mcp__docs__search", {"query": "cats"})
"""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.approvals import name_call
from gateway.json_schema import AdaptedSchema, adapt_tool_schema
from gateway.lenient_json import dumps, loads
from gateway.mcp.failures import McpFailure
from gateway.mcp.session import McpSession
from gateway.remote import RemoteCall, RemoteResult, RemoteServer, RemoteTools

log = logging.getLogger(__name__)

LIST_SECONDS = 60.0  # how long a list of tools may be used again
MAX_LISTS = 256
MIN_SECRET_LENGTH = 8
SECRET = "[secret]"

#: Turns an image of a result (base64 and type) into a block for the model.
ReadImage = Callable[[str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of remote tools: seconds per request, characters of a result, and calls per answer."""

    seconds: float = 60.0
    result_characters: int = 100_000
    calls: int = 50


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A remote tool as the model gets it. `name` is the model's name for it."""

    name: str
    server: RemoteServer
    own_name: str
    description: str
    schema: AdaptedSchema

    @property
    def needs_approval(self) -> bool:
        """Return True if a person has to approve each call."""
        return self.server.approval.needs_approval(self.own_name)


class ToolLists:
    """The lists of tools that servers gave lately, so that not every request has to ask for them.

    Headers are part of the key: a server may show each user other tools. Only a digest of them is kept.
    """

    def __init__(self, seconds: float = LIST_SECONDS) -> None:
        self._seconds = seconds
        self._lists: OrderedDict[bytes, tuple[float, list[dict[str, Any]]]] = OrderedDict()

    def get(self, server: RemoteServer, limits: Limits) -> list[dict[str, Any]]:
        """Return the tools of a server. Raises McpFailure."""
        key = hashlib.sha256(dumps([server.url, dict(server.headers)], sort_keys=True)).digest()
        known = self._lists.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        with McpSession(server, limits.seconds) as session:
            described = dumps(session.list_tools()).decode()
        tools: list[dict[str, Any]] = loads(Toolbox.hide_secrets(server, described))
        self._lists[key] = (time.monotonic() + self._seconds, tools)
        if len(self._lists) > MAX_LISTS:
            self._lists.popitem(last=False)
        return tools


class Toolbox:
    """The remote tools of one turn. `listings` tells what each server offers, and `tools` what the model gets.

    `taken` are the names of the client's tools, which no remote tool may have. `withheld` are the fields that ask for
    servers whose tools the model does not get, or not all of them.
    """

    def __init__(
        self,
        servers: Sequence[RemoteServer],
        limits: Limits,
        read_image: ReadImage,
        taken: Sequence[str] = (),
        lists: ToolLists | None = None,
    ) -> None:
        self.servers = servers
        self.limits = limits
        self.listings: list[RemoteTools] = []
        self.tools: list[OfferedTool] = []
        self.withheld: tuple[str, ...] = ()
        self._read_image = read_image
        self._own_names = frozenset(taken)
        self._taken = set(taken)
        self._lists = lists or ToolLists()
        self._by_name: dict[str, OfferedTool] = {}

    def open(self) -> None:
        """Ask all servers for their tools. A failure is noted in the listing of its server."""
        for server in self.servers:
            try:
                found = [tool for tool in self._list(server) if server.allows(tool["name"])]
            except McpFailure as error:
                reason = self.hide_secrets(server, str(error))
                log.warning("the MCP server '%s' cannot be used: %s", server.label, reason)
                self.listings.append(RemoteTools(server.label, error=reason))
                continue
            self.listings.append(RemoteTools(server.label, found))
            for tool in found:
                self._offer(server, tool)

    def _list(self, server: RemoteServer) -> Sequence[Mapping[str, Any]]:
        return self._lists.get(server, self.limits) if server.tools is None else server.tools

    @property
    def new_listings(self) -> list[RemoteTools]:
        """Return the listings that the client does not have yet."""
        known = {server.label for server in self.servers if server.is_known}
        return [listing for listing in self.listings if listing.server not in known]

    def withhold_unapproved(self) -> None:
        """Leave out the tools that need approval, because the client cannot be asked."""
        asking = [tool for tool in self.tools if tool.needs_approval]
        self.tools = [tool for tool in self.tools if not tool.needs_approval]
        self.withheld = tuple(dict.fromkeys(tool.server.path for tool in asking if tool.server.path))

    def find(self, name: str) -> OfferedTool | None:
        """Return the remote tool that the model knows by this name."""
        return self._by_name.get(name)

    def misses(self, name: str) -> bool:
        """Return True for the name of a tool of a server that the model was not offered, but may know."""
        is_of_server = any(name.startswith(name_call(server.label, "")) for server in self.servers)
        return is_of_server and name not in self._by_name and name not in self._own_names

    def call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> RemoteResult:
        """Call a tool. A failure becomes a result that explains it to the model."""
        tool = self._by_name[name]
        try:
            with McpSession(tool.server, self.limits.seconds) as session:
                answer = session.call(tool.own_name, arguments)
        except McpFailure as error:
            reason = self.hide_secrets(tool.server, str(error))
            log.warning("a call of the MCP server '%s' failed: %s", tool.server.label, reason)
            return failed_result(call_id, f"The tool could not be used, because of its server: {reason}.")
        blocks = self._limit([self._block(tool.server, part) for part in _parts(answer)])
        if not blocks:
            blocks = [_text("(The tool returned nothing.)")]
        return RemoteResult(call_id, tuple(blocks), is_error=answer.get("isError") is True)

    def describe_call(
        self, call_id: str, name: str, *, approved: bool = False, number: int = 0
    ) -> RemoteCall:
        """Return the event for the start of a call in round `number`."""
        tool = self._by_name[name]
        return RemoteCall(call_id, tool.server.label, tool.own_name, approved, number)

    @staticmethod
    def hide_secrets(server: RemoteServer, text: str) -> str:
        """Return text of a server without the secrets that were sent to it: a server may repeat them."""
        for value in server.headers.values():
            for secret in (value, value.rpartition(" ")[2]):
                if len(secret) >= MIN_SECRET_LENGTH:
                    text = text.replace(secret, SECRET)
        return text

    def _offer(self, server: RemoteServer, tool: Mapping[str, Any]) -> None:
        name = RemoteCall("", server.label, tool["name"]).call_name
        if name in self._taken:
            name += "_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        self._taken.add(name)
        description = tool.get("description")
        offered = OfferedTool(
            name,
            server,
            tool["name"],
            description if isinstance(description, str) else "",
            adapt_tool_schema(tool.get("inputSchema")),
        )
        self.tools.append(offered)
        self._by_name[name] = offered

    def _block(self, server: RemoteServer, part: Mapping[str, Any]) -> dict[str, Any]:
        """Return a part of a result as a block: text, an image, or text in place of everything else."""
        kind = part.get("type")
        if kind == "text":
            return _text(self.hide_secrets(server, str(part.get("text") or "")))
        if kind == "image":
            return dict(self._read_image(str(part.get("data", "")), str(part.get("mimeType", ""))))
        resource = part.get("resource")
        if isinstance(resource, dict) and isinstance(resource.get("text"), str):
            return _text(self.hide_secrets(server, resource["text"]))
        if kind == "resource_link":
            return _text(f"{part.get('name', '')}: {part.get('uri', '')}")
        return _text(f"[{kind} left out]")

    def _limit(self, blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the blocks with at most as much text as the limit allows. Blank text is left out."""
        left = self.limits.result_characters
        limited = []
        for block in blocks:
            if block["type"] != "text":
                limited.append(block)
                continue
            text = block["text"]
            if len(text) > left:
                text = f"{text[:left]}\n[{len(text) - left} characters left out]".lstrip("\n")
            left = max(0, left - len(text))
            if text.strip():
                limited.append(_text(text))
        return limited


def failed_result(call_id: str, text: str) -> RemoteResult:
    """Return the result of a call that did not run."""
    return RemoteResult(call_id, (_text(text),), is_error=True)


def _parts(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a result. A server may give it only in its structured form."""
    content = answer.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    structured = answer.get("structuredContent")
    return parts or ([] if structured is None else [_text(dumps(structured).decode())])


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}

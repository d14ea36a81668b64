"""Speak MCP with one server over streamable HTTP.

https://modelcontextprotocol.io/specification/2025-06-18/basic/transports

For example:

    with McpSession(server, seconds=60) as session:
        tools = session.list_tools()
        result = session.call("search", {"query": "cats"})
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from gateway.lenient_json import dumps, loads, repair_text
from gateway.mcp.addresses import open_connection
from gateway.mcp.failures import McpFailure
from gateway.remote import RemoteServer

PROTOCOL_VERSION = "2025-06-18"
MAX_BYTES = 16 * 1024 * 1024  # of one response
MAX_PAGES = 20  # of a list of tools
CHUNK_BYTES = 1 << 16

# Headers that a client cannot set for a server, because the transport needs them.
_OWN_HEADERS = frozenset(
    {"host", "content-length", "content-type", "accept", "transfer-encoding", "connection"}
)

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class McpSession:
    """A session with one server. Every method raises McpFailure if the server fails or takes longer than `seconds`."""

    def __init__(self, server: RemoteServer, seconds: float) -> None:
        self._server = server
        self._url = urlsplit(server.url)
        self._seconds = seconds
        self._session_id: str | None = None
        self._is_open = False
        self._count = 0

    def __enter__(self) -> McpSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def list_tools(self) -> list[dict[str, Any]]:
        """Return the definitions of the server's tools."""
        tools: list[dict[str, Any]] = []
        cursor: Any = None
        for _ in range(MAX_PAGES):
            page = self._request("tools/list", {"cursor": cursor} if cursor else {})
            found = page.get("tools")
            tools += [tool for tool in found if _is_tool(tool)] if isinstance(found, list) else []
            cursor = page.get("nextCursor")
            if not cursor:
                break
        return tools

    def call(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a tool: `content`, and `isError` if the tool has failed."""
        return self._request("tools/call", {"name": name, "arguments": dict(arguments)})

    def close(self) -> None:
        """Tell the server that the session is over."""
        if self._session_id is not None:
            with suppress(McpFailure), closing(self._connect()) as connection:
                self._send(connection, "DELETE", None)
            self._session_id = None

    def _request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + self._seconds
        if not self._is_open:
            self._open(deadline)
        try:
            return self._post(method, params, deadline)
        except _SessionLost:
            self._open(deadline)
            return self._post(method, params, deadline)

    def _open(self, deadline: float) -> None:
        self._session_id = None
        client = {"name": "claude-code-gateway", "version": "1"}
        params = {"protocolVersion": PROTOCOL_VERSION, "capabilities": {}, "clientInfo": client}
        self._post("initialize", params, deadline)
        self._is_open = True
        with closing(self._connect()) as connection:
            message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            self._send(connection, "POST", dumps(message)).read(CHUNK_BYTES)

    def _post(self, method: str, params: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """Send a request, and return its result."""
        self._count += 1
        message = {"jsonrpc": "2.0", "id": self._count, "method": method, "params": params}
        with closing(self._connect()) as connection:
            response = self._send(connection, "POST", dumps(message))
            if method == "initialize":
                self._session_id = response.headers.get("Mcp-Session-Id")
            for found in self._messages(response, deadline):
                if isinstance(found, dict) and found.get("id") == self._count and "method" not in found:
                    return _result(found)
        raise McpFailure("it did not answer")

    def _connect(self) -> HTTPConnection:
        return open_connection(
            self._url, allow_private=self._server.is_listed, seconds=min(self._seconds, 600.0)
        )

    def _send(self, connection: HTTPConnection, method: str, body: bytes | None) -> HTTPResponse:
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            connection.request(method, target, body, self._headers())
            response = connection.getresponse()
        except TimeoutError as error:
            raise McpFailure("it did not answer in time") from error
        except (OSError, HTTPException, ValueError) as error:
            raise McpFailure(f"the connection to it broke ({type(error).__name__})") from error
        if 300 <= response.status < 400:
            raise McpFailure(
                f"it answered with a redirect ({response.status}), and redirects are not followed"
            )
        if response.status == 404 and self._session_id is not None:
            raise _SessionLost("it has lost the session")
        if response.status >= 400 and method == "POST":
            raise McpFailure(f"it answered with HTTP status {response.status}")
        return response

    def _headers(self) -> dict[str, str]:
        own = {
            name: value for name, value in self._server.headers.items() if name.lower() not in _OWN_HEADERS
        }
        session = {"Mcp-Session-Id": self._session_id} if self._session_id else {}
        version = {"MCP-Protocol-Version": PROTOCOL_VERSION} if self._is_open else {}
        transport = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return {**own, **transport, **session, **version}

    def _messages(self, response: HTTPResponse, deadline: float) -> Iterator[Any]:
        """Yield the JSON-RPC messages of a response, which is one JSON value or a stream of events."""
        is_stream = response.headers.get_content_type() == "text/event-stream"
        data: list[bytes] = []
        for line in _lines(response, deadline) if is_stream else [_read_all(response, deadline)]:
            if not is_stream:
                yield _parse(line)
            elif line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line.strip() and data:
                yield _parse(b"\n".join(data))
                data = []
        if data:
            yield _parse(b"\n".join(data))


class _SessionLost(McpFailure):
    """The server no longer knows the session."""


def _read_chunk(response: HTTPResponse, deadline: float, size: int) -> bytes:
    if time.monotonic() > deadline:
        raise McpFailure("it did not answer in time")
    try:
        return response.read1(size)
    except TimeoutError as error:
        raise McpFailure("it did not answer in time") from error
    except (OSError, HTTPException, ValueError) as error:
        raise McpFailure(f"the connection to it broke ({type(error).__name__})") from error


def _chunks(response: HTTPResponse, deadline: float) -> Iterator[bytes]:
    total = 0
    while chunk := _read_chunk(response, deadline, CHUNK_BYTES):
        total += len(chunk)
        if total > MAX_BYTES:
            raise McpFailure(f"its answer is larger than {MAX_BYTES // 1024 // 1024} MB")
        yield chunk


def _read_all(response: HTTPResponse, deadline: float) -> bytes:
    return b"".join(_chunks(response, deadline))


def _lines(response: HTTPResponse, deadline: float) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends."""
    rest: list[bytes] = []
    for chunk in _chunks(response, deadline):
        *complete, tail = chunk.split(b"\n")
        for line in complete:
            yield b"".join([*rest, line]).rstrip(b"\r")
            rest = []
        rest.append(tail)
    yield b"".join(rest)


def _parse(data: bytes) -> Any:
    """Return a value with well-formed text: the API would reject the whole request for half of a surrogate pair."""
    try:
        value = loads(data)
        return loads(repair_text(json.dumps(value, ensure_ascii=False))) if _SURROGATE.search(data) else value
    except (ValueError, RecursionError) as error:
        raise McpFailure("its answer is not JSON") from error


def _result(message: dict[str, Any]) -> dict[str, Any]:
    error = message.get("error")
    if error is not None:
        reason = error.get("message") if isinstance(error, dict) else error
        raise McpFailure(f"it reported an error: {str(reason)[:500]}")
    result = message.get("result")
    return result if isinstance(result, dict) else {}


def _is_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("name"), str) and bool(tool["name"])

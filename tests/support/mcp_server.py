"""A small MCP server over streamable HTTP that can misbehave. The real one is in tests/clients."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
SEARCH: Body = {
    "name": "search",
    "description": "Search the docs.",
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}


class McpServer:
    """A server with the tool `search`, which answers "Found QUERY.".

    - `tools` are its tools. `answers` are functions for the results of tools, by name.
    - `status` and `headers` replace the answer to everything, for example by a redirect.
    - `raw` are functions that write the whole answer to the request with an id, by method.
    - `streams` sends answers as streams of events, and `silence` waits before an answer.
    - `calls` and `seen` are the calls, and the headers of all requests.
    """

    def __init__(self) -> None:
        self.tools: list[Body] = [SEARCH]
        self.answers: dict[str, Callable[[Body], Body]] = {}
        self.raw: dict[str, Callable[[Any], bytes]] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.streams = False
        self.silence = 0.0
        self.calls: list[tuple[str, Body]] = []
        self.seen: list[Mapping[str, str]] = []
        self.methods: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet."""

            def do_POST(self) -> None:
                server.respond(self)

            def do_DELETE(self) -> None:
                self.send_response(405)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop the server."""
        self._http.shutdown()
        self._http.server_close()

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        message = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.seen.append(dict(handler.headers))
        self.methods.append(message["method"])
        time.sleep(self.silence)
        result = self._result(message["method"], message.get("params") or {})
        data = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
        if "id" not in message:
            data = b""
        elif message["method"] in self.raw:
            data = self.raw[message["method"]](message["id"])
        elif self.streams:
            note = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
            data = b"event: message\r\ndata: " + note + b"\r\n\r\ndata: " + data + b"\r\n\r\n"
        handler.send_response(self.status if "id" in message else 202)
        kind = "text/event-stream" if self.streams else "application/json"
        for name, value in {"Content-Type": kind, "Mcp-Session-Id": "s1", **self.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _result(self, method: str, params: Body) -> Body:
        if method == "tools/list":
            return {"tools": self.tools}
        if method == "tools/call":
            self.calls.append((params["name"], params["arguments"]))
            answer = self.answers.get(params["name"])
            if answer is not None:
                return answer(params["arguments"])
            return {"content": [{"type": "text", "text": f"Found {params['arguments'].get('query')}."}]}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "x"}}


@contextmanager
def running_server() -> Iterator[McpServer]:
    """Run a server for the time of the block."""
    server = McpServer()
    try:
        yield server
    finally:
        server.close()

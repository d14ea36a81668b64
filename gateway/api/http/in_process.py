"""Send a request to the app without a connection, as batches do. It passes the same hooks and views as any other.

The caller comes with the request, so no key is asked for. Clients cannot claim to be such a request: they set only the
`HTTP_` variables of the WSGI environment.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from flask import Flask

from gateway.answering.batches.calls import ItemCall, ItemResponse
from gateway.api.http.context import CALL_VARIABLE
from gateway.api.http.streaming import IGNORED_HEADER, REPAIRED_HEADER

#: Headers of the response that are kept with the result.
NOTES = (IGNORED_HEADER, REPAIRED_HEADER)


class InProcessSender:
    """Sends the requests of batches to an app."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, call: ItemCall) -> ItemResponse:
        """Return the response to a request, when its answer is complete."""
        status, headers = 500, dict[str, str]()

        def start_response(line: str, fields: Iterable[tuple[str, str]], exc_info: object = None) -> None:
            nonlocal status
            status = int(line.partition(" ")[0])
            headers.update((name.lower(), value) for name, value in fields)

        chunks: Any = self._app.wsgi_app(_make_environ(call), start_response)  # type: ignore[arg-type]
        try:
            body = b"".join(chunks)
        finally:
            chunks.close()  # reports the request
        return ItemResponse(status, body, {name: headers[name] for name in NOTES if name in headers})


def _make_environ(call: ItemCall) -> dict[str, Any]:
    given = {"content-type": "application/json", **call.headers, "user-agent": call.caller.user_agent}
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in given.items()}
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": call.caller.address,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(call.body)),
        "HTTP_X_REQUEST_ID": call.caller.request_id,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(call.body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        CALL_VARIABLE: call,
        **fields,
    }

"""Send a request to the app without a connection, as batches do. It passes the same hooks and views as any other.

The caller comes with the request, so no key is asked for. Clients cannot claim to be such a request: they set only the
`HTTP_` variables of the WSGI environment.
"""

import werkzeug
from flask import Flask
from werkzeug.test import EnvironBuilder

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
        caller = call.caller
        given = {"x-request-id": caller.request_id, **call.headers, "user-agent": caller.user_agent}
        request = EnvironBuilder(
            call.path,
            method="POST",
            headers=list(given.items()),
            content_type="application/json",
            data=call.body,
            environ_base={"REMOTE_ADDR": caller.address, CALL_VARIABLE: call},
        )
        response = werkzeug.Response.from_app(self._app.wsgi_app, request.get_environ())
        try:
            headers = {name: response.headers[name] for name in NOTES if name in response.headers}
            return ItemResponse(response.status_code, response.get_data(), headers)
        finally:
            response.close()  # reports the request

"""The header `x-account`, which names the account that was asked, for example `x-account: team-a`."""

from flask import Flask, Response

from gateway.api.http.context import find_state

HEADER = "x-account"


def init_app(app: Flask) -> None:
    """Name the account of each answer, also if it failed."""
    app.after_request(_add_header)


def _add_header(response: Response) -> Response:
    state = find_state()
    if state is not None and state.answer is not None and state.answer.record.account:
        response.headers[HEADER] = state.answer.record.account
    return response

"""The header `x-account`, which names the account that was asked, for example `x-account: team-a`.

If the key's fallback was asked, `x-fallback` names the model: `x-fallback: claude-haiku-4-5-20251001`.
"""

from flask import Flask, Response

from gateway.api.http.context import find_state

HEADER = "x-account"
FALLBACK_HEADER = "x-fallback"


def init_app(app: Flask) -> None:
    """Name the account of each answer, also if it failed."""
    app.after_request(_add_header)


def _add_header(response: Response) -> Response:
    state = find_state()
    if state is not None and state.answer is not None and state.answer.record.account:
        record = state.answer.record
        response.headers[HEADER] = record.account
        if record.fallback_model:
            response.headers[FALLBACK_HEADER] = record.fallback_model
    return response

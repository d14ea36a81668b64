"""The header `x-account`, which names the account that was asked, for example `x-account: team-a`.

If the key's fallback was asked, `x-fallback` names the model: `x-fallback: claude-haiku-4-5-20251001`.
"""

from flask import Flask, Response

from gateway.api.http.context import find_state

HEADER = "x-account"
FALLBACK_HEADER = "x-fallback"


def init_app(app: Flask) -> None:
    """Name the account of each answer, also if it failed, and of each count of tokens."""
    app.after_request(_add_header)


def _add_header(response: Response) -> Response:
    state = find_state()
    if state is None:
        return response
    record = state.answer.record if state.answer is not None else None
    account = record.account if record is not None else state.counted_by
    if account:
        response.headers[HEADER] = account
    if record is not None and record.fallback_model:
        response.headers[FALLBACK_HEADER] = record.fallback_model
    return response

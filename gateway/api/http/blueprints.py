"""Blueprints whose bodies are JSON, whatever the client calls them."""

from __future__ import annotations

import json
from typing import Any

import flask_smorest
import orjson
from flask import Request, g
from webargs import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge


class AnyTypeParser(FlaskParser):
    """Takes every body for JSON: curl's `-d` sends a form's Content-Type."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        body = g.body = req.get_data()
        if req.content_length is None and len(body) == req.max_content_length:
            raise RequestEntityTooLarge  # werkzeug cuts a body sent in chunks at the limit, and says nothing
        return loads(body) if body.strip() else missing


def loads(body: bytes) -> Any:
    """JSON; half of a surrogate pair (a client cut an emoji in two) is let through, NaN is not. Raises ValueError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _loads_leniently(body.decode("utf-8-sig"))


def _loads_leniently(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


def _refuse_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


class Blueprint(flask_smorest.Blueprint):
    """A resource's views; `arguments` reads JSON of any Content-Type."""

    ARGUMENTS_PARSER = AnyTypeParser()

"""Blueprints that read request bodies as JSON and ignore the Content-Type."""

from __future__ import annotations

from typing import Any

import flask_smorest
from flask import Request
from webargs import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.api.http.context import get_state
from gateway.lenient_json import loads


class AnyTypeParser(FlaskParser):
    """A parser that reads every body as JSON: `curl -d` sends the Content-Type of a form."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        body = get_state().body = req.get_data()
        if req.content_length is None and len(body) == req.max_content_length:
            raise RequestEntityTooLarge  # werkzeug silently truncates a chunked body at the limit
        return loads(body) if body.strip() else missing


class Blueprint(flask_smorest.Blueprint):
    """The views of a resource; `arguments` reads JSON of any Content-Type."""

    ARGUMENTS_PARSER = AnyTypeParser()

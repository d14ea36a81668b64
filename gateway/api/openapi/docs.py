"""`/docs`, which shows `/openapi.json`. The page loads nothing from other servers, so it works without a network."""

import secrets
from pathlib import Path

import flask_swagger_ui
from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from gateway.api.http.blueprints import Blueprint
from gateway.api.http.context import find_smorest_api
from gateway.settings import TITLE

HTML = {"type": "string"}

# "Try it out" calls the gateway itself, so no other host needs to be allowed.
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

blueprint = Blueprint(
    "docs",
    __name__,
    description="This description",
    static_folder=str(Path(flask_swagger_ui.__file__).parent / "dist"),
    static_url_path="/docs/static",
)


@blueprint.route("/openapi.json")
@blueprint.response(200, {"type": "object"}, description="An OpenAPI 3.1 document")
def show_openapi_json() -> Response:
    """Return this description as JSON."""
    response = Response(find_smorest_api().description, mimetype="application/json")
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


@blueprint.route("/docs", strict_slashes=False)
@blueprint.response(200, HTML, content_type="text/html; charset=utf-8", description="A page")
def show_page() -> Response:
    """Show this description as a page that can try the API out."""
    nonce = secrets.token_urlsafe(16)
    response = Response(render_template("docs.html", title=TITLE, nonce=nonce), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    return response


@blueprint.route("/redoc", strict_slashes=False)
@blueprint.response(302, description="To `/docs`")
def redirect_redoc() -> Redirect:
    """Redirect to `/docs`: other gateways have their description here."""
    return redirect(url_for("docs.show_page"))

"""`/assets`: the scripts and styles of the web pages. They are public, and browsers keep them.

Their URLs contain a digest of all of them, so a new version has new URLs. In templates, `asset("site/site.css")` is
such a URL.
"""

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, send_from_directory, url_for

from gateway.api.http.page_headers import PAGE_HEADERS

FOLDER = Path(__file__).parents[2] / "static"
DIGEST_LENGTH = 12
KEPT = "public, max-age=31536000, immutable"

blueprint = Blueprint("assets", __name__, url_prefix="/assets")


@cache
def digest_assets() -> str:
    """Return a digest of the names and contents of all files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(FOLDER)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:DIGEST_LENGTH]


@blueprint.app_template_global("asset")
def asset_url(name: str) -> str:
    """Return the URL of a file."""
    return url_for("assets.send_asset", digest=digest_assets(), name=name)


@blueprint.get("/<digest>/<path:name>")
def send_asset(digest: str, name: str) -> Response:
    """Send a file. Another version's digest gets the current file, which is then not kept."""
    response = send_from_directory(FOLDER, name)
    response.headers.update(PAGE_HEADERS)
    response.headers["Cache-Control"] = KEPT if digest == digest_assets() else "no-cache"
    return response

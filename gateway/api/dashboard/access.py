"""Who may see the dashboard: whoever sends an admin's key, or has signed in with one; everybody without REQUIRE_AUTH.

After the sign-in the browser has a cookie with a random token; the key itself is kept nowhere. The cookie counts for
the dashboard only, never for the API.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import Response, g, request

from gateway.api.hooks import auth
from gateway.api.hooks.auth import Identity
from gateway.api.http import context as current
from gateway.errors import Forbidden
from gateway.store.admin_sessions import LIFETIME

COOKIE = "dashboard_session"
PATH = "/dashboard"
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"


def signed_in() -> Identity | None:
    """Whose session the request's cookie is, if any."""
    token = request.cookies.get(COOKIE)
    key = current.admin_sessions().find(token) if token else None
    if key is None:
        return None
    g.dashboard_token = token
    return auth.identity_of(key)


def check() -> None:
    """Raises AdminRequired, and Forbidden for what another site's page had the browser send."""
    auth.require_admin()
    if request.method == "POST" and not _is_ours():
        raise Forbidden("This did not come from the dashboard itself. Reload the page.", code="csrf_failed")


def has_session() -> bool:
    """Whether it was the cookie that told who asks."""
    return "dashboard_token" in g


def csrf_token() -> str:
    """What a page of this session has to send back with a POST; "" without a session."""
    token: str = g.get("dashboard_token", "")
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest() if token else ""


def open_session(response: Response) -> Response:
    """Sign in whoever sent this request's key."""
    token = current.admin_sessions().open(auth.sent_key())
    response.set_cookie(
        COOKIE,
        token,
        max_age=LIFETIME,
        path=PATH,
        httponly=True,
        samesite="Strict",
        # A proxy that TRUSTED_PROXIES does not tell of may only make the cookie stricter.
        secure=request.is_secure or request.headers.get("x-forwarded-proto") == "https",
    )
    return response


def close_session(response: Response) -> Response:
    """Sign out."""
    if has_session():
        current.admin_sessions().close(g.dashboard_token)
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict")
    return response


def _is_ours() -> bool:
    """SameSite keeps the cookie from other sites; the token does so for sister domains and old browsers, too."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    if not has_session():
        return True
    sent = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    return hmac.compare_digest(csrf_token().encode(), sent.encode())

"""Access to the dashboard: with a key, with a session that one opened, or for everyone without REQUIRE_AUTH.

Signing in sets a cookie with a random token; the key itself is not stored. The cookie is valid for the dashboard only,
never for the API. An admin key opens all pages, any other key those about itself.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from flask import Response, request

from gateway.answering.caller import Identity, configured_identity, identity_of
from gateway.api.http.context import get_caller, get_services, get_state
from gateway.api.http.own_address import is_https
from gateway.errors import Forbidden
from gateway.store import key_secrets
from gateway.store.admin_sessions import LIFETIME

COOKIE = "dashboard_session"
PATH = "/dashboard"
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"


def find_signed_in_identity() -> Identity | None:
    """Return the identity that the request's session cookie belongs to, if it has a valid one."""
    token = request.cookies.get(COOKIE)
    digest = get_services().admin_sessions.find_digest(token) if token else None
    if token is None or digest is None:
        return None
    identity = _find_identity(digest)
    if identity is not None:
        get_state().dashboard_token = token
    return identity


def _find_identity(digest: str) -> Identity | None:
    """Return the identity of the key with this digest, while the key is valid."""
    key = get_services().keys.find_by_digest(digest)
    if key is not None:
        return identity_of(key)
    configured = get_services().settings.api_keys
    return next(
        (configured_identity(one) for one in configured if key_secrets.digest_key(one) == digest), None
    )


def check_admin() -> None:
    """Raise AdminRequired, or Forbidden for a POST that another site's page made the browser send."""
    if request.method == "OPTIONS":
        return  # a preflight brings no key, and its response shows nothing
    get_caller().require_admin()
    check_sender()


def check_manager() -> None:
    """Raise AdminRequired unless the caller may manage keys, or Forbidden as `check_admin` does."""
    if request.method == "OPTIONS":
        return
    get_caller().require_manager()
    check_sender()


def check_sender() -> None:
    """Raise Forbidden for a POST that another site's page made the browser send."""
    if request.method == "POST" and not _is_same_site():
        raise Forbidden("The request did not come from the dashboard. Reload the page.", code="csrf_failed")


def make_csrf_token() -> str:
    """Return the token that a page of this session must send with a POST; "" without a session."""
    token = get_state().dashboard_token
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest() if token else ""


def open_session(response: Response) -> Response:
    """Sign in the sender of this request's key."""
    token = get_services().admin_sessions.open(get_state().valid_key)
    response.set_cookie(
        COOKIE,
        token,
        max_age=LIFETIME,
        path=PATH,
        httponly=True,
        samesite="Strict",
        secure=is_https(),
    )
    return response


def close_session(response: Response) -> Response:
    """Sign out."""
    token = get_state().dashboard_token
    if token:
        get_services().admin_sessions.close(token)
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Strict")
    return response


def _is_same_site() -> bool:
    """Check where a POST came from. SameSite covers other sites; the token also sister domains and old browsers.

    Without a session there is no token. Then `Origin` decides for browsers that do not send `Sec-Fetch-Site`.
    """
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        return False
    if not get_state().dashboard_token:
        return site is not None or _is_own_origin(request.headers.get("origin"))
    sent = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    return hmac.compare_digest(make_csrf_token().encode(), sent.encode())


def _is_own_origin(origin: str | None) -> bool:
    """Return True if a page of this host sent the request, or a program, which sends no `Origin`."""
    return origin is None or urlsplit(origin).netloc == request.host

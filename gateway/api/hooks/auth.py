"""Authentication. With REQUIRE_AUTH every view needs a key, unless app.py lists its blueprint as public."""

import hmac
import re
from collections.abc import Callable, Collection, Mapping

from flask import Flask, request

from gateway.answering.caller import Caller, Identity, configured_identity, derive_owner_id, identity_of
from gateway.answering.services import Services
from gateway.api.hooks.key_guessing import GuessingBrake
from gateway.api.http.context import get_state
from gateway.errors import InvalidKey, MissingKey
from gateway.home import COMMAND
from gateway.settings import SettingsError
from gateway.store import key_secrets
from gateway.store.keys import Keys

SIGN_IN = "dashboard-own.sign_in"  # the only endpoint that takes a key from a form

_KEY_VARIABLES = ("HTTP_X_API_KEY", "HTTP_API_KEY")
_AUTHORIZATION = "HTTP_AUTHORIZATION"
_ACCOUNT = "HTTP_X_ACCOUNT"
_BEARER = re.compile(r"(bearer(\s+|$))+", re.IGNORECASE)

#: Identifies the caller of a request that brings no key, for example by a cookie.
Fallback = Callable[[], "Identity | None"]


def init_app(
    app: Flask, services: Services, public: Collection[str], fallbacks: Mapping[str, Fallback]
) -> None:
    """Authenticate every request from now on. Raises SettingsError if no key could pass.

    `public` are names of blueprints; `fallbacks` maps a blueprint's name to its way to identify callers without a key.
    """
    settings, keys = services.settings, services.keys
    if settings.require_auth and not settings.api_keys and not keys.has_active():
        raise SettingsError(
            f"REQUIRE_AUTH is true, but there is no key. Set API_KEYS, or run: {COMMAND} keys create NAME"
        )
    configured = {key_secrets.digest_key(key) for key in settings.api_keys}
    brake = GuessingBrake(services)

    def authenticate() -> None:
        is_unknown = request.endpoint is None  # the response will be a 404 or 405
        if is_unknown or request.method == "OPTIONS" or request.blueprint in public:
            return
        call = get_state().call
        if call is not None:
            get_state().caller = call.caller
            return
        identity = None
        if settings.require_auth:
            fallback = None if find_sent_keys() else fallbacks.get(request.blueprint or "")
            identity = (fallback and fallback()) or _identify(configured, keys, brake)
        get_state().caller = _make_caller(identity)

    app.before_request(authenticate)


def find_sent_keys() -> list[str]:
    """Return every key in the headers and in the sign-in form: clients send placeholders beside the right one.

    Keys in URLs are not read, because URLs are logged.
    """
    given = [request.environ.get(name, "") for name in _KEY_VARIABLES]  # faster than by `headers`
    given.append(_read_authorization())
    if request.endpoint == SIGN_IN:
        given.append(request.form.get("key", ""))
    return list(dict.fromkeys(key for key in map(_drop_scheme, given) if key))


def _read_authorization() -> str:
    """Return the header unless it has another scheme than Bearer; it may have none."""
    value: str = request.environ.get(_AUTHORIZATION, "").strip()
    return value if _BEARER.match(value) or " " not in value else ""


def _drop_scheme(value: str) -> str:
    """Return the key without "Bearer", which users paste along with it."""
    return _BEARER.sub("", value.strip())


def _make_caller(identity: Identity | None) -> Caller:
    # Without REQUIRE_AUTH, clients may send the credential of another server under any scheme.
    environ = request.environ
    credential = " ".join(find_sent_keys()) or environ.get(_AUTHORIZATION, "").partition(" ")[2].strip()
    return Caller(
        identity=identity,
        owner_id=derive_owner_id(identity, credential),
        address=request.remote_addr or "",
        user_agent=environ.get("HTTP_USER_AGENT", ""),
        request_id=get_state().request_id,
        account=environ.get(_ACCOUNT, "").strip(),
    )


def _identify(configured: Collection[str], keys: Keys, brake: GuessingBrake) -> Identity:
    """Return the identity of the first valid key of the request. Raises MissingKey, InvalidKey and LimitReached."""
    sent = find_sent_keys()
    if not sent:
        raise MissingKey
    digests = {key: key_secrets.digest_key(key) for key in sent}
    for key, digest in digests.items():
        if any([hmac.compare_digest(digest, known) for known in configured]):  # noqa: C419  all, in constant time
            get_state().valid_key = key
            return configured_identity(key)
    for key in sent:
        found = keys.find(key)
        if found is not None:
            get_state().valid_key = key
            return identity_of(found)
    brake.count(request.remote_addr or "", len(sent))
    raise InvalidKey

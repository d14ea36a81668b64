"""Who may ask. With REQUIRE_AUTH every route needs a key, but those of blueprints that app.py calls public."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, g, request

from gateway.api.http import context as current
from gateway.errors import AdminRequired, InvalidKey, MissingKey, ModelNotAllowed, ModelNotSupported
from gateway.settings import Settings, SettingsError
from gateway.store import key_secrets
from gateway.store.keys import Key, Keys

SIGN_IN = "dashboard.sign_in"  # the one endpoint that takes a key from a form


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose key it is. None for `allowed_models` and `allowed_projects` allows all."""

    id: str
    name: str
    is_admin: bool = False
    allowed_models: tuple[str, ...] | None = None
    allowed_projects: tuple[str, ...] | None = None
    limits: dict[str, Any] = field(default_factory=dict)


SignedIn = Callable[[], "Identity | None"]


def init_app(
    app: Flask, settings: Settings, keys: Keys, public: Collection[str], signed_in: Mapping[str, SignedIn]
) -> None:
    """Ask for keys from now on. `public` are names of blueprints. Raises SettingsError where no key could pass.

    `signed_in` tells by a blueprint's name how else it knows who asks, where the request brings no key.
    """
    if not settings.require_auth:
        return
    if not settings.api_keys and not keys.has_active():
        raise SettingsError(
            "REQUIRE_AUTH is true, but there is no key. Set API_KEYS, or run: python -m gateway keys create NAME"
        )
    configured = {key_secrets.digest_key(key) for key in settings.api_keys}

    def check() -> None:
        is_unknown = request.endpoint is None  # a 404 or 405
        if is_unknown or request.method == "OPTIONS" or request.blueprint in public:
            return
        known = None if sent_key() else signed_in.get(request.blueprint or "")
        g.identity = (known and known()) or _identify(configured, keys)

    app.before_request(check)


def sent_key() -> str:
    """The key in `x-api-key` or `Authorization: Bearer`, or in the form that signs in; "" for none."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    return key or (request.form.get("key", "").strip() if request.endpoint == SIGN_IN else "")


def identity() -> Identity | None:
    """Whose request this is; None where no key is asked for."""
    who: Identity | None = g.get("identity")
    return who


def sees_all() -> bool:
    """Whether the request may see what all keys did: an admin's, or any where no key is asked for."""
    who = identity()
    return who is None or who.is_admin


def require_admin() -> None:
    """Raises AdminRequired, unless the request may see everything."""
    if not sees_all():
        raise AdminRequired


def require_model(name: str | None) -> None:
    """Raises ModelNotAllowed if the key is not for this model. Names and aliases stand for the model they lead to."""
    who = identity()
    if who is None or who.allowed_models is None or name in who.allowed_models:
        return
    if _model_id(name) not in {_model_id(allowed) for allowed in who.allowed_models} - {None}:
        allowed = ", ".join(who.allowed_models) or "none"
        raise ModelNotAllowed(
            f"This API key is not for the model '{name or 'default'}'. Its models: {allowed}.", param="model"
        )


def _identify(configured: Collection[str], keys: Keys) -> Identity:
    key = sent_key()
    if not key:
        raise MissingKey
    digest = key_secrets.digest_key(key)
    if any([hmac.compare_digest(digest, known) for known in configured]):  # noqa: C419  all, in constant time
        return Identity(id=f"env_{digest[:16]}", name="API_KEYS")
    found = keys.find(key)
    if found is None:
        raise InvalidKey
    return identity_of(found)


def identity_of(key: Key) -> Identity:
    """Whose key it is."""
    return Identity(
        key.id, key.name, key.is_admin, key.allowed_models, key.allowed_projects, dict(key.limits)
    )


def _model_id(name: str | None) -> str | None:
    try:
        return current.claude().catalog.resolve(name).id
    except ModelNotSupported:
        return None

"""The caller of a request. A hook builds it once; everything below the views gets it as a parameter.

>>> caller = Caller(None, owner_id="", address="203.0.113.7", user_agent="curl/8.5", request_id="req_1")
>>> caller.sees_everything
True
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import AdminRequired
from gateway.exposure import is_loopback
from gateway.store import key_secrets
from gateway.store.audit import Actor
from gateway.store.keys import Key


@dataclass(frozen=True, slots=True)
class Identity:
    """The API key of a caller. `allowed_models` and `allowed_projects` are None if the key may use all of them.

    `accounts` are the accounts that may answer its requests; with None, those that are shared may. `limits` overrides
    the gateway's own limits by name (see Allowance). `hosted_tools` replaces the setting HOSTED_TOOLS; with None, the
    setting applies. `team_id` is None if the key belongs to no team, and `team_limits` are the budgets that the keys of
    the team share. With `keeps_bodies`, the bodies of requests and answers are kept for the list of requests.
    `fallback` says what answers if all accounts are out of quota, as in `Key`.
    """

    id: str
    name: str
    is_admin: bool = False
    allowed_models: tuple[str, ...] | None = None
    allowed_projects: tuple[str, ...] | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    hosted_tools: tuple[str, ...] | None = None
    team_id: str | None = None
    keeps_bodies: bool = False
    team_limits: dict[str, Any] = field(default_factory=dict)
    accounts: tuple[str, ...] | None = None
    fallback: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request. `identity` is None if the gateway asks for no keys.

    `owner_id` owns the sessions, projects and processes of the caller: owners never share them. `is_batch` is True for
    the requests of a batch, which the gateway sends itself, in the name of the batch's creator. `account` is the name
    of the account that the request asks for; "" leaves the choice to the gateway.
    """

    identity: Identity | None
    owner_id: str
    address: str
    user_agent: str
    request_id: str
    is_batch: bool = False
    account: str = ""

    @property
    def sees_everything(self) -> bool:
        """Return True for an admin key, and for every caller of a gateway that asks for no keys."""
        return self.identity is None or self.identity.is_admin

    @property
    def visible_owner(self) -> str | None:
        """Return the owner whose sessions the caller may see; None (all owners) for an admin key."""
        return None if self.identity is not None and self.identity.is_admin else self.owner_id

    @property
    def key_id(self) -> str | None:
        """Return the id of the caller's key; None if the gateway asks for no keys."""
        return self.identity.id if self.identity else None

    @property
    def key_name(self) -> str | None:
        """Return the name of the caller's key; None if the gateway asks for no keys."""
        return self.identity.name if self.identity else None

    @property
    def actor(self) -> Actor:
        """Return the caller as the author of changes in the audit log."""
        return Actor(self.key_name or "no key", self.key_id, self.address, self.request_id)

    @property
    def may_manage(self) -> bool:
        """Return True for an admin key. If the gateway asks for no keys, return True for callers on its machine only.

        Others could make themselves a key that works even when keys are required later.
        """
        return self.identity.is_admin if self.identity is not None else is_loopback(self.address)

    def require_manager(self) -> None:
        """Raise AdminRequired unless the caller may manage the gateway."""
        if self.may_manage:
            return
        if self.identity is None:
            raise AdminRequired(
                "Only the gateway's own machine may do this without keys. Set REQUIRE_AUTH=true and send an admin key."
            )
        raise AdminRequired

    def require_admin(self) -> None:
        """Raise AdminRequired unless the caller may see everything."""
        if not self.sees_everything:
            raise AdminRequired


def identity_of(key: Key) -> Identity:
    """Return the identity of a key in the database."""
    return Identity(
        key.id,
        key.name,
        key.is_admin,
        key.allowed_models,
        key.allowed_projects,
        dict(key.limits),
        key.hosted_tools,
        key.team_id,
        key.keeps_bodies,
        dict(key.team_limits),
        key.accounts,
        key.fallback,
    )


def configured_identity(secret: str) -> Identity:
    """Return the identity of a key in API_KEYS."""
    return Identity(id=f"env_{key_secrets.digest_key(secret)[:16]}", name="API_KEYS")


def derive_owner_id(identity: Identity | None, credential: str) -> str:
    """Return the id of the key, or a digest of the credential if the gateway asks for no keys ("" without one)."""
    if identity is not None:
        return identity.id
    if not credential:
        return ""
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).hexdigest()

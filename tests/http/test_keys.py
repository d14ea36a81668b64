"""API keys over HTTP: which requests need one, which keys are valid, and which models a key may use."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2 as httpx
import pytest
from flask import Flask

from gateway.api.http.context import get_caller
from gateway.claude.service import Claude
from gateway.errors import StoreError
from gateway.store.keys import Keys
from tests.support.api_client import Api, bearer, error_of
from tests.support.apps import MakeApi, MakeApp

CONFIGURED = "a-configured-key"
PUBLIC = {"/", "/health", "/docs", "/openapi.json", "/redoc", "/docs/static/x"}
ASSETS = "/assets/x/x"
ORIGIN = {"Origin": "https://app.example"}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return an app that asks for keys and has two in its settings."""
    return make_app(require_auth=True, api_keys=(CONFIGURED, "another"))


@pytest.fixture
def api(app: Flask) -> Api:
    """Return a client that sends no key."""
    return Api.of_app(app)


def routes(app: Flask) -> list[tuple[str, str]]:
    """Return the method and URL of every route; parameters in URLs are "x"."""
    return [
        (method, re.sub(r"<.*?>", "x", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.websocket  # another test opens a WebSocket without a key
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


# Requests with and without a key


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        (bearer(""), "missing_api_key"),
        ({"Authorization": f"Basic {CONFIGURED}"}, "missing_api_key"),
        (bearer("wrong"), "invalid_api_key"),
        (bearer(CONFIGURED + "x"), "invalid_api_key"),
        (bearer(CONFIGURED[:-1]), "invalid_api_key"),
        ({"x-api-key": "wrong"}, "invalid_api_key"),
        ({"x-api-key": b"\xff"}, "invalid_api_key"),
        ({"Authorization": "Bearer"}, "missing_api_key"),
        ({"Authorization": "wrong"}, "invalid_api_key"),
        ({"api-key": "wrong"}, "invalid_api_key"),
        ({"x-api-key": "unused", "api-key": "x", **bearer("wrong")}, "invalid_api_key"),
    ],
)
def test_every_route_except_public_ones_needs_a_key(
    app: Flask, api: Api, headers: dict[str, Any], code: str
) -> None:
    guarded = [(method, url) for method, url in routes(app) if url not in {*PUBLIC, ASSETS}]
    assert {url for _, url in routes(app)} >= {*PUBLIC, "/v1/models", "/v1/chat/completions"}
    for method, url in guarded:
        answer = api.request(method, url, headers=headers)
        assert answer.status_code == 401, (method, url)
        assert answer.headers["x-request-id"]
        if method != "HEAD":
            error = answer.json()["error"]
            anthropic = {"type": "authentication_error", "message": error["message"]}
            assert error == anthropic or (error["type"], error["code"]) == ("invalid_request_error", code)
            assert CONFIGURED not in error["message"]


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_public_routes_need_no_key(api: Api, path: str) -> None:
    answer = api.get(path.replace("/x", "/swagger-ui.css"))
    assert answer.status_code in (200, 302, 503)  # /health is 503 because the app has not looked for a CLI


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/v1/models", 405)])
def test_unknown_url_and_wrong_method_need_no_key(api: Api, method: str, path: str, status: int) -> None:
    assert api.request(method, path).status_code == status


def test_preflight_needs_no_key_and_browsers_can_read_rejections(app: Flask, api: Api) -> None:
    preflight = {
        **ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for _, url in routes(app):
        answer = api.options(url, headers=preflight)
        assert answer.status_code == 200
        if url.startswith(("/dashboard", "/assets")):
            assert "Access-Control-Allow-Origin" not in answer.headers
            continue
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN["Origin"])
    rejected = api.get("/v1/models", headers=ORIGIN)
    assert rejected.status_code == 401
    assert rejected.headers["x-should-retry"] == "false"  # Claude Code would try for three minutes
    assert rejected.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN["Origin"])


def test_any_key_is_accepted_without_authentication(make_api: MakeApi) -> None:
    api = make_api()
    assert api.get("/v1/models").status_code == 200
    assert api.with_key("whatever").get("/v1/models").status_code == 200


# Valid keys


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_keys_of_the_settings_are_valid(api: Api, scheme: str) -> None:
    for key in (CONFIGURED, "another"):
        assert api.get("/v1/models", headers={"Authorization": f"{scheme} {key}"}).status_code == 200
        assert api.get("/v1/models", headers={"x-api-key": key}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "unused", **bearer(CONFIGURED)},
        {"x-api-key": CONFIGURED, **bearer("unused")},
        {"x-api-key": CONFIGURED, "Authorization": "Basic dXNlcjpwYXNz"},
        {"api-key": CONFIGURED},
        {"api-key": "unused", "x-api-key": CONFIGURED},
        {"Authorization": CONFIGURED},
        {"Authorization": f"Bearer  {CONFIGURED} "},
        {"Authorization": f"Bearer Bearer {CONFIGURED}"},
        {"x-api-key": f"Bearer {CONFIGURED}"},
    ],
)
def test_any_one_valid_key_is_enough(api: Api, keys: Keys, headers: dict[str, str]) -> None:
    plain = keys.create("alice")[1]
    assert api.get("/v1/models", headers=headers).status_code == 200
    of_the_database = {name: value.replace(CONFIGURED, plain) for name, value in headers.items()}
    assert api.get("/v1/models", headers=of_the_database).status_code == 200


def test_keys_in_urls_are_not_read(api: Api) -> None:
    assert api.get(f"/v1/models?key={CONFIGURED}&api-key={CONFIGURED}").status_code == 401


def test_keys_of_the_database_are_valid_until_they_are_revoked(api: Api, keys: Keys) -> None:
    key, plain = keys.create("alice")
    assert api.get("/v1/models", headers=bearer(plain)).status_code == 200
    assert api.get("/v1/models", headers={"x-api-key": plain}).status_code == 200
    rotated = keys.rotate(key.id)[1]
    assert api.get("/v1/models", headers=bearer(plain)).status_code == 401
    assert api.get("/v1/models", headers=bearer(rotated)).status_code == 200
    keys.revoke(key.id)
    assert api.get("/v1/models", headers=bearer(rotated)).status_code == 401


def test_expired_key_is_rejected(api: Api, keys: Keys) -> None:
    _, plain = keys.create("old", expires_at=datetime.now(timezone.utc) - timedelta(seconds=1))
    assert error_of(api.get("/v1/models", headers=bearer(plain)))[:2] == (401, "invalid_api_key")


def test_failing_database_is_a_503_except_for_keys_of_the_settings(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Keys, plain: str) -> None:
        raise StoreError

    monkeypatch.setattr(Keys, "find", fail)
    assert error_of(api.get("/v1/models", headers=bearer("some-key")))[:2] == (503, "store_unavailable")
    assert api.get("/v1/models", headers=bearer(CONFIGURED)).status_code == 200


def test_owner_is_the_key_in_either_header_and_after_rotation(app: Flask, keys: Keys) -> None:
    key, plain = keys.create("alice")

    def owner_of(headers: dict[str, str]) -> str:
        with app.test_request_context("/v1/models", headers=headers):
            app.preprocess_request()
            return get_caller().owner_id

    assert owner_of(bearer(plain)) == owner_of({"x-api-key": plain}) == key.id
    assert owner_of(bearer(keys.rotate(key.id)[1])) == key.id
    assert len({key.id, owner_of(bearer(CONFIGURED)), owner_of(bearer("another"))}) == 3


# Models of a key


class ReachedModel(Exception):
    """The request has passed all checks and would run the model."""


@pytest.fixture
def _stop_at_model(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise ReachedModel instead of running the CLI."""

    def reach(*_: Any, **__: Any) -> None:
        raise ReachedModel

    monkeypatch.setattr(Claude, "await_ready", lambda _: None)
    monkeypatch.setattr(Claude, "answer", reach)
    app.testing = True  # lets ReachedModel through to the test


MakeClient = Callable[[list[str] | None], Api]


@pytest.fixture
def make_client(_stop_at_model: None, api: Api, keys: Keys) -> MakeClient:
    """Return a function that makes a client whose key is for these models only, or for all with None."""
    return lambda allowed: api.with_key(keys.create("alice", allowed_models=allowed)[1])


@pytest.mark.parametrize("model", ["sonnet", "claude-opus-4-6", None])
@pytest.mark.parametrize("allowed", [["haiku"], ["no-such-model"], []])
def test_key_is_rejected_for_other_models(
    make_client: MakeClient, model: str | None, allowed: list[str]
) -> None:
    """No run is started, which would stay open and keep a worker from ending."""
    error = error_of(make_client(allowed).chat(model=model))
    assert error[:3] == (403, "model_not_allowed", "model")
    assert ", ".join(allowed) in error.message


@pytest.mark.parametrize(
    "ask",
    [Api.chat, Api.create_completion, Api.create_response, Api.create_message],
    ids=lambda ask: ask.__name__,
)
def test_every_dialect_rejects_other_models(
    make_client: MakeClient, ask: Callable[..., httpx.Response]
) -> None:
    assert ask(make_client(["haiku"]), "hi", model="opus").status_code == 403
    with pytest.raises(ReachedModel):
        ask(make_client(["haiku"]), "hi", model="haiku")


@pytest.mark.parametrize(
    ("allowed", "model"),
    [
        (["haiku"], "haiku"),
        (["haiku"], "claude-haiku-4-5-20251001"),
        (["claude-haiku-4-5-20251001", "gone"], "haiku"),
        (None, "opus"),
    ],
)
def test_key_is_accepted_for_every_name_of_its_models(
    make_client: MakeClient, allowed: list[str] | None, model: str
) -> None:
    with pytest.raises(ReachedModel):
        make_client(allowed).chat(model=model)

"""Keys over HTTP and on the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.api.http import owner
from gateway.app import create_app
from gateway.commands import main
from gateway.errors import StoreError
from gateway.settings import Settings, SettingsError, load
from gateway.store.keys import Keys
from tests.support.gateway import ROOT, Gateway

CONFIGURED = "a-configured-key"
PUBLIC = {"/", "/health", "/docs", "/openapi.json", "/redoc", "/docs/static/x"}
ASSETS = "/dashboard/assets/x"
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = create_app(Settings(require_auth=True, api_keys=(CONFIGURED, "another"), database_url=database_url))
    yield app
    app.extensions["store"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def keys(app: Flask) -> Keys:
    found: Keys = app.extensions["keys"]
    return found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# Over HTTP


def routes(app: Flask) -> list[tuple[str, str]]:
    return [
        (method, re.sub(r"<.*?>", "x", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


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
        ({"x-api-key": "\xff"}, "invalid_api_key"),
        ({"x-api-key": "wrong", **bearer(CONFIGURED)}, "invalid_api_key"),
    ],
)
def test_every_route_but_the_public_ones_needs_a_key(
    app: Flask, client: FlaskClient, headers: dict[str, str], code: str
) -> None:
    guarded = [(method, url) for method, url in routes(app) if url not in {*PUBLIC, ASSETS}]
    assert {url for _, url in routes(app)} >= {*PUBLIC, "/v1/models", "/v1/chat/completions"}
    for method, url in guarded:
        answer = client.open(url, method=method, headers=headers)
        assert answer.status_code == 401, (method, url)
        assert answer.headers["x-request-id"]
        if method != "HEAD":
            error = answer.json["error"]  # type: ignore[index]
            anthropic = {"type": "authentication_error", "message": error["message"]}
            assert error == anthropic or (error["type"], error["code"]) == ("invalid_request_error", code)
            assert CONFIGURED not in error["message"]


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_public_routes_need_none(client: FlaskClient, path: str) -> None:
    with client.get(path.replace("/x", "/swagger-ui.css")) as answer:
        assert answer.status_code in (200, 302, 503)  # /health says that no CLI was looked for


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/v1/models", 405)])
def test_what_is_not_there_is_not_there(client: FlaskClient, method: str, path: str, status: int) -> None:
    assert client.open(path, method=method).status_code == status


@pytest.mark.parametrize("name", ["Bearer", "bearer", "BEARER"])
def test_keys_of_the_settings_open_the_door(client: FlaskClient, name: str) -> None:
    for key in (CONFIGURED, "another"):
        assert client.get("/v1/models", headers={"Authorization": f"{name} {key}"}).status_code == 200
        assert client.get("/v1/models", headers={"x-api-key": key}).status_code == 200


def test_keys_of_the_database_open_the_door_until_they_are_revoked(client: FlaskClient, keys: Keys) -> None:
    key, plain = keys.create("alice")
    assert client.get("/v1/models", headers=bearer(plain)).status_code == 200
    assert client.get("/v1/models", headers={"x-api-key": plain}).status_code == 200
    rotated = keys.rotate(key.id)[1]
    assert client.get("/v1/models", headers=bearer(plain)).status_code == 401
    assert client.get("/v1/models", headers=bearer(rotated)).status_code == 200
    keys.revoke(key.id)
    assert client.get("/v1/models", headers=bearer(rotated)).status_code == 401


def test_an_expired_key_is_refused(client: FlaskClient, keys: Keys) -> None:
    _, plain = keys.create("old", expires_at=datetime.now(timezone.utc) - timedelta(seconds=1))
    answer = client.get("/v1/models", headers=bearer(plain))
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "invalid_api_key")  # type: ignore[index]


def test_a_preflight_needs_no_key_and_refusals_can_be_read(app: Flask, client: FlaskClient) -> None:
    origin = {"Origin": "https://app.example"}
    asked = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for _, url in routes(app):
        answer = client.options(url, headers=asked)
        assert answer.status_code == 200
        if url.startswith("/dashboard"):
            assert "Access-Control-Allow-Origin" not in answer.headers
            continue
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", origin["Origin"])
    refused = client.get("/v1/models", headers=origin)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] in ("*", origin["Origin"])


def test_a_database_that_fails_is_a_503(
    client: FlaskClient, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Keys, plain: str) -> None:
        raise StoreError

    monkeypatch.setattr(Keys, "find", fail)
    answer = client.get("/v1/models", headers=bearer("some-key"))
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "store_unavailable")  # type: ignore[index]
    assert client.get("/v1/models", headers=bearer(CONFIGURED)).status_code == 200


class Reached(Exception):
    """The request has come through to the answer."""


@pytest.fixture
def ask(
    app: Flask, client: FlaskClient, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TestResponse]:
    """Asks a model with a key that is for the `allowed` ones."""

    def reach(*_: Any) -> None:
        raise Reached

    def ask(model: str | None, allowed: list[str] | None) -> TestResponse:
        _, plain = keys.create("alice", allowed_models=allowed)
        return client.post("/v1/chat/completions", json={**CHAT, "model": model}, headers=bearer(plain))

    monkeypatch.setattr(app.extensions["claude"], "await_ready", lambda: None)
    monkeypatch.setattr(app.extensions["claude"], "run", lambda *_, **__: None)
    monkeypatch.setattr("gateway.api.http.streaming.whole", reach)
    app.testing = True
    return ask


@pytest.mark.parametrize("model", ["sonnet", "claude-opus-4-6", None])
@pytest.mark.parametrize("allowed", [["haiku"], ["no-such-model"], []])
def test_a_key_is_for_its_models_only(
    ask: Callable[..., TestResponse], model: str | None, allowed: list[str]
) -> None:
    answer = ask(model, allowed)
    assert answer.status_code == 403
    error = answer.json["error"]  # type: ignore[index]
    assert (error["code"], error["param"]) == ("model_not_allowed", "model")
    assert ", ".join(allowed) in error["message"]


def test_a_refused_model_leaves_no_run(
    app: Flask, client: FlaskClient, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that nobody closes would keep a worker from ending."""
    _, plain = keys.create("alice", allowed_models=["haiku"])
    claude = app.extensions["claude"]
    monkeypatch.setattr(claude, "await_ready", lambda: None)
    answer = client.post("/v1/chat/completions", json={**CHAT, "model": "opus"}, headers=bearer(plain))
    assert (answer.status_code, claude.runs) == (403, set())


@pytest.mark.parametrize(
    ("allowed", "model"),
    [
        (["haiku"], "haiku"),
        (["haiku"], "claude-haiku-4-5-20251001"),
        (["claude-haiku-4-5-20251001", "gone"], "haiku"),
        (None, "opus"),
    ],
)
def test_a_models_names_are_one(
    ask: Callable[..., TestResponse], allowed: list[str] | None, model: str
) -> None:
    with pytest.raises(Reached):
        ask(model, allowed)


def test_the_owner_is_the_key_however_it_is_sent(app: Flask, keys: Keys) -> None:
    key, plain = keys.create("alice")

    def owner_of(headers: dict[str, str]) -> str:
        with app.test_request_context("/v1/models", headers=headers):
            app.preprocess_request()
            return owner.current()

    assert owner_of(bearer(plain)) == owner_of({"x-api-key": plain}) == key.id
    assert owner_of(bearer(keys.rotate(key.id)[1])) == key.id
    assert len({key.id, owner_of(bearer(CONFIGURED)), owner_of(bearer("another"))}) == 3


def test_without_auth_any_key_will_do(database_url: str) -> None:
    client = create_app(Settings(database_url=database_url)).test_client()
    assert client.get("/v1/models").status_code == 200
    assert client.get("/v1/models", headers=bearer("whatever")).status_code == 200


# Settings


@pytest.mark.parametrize(
    ("text", "keys"),
    [("a,b", ("a", "b")), (" a , b ,", ("a", "b")), ('["a", "b"]', ("a", "b")), ("a", ("a",)), ("", ())],
)
def test_keys_are_a_plain_list(monkeypatch: pytest.MonkeyPatch, text: str, keys: tuple[str, ...]) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("API_KEYS", text)
    assert load().api_keys == keys


def test_keys_do_not_show() -> None:
    assert CONFIGURED not in repr(Settings(api_keys=(CONFIGURED,)))


def test_no_start_without_a_key_that_could_pass(database_url: str) -> None:
    settings = Settings(require_auth=True, database_url=database_url)
    with pytest.raises(SettingsError, match=r"REQUIRE_AUTH .* no key"):
        create_app(settings)
    keys: Keys = create_app(Settings(database_url=database_url)).extensions["keys"]
    key, _ = keys.create("alice")
    create_app(settings)
    keys.revoke(key.id)
    with pytest.raises(SettingsError, match=r"REQUIRE_AUTH .* no key"):
        create_app(settings)


@pytest.mark.parametrize("database_url", ["postgresql://host/db", "sqlite:////proc/none/x.db"])
def test_no_start_without_a_database(database_url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        create_app(Settings(database_url=database_url))


def test_gunicorn_refuses_to_start(start_gateway: Callable[..., Gateway]) -> None:
    """One worker: when two fail at the same moment, gunicorn 27 may trip over the second and end with 1."""
    gateway = start_gateway(REQUIRE_AUTH="true", WARM_PROCESSES="0")
    assert gateway.process.wait(30) == 3
    assert "gateway: REQUIRE_AUTH is true, but there is no key." in gateway.log
    assert "Traceback" not in gateway.log


# On the command line


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(main, ["keys", *arguments])


def test_a_keys_life_on_the_command_line(run: Callable[..., Result], client: FlaskClient, keys: Keys) -> None:
    assert run("list").output == "There are no keys.\n"
    plain = run("create", "alice", "--days", "2", "--model", "haiku", "--admin").stdout.strip()
    run("create", "somebody with a long name")
    assert client.get("/v1/models", headers=bearer(plain)).status_code == 200
    alice = keys.list()[0]
    assert (alice.is_admin, alice.allowed_models, alice.allowed_projects) == (True, ("haiku",), None)
    assert alice.expires_at is not None
    assert timedelta(days=1.9) < alice.expires_at - datetime.now(timezone.utc) < timedelta(days=2)
    rotated = run("rotate", alice.id).stdout.strip()
    assert rotated not in ("", plain)
    shown = run("show", alice.id).output
    assert re.search(r"^Models: +haiku$", shown, re.M)
    assert run("revoke", alice.id).output == f"{alice.id} (alice) is revoked.\n"
    assert client.get("/v1/models", headers=bearer(rotated)).status_code == 401
    for text in (shown, run("list").output):
        assert rotated not in text


def test_the_list_is_aligned(run: Callable[..., Result]) -> None:
    for name in ("a", "a much longer name"):
        run("create", name)
    lines = run("list").output.splitlines()
    assert len(lines) == 3
    assert (
        len({line.index(word) for line, word in zip(lines, ("STATE", "active", "active"), strict=True)}) == 1
    )


@pytest.mark.parametrize("command", ["show", "revoke", "rotate"])
def test_an_unknown_key_is_one_line(run: Callable[..., Result], command: str) -> None:
    result = run(command, "key_unknown")
    assert result.exit_code == 1
    assert result.output == "Error: There is no key key_unknown. See: python -m gateway keys list\n"


@pytest.mark.parametrize("database_url", ["postgresql://host/db", "sqlite:////proc/none/x.db"])
def test_a_bad_database_is_one_line(run: Callable[..., Result]) -> None:
    result = run("list")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_the_gateway_is_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: python -m gateway" in done.stdout


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "generate_api_keys.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_keys_are_generated_for_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("API_KEYS", raising=False)
    file = tmp_path / "fresh.env"
    file.write_text(generate("-n", "2", "--env", "-p", "team_", "-l", "20").stdout)
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", str(file))
    keys = load().api_keys
    assert len(set(keys)) == 2
    assert all(re.fullmatch("team_[A-Za-z0-9]{20}", key) for key in keys)
    assert re.fullmatch(r"(ccg-[A-Za-z0-9]{43}\n){3}", generate("-n", "3").stdout)


@pytest.mark.parametrize("arguments", [("-l", "3"), ("-n", "0"), ("-p", "a,b")])
def test_weak_or_unusable_keys_are_not_generated(arguments: tuple[str, ...]) -> None:
    done = generate(*arguments)
    assert (done.returncode, done.stdout) == (2, "")

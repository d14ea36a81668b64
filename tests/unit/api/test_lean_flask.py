"""The tricks of lean_flask, each against the library that it relies on."""

import pytest
from flask import Flask
from flask_cors import CORS

from gateway.api.http.lean_flask import LeanFlask, add_cors

PAGE = {"Origin": "https://page.example"}


@pytest.fixture
def app() -> Flask:
    app = LeanFlask("test", static_folder=None)
    app.add_url_rule("/v1/x", view_func=lambda: "x")
    app.add_url_rule("/dashboard", view_func=lambda: "page", endpoint="page")
    add_cors(app, r"^/(?!dashboard)", lambda origin, _: origin == PAGE["Origin"], ["x-request-id"])
    return app


def test_flask_passes_views_and_hooks_through_ensure_sync(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[str] = []

    def count(self: Flask, func: object) -> object:
        passed.append(type(func).__name__)
        return func

    monkeypatch.setattr(LeanFlask, "ensure_sync", count)
    app.before_request(lambda: None)
    app.test_client().get("/v1/x")
    assert len(passed) == 3  # the view, the hook, and the hook for CORS


def test_flask_cors_adds_exactly_one_hook() -> None:
    plain = Flask("plain")
    CORS(plain)
    assert len(plain.after_request_funcs[None]) == 1


def test_hook_of_flask_cors_is_replaced(app: Flask) -> None:
    (hook,) = app.after_request_funcs[None]
    assert hook.__module__ == "gateway.api.http.lean_flask"


def test_browsers_get_cors_headers_for_the_api_only(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/v1/x", headers=PAGE)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", PAGE["Origin"])
    assert answer.headers["Access-Control-Expose-Headers"] == "x-request-id"
    assert "Access-Control-Allow-Origin" not in client.get("/dashboard", headers=PAGE).headers


def test_other_clients_get_no_cors_headers(app: Flask) -> None:
    assert "Access-Control-Allow-Origin" not in app.test_client().get("/v1/x").headers


def test_routes_are_found_without_the_host(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise AssertionError("the host was parsed")

    monkeypatch.setattr("flask.app.get_host", fail)
    monkeypatch.setattr("werkzeug.routing.map.get_host", fail)
    client = app.test_client()
    assert client.get("/v1/x?y=1").data == b"x"
    assert client.post("/v1/x").status_code == 405
    assert client.get("/v1/z").status_code == 404


def test_flask_itself_parses_the_host_for_routes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []

    def parse(*args: object) -> str:
        parsed.append(args)
        return "localhost"

    monkeypatch.delattr(LeanFlask, "create_url_adapter")
    monkeypatch.setattr("flask.app.get_host", parse)
    assert app.test_client().get("/v1/x").data == b"x"
    assert parsed


def test_pages_that_are_not_allowed_get_no_cors_headers_even_with_errors(app: Flask) -> None:
    client = app.test_client()
    for path in ("/v1/x", "/v1/missing"):
        for method in ("GET", "OPTIONS"):
            answer = client.open(path, method=method, headers={"Origin": "https://evil.example"})
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


def test_websockets_have_routes_of_their_own(app: Flask) -> None:
    app.add_url_rule("/v1/x", "socket", lambda: "socket", websocket=True)
    client = app.test_client()
    handshake = {"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"}
    assert client.get("/v1/x", headers=handshake).data == b"socket"
    assert client.get("/v1/x", headers={"Upgrade": "h2c", "Connection": "Upgrade"}).data == b"x"
    assert client.get("/v1/x").data == b"x"

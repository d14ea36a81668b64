"""Without keys, no web page of a stranger can use the gateway, at any route. See docs/security.md#web-pages.

The requests come from the app's URL map, so that a new route is covered as soon as it exists.
"""

import re
from collections.abc import Iterator
from itertools import cycle

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from gateway.api.views.not_served import FAMILIES
from tests.support.apps import MakeApp

HERE = "localhost:8000"
UNSERVED = [[family] for family in FAMILIES]
EVIL = "https://evil.example"

#: The headers `Origin` and `Host` of pages that must not get through.
STRANGERS = {
    "page of a site": (EVIL, HERE),
    "page of a site over plain http": ("http://evil.example", "127.0.0.1:8000"),
    "page whose name was rebound": ("http://rebind.evil.example:8000", "rebind.evil.example:8000"),
    "page whose name was rebound, without Origin": (None, "rebind.evil.example:8000"),
    "page in a sandboxed frame": ("null", HERE),
    "page with a name like ours": ("http://localhost.evil.example", HERE),
    "page with our address in its name": ("http://127.0.0.1.evil.example", HERE),
    "page of another machine": ("http://192.168.1.66", "192.168.1.5:8000"),
}
#: The same for pages and programs that must keep working.
FRIENDS = {
    "program": (None, HERE),
    "program that sends no Host": (None, ""),
    "program on another machine": (None, "192.168.1.5:8000"),
    "program over IPv6": (None, "[::1]:8000"),
    "Open WebUI in Docker": (None, "host.docker.internal:8000"),
    "LibreChat in Podman": (None, "host.containers.internal:8000"),
    "our own page": ("http://localhost:8000", HERE),
    "our own page, by address": ("http://192.168.1.5:8000", "192.168.1.5:8000"),
    "local web app": ("http://localhost:3000", HERE),
    "local web app with a name": ("https://chat.localhost", "127.0.0.1:8000"),
    "web app on the same machine": ("http://192.168.1.5:3000", "192.168.1.5:8000"),
    "Obsidian": ("app://obsidian.md", "localhost:8000"),
    "Obsidian on a phone": ("capacitor://localhost", "192.168.1.5:8000"),
    "VS Code": ("vscode-webview://1abc", "localhost:8000"),
    "Tauri app": ("tauri://localhost", "127.0.0.1:8000"),
    "Tauri app on Windows": ("http://tauri.localhost", "127.0.0.1:8000"),
    "browser extension": ("chrome-extension://abcdefgh", "localhost:8000"),
    "browser extension of Firefox": ("moz-extension://9c1e", "localhost:8000"),
}


def every_request(app: Flask) -> Iterator[tuple[str, str, bool]]:
    """Yield the method and the path of each rule, and whether it is a WebSocket. Preflights are among them."""
    for rule in app.url_map.iter_rules():
        path = fill_path(rule)
        if rule.websocket:
            yield "GET", path, True
        for method in rule.methods or ():
            yield method, path, False
    yield from (("GET", "/nowhere", False), ("DELETE", "/v1/chat/completions", False))


def fill_path(rule: Rule) -> str:
    """Return a path of the rule, with some text for each of its variables."""
    return re.sub(r"<[^<>]+>", "x", rule.rule)


def send(
    client: FlaskClient, method: str, path: str, sender: tuple[str | None, str], **more: str
) -> TestResponse:
    origin, host = sender
    headers = {"Host": host, **more} | ({"Origin": origin} if origin else {})
    if method == "OPTIONS":
        headers |= {"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}
    # A form's type needs no preflight, so this is what a page can send at once.
    return client.open(path, method=method, headers=headers, data="{}", content_type="text/plain")


def upgrade(is_websocket: bool) -> dict[str, str]:
    return {"Connection": "Upgrade", "Upgrade": "websocket"} if is_websocket else {}


def gives_advice(answer: TestResponse) -> bool:
    """Return True for a refusal that names the setting that would allow the request."""
    return answer.status_code == 403 and re.search(r"ALLOWED_(HOSTS|ORIGINS)", answer.text) is not None


def cors_headers(answer: TestResponse) -> list[str]:
    return [name for name, _ in answer.headers if name.lower().startswith("access-control-")]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(rate_limit_requests_per_minute=0)


def test_no_route_answers_the_page_of_a_stranger(app: Flask) -> None:
    client = app.test_client()
    requests = list(every_request(app))
    assert {"/v1/messages", "/v1/responses", "/v1/files", "/metrics", "/docs", "/dashboard"} <= {
        path for _, path, _ in requests
    }
    strangers = list(STRANGERS.items())
    unserved = cycle(strangers)  # for these hundreds of routes, which all do the same, one each is enough
    for method, path, is_websocket in requests:
        is_served = path.split("/")[2:3] not in UNSERVED
        for name, sender in strangers if is_served else [next(unserved)]:
            answer = send(client, method, path, sender, **upgrade(is_websocket))
            assert answer.status_code == 403, (name, method, path)
            assert cors_headers(answer) == [], (name, method, path)
            assert gives_advice(answer) or method == "HEAD", (name, method, path)


def test_every_route_answers_local_pages_apps_and_programs(app: Flask) -> None:
    client = app.test_client()
    friends = cycle(FRIENDS.items())
    for method, path, is_websocket in every_request(app):
        name, sender = next(friends)
        answer = send(client, method, path, sender, **upgrade(is_websocket))
        assert not gives_advice(answer), (name, method, path)
        if is_websocket and path == "/v1/responses":
            assert "gunicorn" in answer.text  # the handshake got as far as it can in this process
        is_dashboard = path.startswith(("/dashboard", "/assets"))
        assert bool(cors_headers(answer)) == (sender[0] is not None and not is_dashboard), (
            name,
            method,
            path,
        )


# Opening the gateway on purpose


@pytest.mark.parametrize("origin", ["https://chat.example", "https://a.apps.example", "notes://x"])
def test_operator_can_allow_pages(make_app: MakeApp, origin: str) -> None:
    app = make_app(allowed_origins=("https://chat.example/", "https://*.apps.example", "notes://*"))
    answer = send(app.test_client(), "OPTIONS", "/v1/chat/completions", (origin, HERE))
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    for stranger in STRANGERS.values():
        assert gives_advice(send(app.test_client(), "GET", "/v1/models", stranger))


def test_operator_can_allow_names(make_app: MakeApp) -> None:
    client = make_app(allowed_hosts=("gateway.example.com", "*.corp.example")).test_client()
    for host in ("gateway.example.com", "GATEWAY.example.com:8443", "ai.corp.example"):
        assert send(client, "GET", "/v1/models", (None, host)).status_code == 200
        assert send(client, "GET", "/v1/models", (f"https://{host}", host)).status_code == 200
    for stranger in STRANGERS.values():
        assert gives_advice(send(client, "GET", "/v1/models", stranger))


def test_operator_can_allow_everything(make_app: MakeApp) -> None:
    client = make_app(allowed_hosts=("*",), allowed_origins=("*",)).test_client()
    for stranger in STRANGERS.values():
        assert send(client, "GET", "/v1/models", stranger).status_code == 200


def test_with_keys_pages_of_all_sites_may_call_with_one(make_app: MakeApp) -> None:
    client = make_app(require_auth=True, api_keys=("right",)).test_client()
    for stranger in STRANGERS.values():
        assert send(client, "OPTIONS", "/v1/models", stranger).status_code == 200
        assert send(client, "GET", "/v1/models", stranger).status_code == 401
        answer = send(client, "GET", "/v1/models", stranger, **{"x-api-key": "right"})
        assert answer.status_code == 200
        assert answer.headers.get("Access-Control-Allow-Origin") == stranger[0]


def test_refusal_says_what_to_do_in_the_dialect_of_the_client(app: Flask) -> None:
    client = app.test_client()
    by_host = send(client, "GET", "/v1/models", (None, "rebind.evil.example"))
    assert by_host.json
    assert by_host.json["error"]["code"] == "host_not_allowed"
    assert (
        "add it to ALLOWED_HOSTS, or require keys with REQUIRE_AUTH=true" in by_host.json["error"]["message"]
    )
    assert by_host.headers["x-should-retry"] == "false"
    by_page = send(client, "POST", "/v1/messages", (EVIL, HERE))
    assert by_page.json
    assert by_page.json["error"]["type"] == "permission_error"
    assert f"Web pages of '{EVIL}'" in by_page.json["error"]["message"]
    page = client.get("/dashboard", headers={"Host": HERE, "Origin": EVIL, "Accept": "text/html"})
    assert page.status_code == 403
    assert "ALLOWED_ORIGINS" in page.text

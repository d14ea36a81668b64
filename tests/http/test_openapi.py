"""`/openapi.json` describes the gateway as it is, and `/docs` shows it without a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.api.dashboard import views as dashboard
from gateway.api.http.context import services_of
from gateway.api.views import not_served
from gateway.app import create_app
from gateway.settings import Settings
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway
from tests.support.scripted import ScriptedCli

Json = dict[str, Any]

METHODS = ("get", "put", "post", "patch", "delete")
UNKNOWN_ID = re.compile(r"<(?:\w+:)?(\w+)>")


#: Families that are told of together, and pages for people.
UNDESCRIBED = {
    blueprint.name
    for blueprint in (not_served.blueprint, dashboard.blueprint, dashboard.trial, dashboard.assets)
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("openapi")
    app = create_app(Settings(database_url=f"sqlite:///{folder}/gateway.db"))
    yield app
    services_of(app).store.close()


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def described(client: FlaskClient) -> Json:
    body: Json = client.get("/openapi.json").get_json()
    return body


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory, cli_environ: dict[str, str]) -> Iterator[Gateway]:
    """A gateway in front of the scripted CLI."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, **cli.environ})
    yield gateway
    gateway.close()


def operations(described: Json) -> list[tuple[str, str, Json]]:
    return [
        (method, path, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def objects(node: Any) -> Iterator[Json]:
    """Every object in a JSON value."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(inner)


# The description


def test_every_route_is_described_and_nothing_else_is(app: Flask, described: Json) -> None:
    served = {
        (method.lower(), UNKNOWN_ID.sub(r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] not in UNDESCRIBED and rule.endpoint != "docs.static"
    }
    assert {(method, path) for method, path, _ in operations(described)} == served
    assert len(served) > 30


def test_every_operation_is_explained(described: Json) -> None:
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    for method, path, operation in operations(described):
        assert operation["summary"], (method, path)
        assert tags[operation["tags"][0]]
        assert {code[0] for code in operation["responses"]} >= {"5"}
        assert (
            all(
                parameter.get("description") or parameter["in"] == "query"
                for parameter in operation["parameters"]
            )
            if "parameters" in operation
            else True
        )
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))


def test_every_answer_has_a_schema(described: Json) -> None:
    for method, path, operation in operations(described):
        for code, response in operation["responses"].items():
            assert response["description"], (method, path, code)
            if code != "302":
                assert all("schema" in content for content in response["content"].values()), (path, code)
                assert response["content"], (method, path, code)


def test_what_is_referred_to_is_there(described: Json) -> None:
    references = {node["$ref"] for node in objects(described) if isinstance(node.get("$ref"), str)}
    assert references
    for reference in references:
        node = described
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_errors_are_in_their_dialects_form(described: Json) -> None:
    for _, path, operation in operations(described):
        for code, response in operation["responses"].items():
            schema = json.dumps(response.get("content"))
            if int(code) >= 400 and path != "/health":
                assert ("/AnthropicError" in schema) == path.startswith(("/v1/messages", "/v1/models")), path
                assert ('/Error"' in schema) != path.startswith("/v1/messages"), path
    assert "PaginationMetadata" not in described["components"]["schemas"]
    assert not {"422", "default"} & {
        code for _, _, each in operations(described) for code in each["responses"]
    }


def test_errors_have_messages_of_their_own(described: Json) -> None:
    examples = described["components"]["examples"]
    unexpected = [
        name for name, each in examples.items() if "unexpected" in each["value"]["error"]["message"]
    ]
    assert sorted(unexpected) == ["AnthropicGatewayError", "GatewayError"]
    assert examples["ModelNotAllowed"]["value"]["error"]["code"] == "model_not_allowed"


def test_answers_are_described_streamed_and_whole(described: Json) -> None:
    firsts = {
        "/v1/chat/completions": '"object":"chat.completion.chunk"',
        "/v1/completions": '"object":"text_completion"',
        "/v1/responses": "event: response.created",
        "/v1/messages": "event: message_start",
    }
    for path, first in firsts.items():
        content = described["paths"][path]["post"]["responses"]["200"]["content"]
        assert first in content["text/event-stream"]["example"].partition("\n\n")[0]
        assert content["application/json"]["example"]["usage"]


def test_requests_may_have_unknown_fields_where_the_gateway_takes_them(described: Json) -> None:
    schemas = described["components"]["schemas"]
    open_ones = ("ChatCompletion", "ChatMessage", "Responses", "Messages", "Completion", "StreamOptions")
    assert {name: schemas[name]["additionalProperties"] for name in open_ones} == dict.fromkeys(
        open_ones, True
    )
    assert schemas["NewProject"]["additionalProperties"] is False
    assert schemas["ChatCompletion"]["properties"]["n"]["type"] == ["integer", "null"]
    assert schemas["ChatMessage"]["required"] == ["role"]


def test_keys_are_asked_for_where_the_gateway_asks(tmp_path: Path, described: Json) -> None:
    settings = Settings(require_auth=True, api_keys=("k",), database_url=f"sqlite:///{tmp_path}/gateway.db")
    guarded = create_app(settings)
    with_keys = guarded.test_client().get("/openapi.json").get_json()
    services_of(guarded).store.close()
    schemes: list[Json] = [{"bearer": []}, {"x-api-key": []}]
    assert with_keys["components"]["securitySchemes"].keys() == {"bearer", "x-api-key"}
    assert (described["security"], with_keys["security"]) == ([{}, *schemes], schemes)
    public = {path for _, path, operation in operations(with_keys) if operation.get("security") == []}
    assert public == {"/", "/health", "/docs", "/redoc", "/openapi.json"}


def test_it_is_sent_once(client: FlaskClient) -> None:
    tag = client.get("/openapi.json").headers["etag"]
    again = client.get("/openapi.json", headers={"if-none-match": tag})
    assert (again.status_code, again.data) == (304, b"")


# The page


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_loads_everything_from_the_gateway(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "://" not in answer.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) >= 4
    for asset in loaded:
        with client.get(asset) as found:
            assert found.status_code == 200, asset
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    (nonce,) = re.findall(r"'nonce-([\w-]+)'", policy)
    assert answer.text.count(f'nonce="{nonce}"') == answer.text.count("<script nonce=") + 1


def test_redoc_leads_to_it(client: FlaskClient) -> None:
    for path in ("/redoc", "/redoc/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (302, "/docs")


def test_a_method_that_is_not_allowed_is_told_which_are(client: FlaskClient) -> None:
    answer = client.put("/v1/sessions")
    assert (answer.status_code, answer.allow.as_set()) == (405, {"get", "head", "options", "post"})


# The gateway as it runs


def test_examples_work(scripted: Gateway) -> None:
    described = scripted.api.get("/openapi.json").json()
    tried = 0
    for method, path, operation in operations(described):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = [example["value"] for example in content.get("examples", {}).values()]
        if "{" in path or not content:
            continue
        for body in bodies or [content["example"]]:
            answer = scripted.api.request(method, path, json=body)
            assert answer.status_code == 200, (path, answer.text)
            kind = "text/event-stream" if body.get("stream") else "application/json"
            assert answer.headers["content-type"].startswith(kind) or path.endswith("/debug")
            tried += 1
    assert tried > 10


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/sessions", {"title": "\ud800"}),
        ("/v1/projects", {"name": "\ud800"}),
        ("/v1/responses", {"input": "hi", "previous_response_id": "\ud800"}),
    ],
)
def test_half_a_surrogate_pair_does_no_harm_where_it_would_be_stored(
    client: FlaskClient, path: str, body: Json
) -> None:
    assert client.post(path, json=body).status_code in (200, 400)


def test_days_before_all_others_are_refused(client: FlaskClient) -> None:
    answer = client.get("/v1/usage?to=0001-01-01")
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, "to")


def explore(gateway: Gateway, folder: Path, *arguments: str) -> None:
    """Run schemathesis, which checks every answer against the description."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *(
                "--config-file",
                str(ROOT / "tests/support/schemathesis.toml"),
                "run",
                f"{gateway.url}/openapi.json",
            ),
            *("--continue-on-failure", "--generation-database", "none", "--no-color", "--warnings", "off"),
            *arguments,
        ],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.support.openapi_hooks",
        },
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "Traceback" not in gateway.log


needs_schemathesis = pytest.mark.skipif(sys.version_info < (3, 11), reason="schemathesis needs Python 3.11")


@needs_schemathesis
def test_answers_are_as_described(scripted: Gateway, tmp_path: Path) -> None:
    explore(scripted, tmp_path, "--phases", "examples,fuzzing", "--max-examples", "6", "--seed", "1")


@needs_schemathesis
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_answers_are_as_described(scripted: Gateway, tmp_path: Path) -> None:
    explore(scripted, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "200")

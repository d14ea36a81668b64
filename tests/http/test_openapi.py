"""`/openapi.json` describes every route, and `/docs` shows the description without other sites.

tests/ops/test_openapi_contract.py checks a running gateway against the description.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from gateway.api.dashboard import views as dashboard
from gateway.api.views import assets, not_served, response_socket
from tests.support.api_client import Api, Body
from tests.support.apps import MakeApi, close_app, open_app
from tests.support.dashboard import media_type
from tests.support.openapi import operations_of

PATH_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

# Blueprints of endpoints that are rejected with 501, and of pages for people.
UNDESCRIBED = {
    blueprint.name
    for blueprint in (
        response_socket.blueprint,  # OpenAPI has no WebSockets
        not_served.blueprint,
        assets.blueprint,
        *dashboard.BLUEPRINTS,
    )
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Return one app for all tests here: making the description takes a second."""
    app = open_app(database_url=f"sqlite:///{tmp_path_factory.mktemp('openapi')}/gateway.db")
    yield app
    close_app(app)


@pytest.fixture(scope="module")
def api(app: Flask) -> Api:
    return Api.of_app(app)


@pytest.fixture(scope="module")
def description(api: Api) -> Body:
    body: Body = api.get("/openapi.json").json()
    return body


def objects_in(node: Any) -> Iterator[Body]:
    """Yield every object in a JSON value."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects_in(inner)


# The description


def test_exactly_the_served_routes_are_described(app: Flask, description: Body) -> None:
    served = {
        (method.lower(), PATH_PARAMETER.sub(r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] not in UNDESCRIBED and rule.endpoint != "docs.static"
    }
    assert {(method, path) for method, path, _ in operations_of(description)} == served
    assert len(served) > 30
    assert description["openapi"].startswith("3.")


def test_every_operation_has_a_summary_a_tag_and_a_unique_id(description: Body) -> None:
    tags = {tag["name"]: tag["description"] for tag in description["tags"]}
    for method, path, operation in operations_of(description):
        assert operation["summary"], (method, path)
        assert tags[operation["tags"][0]]
        assert {code[0] for code in operation["responses"]} >= {"5"}
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["in"] == "query", (method, path)
    names = [operation["operationId"] for _, _, operation in operations_of(description)]
    assert len(names) == len(set(names))


def test_every_response_has_a_description_and_a_schema(description: Body) -> None:
    for method, path, operation in operations_of(description):
        for code, response in operation["responses"].items():
            assert response["description"], (method, path, code)
            if code != "302":
                assert all("schema" in content for content in response["content"].values()), (path, code)
                assert response["content"], (method, path, code)


def test_every_reference_can_be_resolved(description: Body) -> None:
    references = {node["$ref"] for node in objects_in(description) if isinstance(node.get("$ref"), str)}
    assert references
    for reference in references:
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_errors_have_the_shape_of_their_dialect(description: Body) -> None:
    for _, path, operation in operations_of(description):
        for code, response in operation["responses"].items():
            schema = json.dumps(response.get("content"))
            if int(code) >= 400 and path != "/health":
                assert ("/AnthropicError" in schema) == path.startswith(
                    ("/v1/messages", "/v1/models", "/v1/files")
                ), path
                assert ('/Error"' in schema) != path.startswith("/v1/messages"), path
    assert "PaginationMetadata" not in description["components"]["schemas"]
    assert not {"422", "default"} & {
        code for _, _, each in operations_of(description) for code in each["responses"]
    }


def test_example_errors_have_specific_messages(description: Body) -> None:
    examples = description["components"]["examples"]
    unexpected = [
        name for name, each in examples.items() if "unexpected" in each["value"]["error"]["message"]
    ]
    assert sorted(unexpected) == ["AnthropicGatewayError", "GatewayError"]
    assert examples["ModelNotAllowed"]["value"]["error"]["code"] == "model_not_allowed"


def test_answers_have_an_example_with_and_without_streaming(description: Body) -> None:
    firsts = {
        "/v1/chat/completions": '"object":"chat.completion.chunk"',
        "/v1/completions": '"object":"text_completion"',
        "/v1/responses": "event: response.created",
        "/v1/messages": "event: message_start",
    }
    for path, first in firsts.items():
        content = description["paths"][path]["post"]["responses"]["200"]["content"]
        assert first in content["text/event-stream"]["example"].partition("\n\n")[0]
        assert content["application/json"]["example"]["usage"]


def test_unknown_fields_are_allowed_where_the_gateway_accepts_them(description: Body) -> None:
    schemas = description["components"]["schemas"]
    open_ones = ("ChatCompletion", "ChatMessage", "Responses", "Messages", "Completion", "StreamOptions")
    assert {name: schemas[name]["additionalProperties"] for name in open_ones} == dict.fromkeys(
        open_ones, True
    )
    assert schemas["NewProject"]["additionalProperties"] is False
    assert schemas["ChatCompletion"]["properties"]["n"]["type"] == ["integer", "null"]
    assert schemas["ChatMessage"]["required"] == ["role"]


def test_security_follows_the_settings(make_api: MakeApi, description: Body) -> None:
    with_keys = make_api(require_auth=True, api_keys=("k",)).get("/openapi.json").json()
    schemes: list[Body] = [{"bearer": []}, {"x-api-key": []}]
    assert with_keys["components"]["securitySchemes"].keys() == {"bearer", "x-api-key"}
    assert (description["security"], with_keys["security"]) == ([{}, *schemes], schemes)
    public = {path for _, path, operation in operations_of(with_keys) if operation.get("security") == []}
    assert public == {"/", "/health", "/docs", "/redoc", "/openapi.json"}


def test_unchanged_description_is_not_sent_again(api: Api) -> None:
    tag = api.get("/openapi.json").headers["etag"]
    again = api.get("/openapi.json", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


# The page


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_docs_page_loads_everything_from_the_gateway(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, media_type(answer)) == (200, "text/html")
    assert "://" not in answer.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) >= 4
    for asset in loaded:
        assert api.get(asset).status_code == 200, asset
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    (nonce,) = re.findall(r"'nonce-([\w-]+)'", policy)
    assert answer.text.count(f'nonce="{nonce}"') == answer.text.count("<script nonce=") + 1


def test_redoc_redirects_to_the_docs(api: Api) -> None:
    for path in ("/redoc", "/redoc/"):
        answer = api.get(path)
        assert (answer.status_code, answer.headers["location"]) == (302, "/docs")

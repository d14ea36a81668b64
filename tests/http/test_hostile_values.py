"""Values that break the parsing of numbers and dates are errors of the client, at every route that takes one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from tests.support.apps import MakeApp

LONG = "9" * 5000  # Python refuses to convert more than 4,300 digits
VALUES = (
    LONG,
    f"-{LONG}",
    "9" * 20,
    "9999-12-31",
    "0001-01-01",
    "1e400",
    "NaN",
    "\0",
    "\N{ARABIC-INDIC DIGIT THREE}",
)
ALLOWED = (501, 503)  # not served, and the app of these tests has no CLI


@pytest.fixture
def client(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    return make_app(rate_limit_requests_per_minute=0, project_root=tmp_path / "projects").test_client()


def operations(client: FlaskClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, the path and the description of each operation."""
    for path, methods in client.get("/openapi.json").get_json()["paths"].items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method != "parameters":
                yield method, path, {**operation, "parameters": [*operation.get("parameters", []), *shared]}


def test_parameters_of_urls(client: FlaskClient) -> None:
    for method, path, operation in operations(client):
        names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
        for value in VALUES:
            url = re.sub(r"\{\w+\}", lambda _: quote(value, safe=""), path)  # noqa: B023
            if "{" in path and method in ("get", "delete"):
                assert_no_failure(client, method, url)
            for name in names:
                query = f"{re.sub(r'{[^}]+}', 'x', path)}?{name}={quote(value, safe='')}"
                assert_no_failure(client, method, query)


@pytest.mark.parametrize("value", [LONG, f'"{LONG}"', "9" * 40, "1e308"])
def test_fields_of_bodies(client: FlaskClient, value: str) -> None:
    for method, path, operation in operations(client):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = [one["value"] for one in content.get("examples", {}).values()] or [content.get("example")]
        for body in (variant for example in examples if example for variant in replace_each(example)):
            text = json.dumps(body).replace('"@"', value)
            assert_no_failure(client, method, re.sub(r"\{\w+\}", "x", path), data=text)


def replace_each(example: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield copies of the example with another value in place of each of its fields."""
    yield {**example, "max_tokens": "@"}
    for name in example:
        yield {**example, name: "@"}


def assert_no_failure(client: FlaskClient, method: str, url: str, **more: Any) -> None:
    status = client.open(url, method=method, **more).status_code
    assert status < 500 or status in ALLOWED, (status, method, url[:80], str(more)[:80])

"""Checks against the schemas of the Open Responses specification, for example `check(body, "ResponseResource")`.

The package `openresponses-py` has the specification's OpenAPI document of 2026-04-24, as
https://github.com/openresponses/openresponses publishes it in public/openapi/2026-04-24.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

Body = dict[str, Any]

VERSION = "2026-04-24"

#: Items of OpenAI's API that the specification leaves to the providers.
EXTENSIONS = ("custom_tool_call", "web_search_call")


def check(body: Any, schema: str) -> None:
    """Raise AssertionError unless `body` fits this schema of the specification."""
    problems = [f"{error.json_path}: {error.message}"[:300] for error in _validator(schema).iter_errors(body)]
    assert not problems, (schema, problems)


def check_response(body: Body) -> None:
    """Raise AssertionError unless a response object fits, apart from extensions that the specification allows."""
    check(_without_extensions(body), "ResponseResource")


def check_event(event: Body) -> None:
    """Raise AssertionError unless the event of a stream has the shape that the specification gives its type."""
    own_events = tuple(f"response.{kind}" for kind in EXTENSIONS)
    if event["type"].startswith(own_events) or event.get("item", {}).get("type") in EXTENSIONS:
        return
    if "response" in event:
        event = {**event, "response": _without_extensions(event["response"])}
    check(event, _event_schemas()[event["type"]])


def _without_extensions(response: Body) -> Body:
    """Leave out custom tools and calls, and the schema of the output, for which the document allows only null."""
    if response["text"]["format"]["type"] == "json_schema":
        response = {**response, "text": {"format": {**response["text"]["format"], "schema": None}}}
    return {
        **response,
        "output": [item for item in response["output"] if item["type"] not in EXTENSIONS],
        "tools": [tool for tool in response["tools"] if tool["type"] == "function"],
    }


@cache
def _document() -> Body:
    file = resources.files("openresponses").joinpath(f"openapi/{VERSION}.json")
    document: Body = json.loads(file.read_text("utf-8"))
    return document


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**_document(), "$ref": f"#/components/schemas/{schema}"})


@cache
def _event_schemas() -> dict[str, str]:
    """Return the name of the schema of each type of event."""
    schemas = _document()["components"]["schemas"]
    events = [name for name in schemas if name.endswith("StreamingEvent")]
    return {schemas[name]["properties"]["type"]["enum"][0]: name for name in events}

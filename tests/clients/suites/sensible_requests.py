"""A pytest plugin that makes the API tests of OpenAI's and Anthropic's SDKs meaningful for a real server.

These tests are written for a mock server: they name objects that do not exist, and send every parameter at once. The
plugin changes the requests below the tests, in the SDK's client:

- A page of no entries becomes a page of one, and a page after the entry `after` becomes the first one.
- `openai_objects` and `anthropic_objects` replace the ids of the tests by ids of objects that they create.
- If the gateway refuses a parameter as unsupported, the request is repeated without it. The refusals are written to
  the file SUITE_REFUSALS, because each of them has to be in the gateway's documentation.
"""

import functools
import importlib
import os
import re
from pathlib import Path
from typing import Any

SDK = importlib.import_module(os.environ["SUITE_SDK"])
OBJECTS = importlib.import_module(f"{SDK.__name__}_objects")
REFUSALS = Path(os.environ["SUITE_REFUSALS"])
_REFUSED = re.compile(r"^(?:Unsupported )?'([\w.\[\]-]+)'")
_STEP = re.compile(r"\w+")


def pytest_configure() -> None:
    """Wrap `request` of both clients."""
    base = importlib.import_module(f"{SDK.__name__}._base_client")
    sync_request, async_request = base.SyncAPIClient.request, base.AsyncAPIClient.request

    @functools.wraps(sync_request)
    def sensible(client: Any, cast_to: Any, options: Any, **given: Any) -> Any:
        options = _sensible(options)
        while True:
            try:
                return sync_request(client, cast_to, options, **given)
            except SDK.BadRequestError as error:
                _remove_refused(options, error)

    @functools.wraps(async_request)
    async def sensible_async(client: Any, cast_to: Any, options: Any, **given: Any) -> Any:
        options = _sensible(options)
        while True:
            try:
                return await async_request(client, cast_to, options, **given)
            except SDK.BadRequestError as error:
                _remove_refused(options, error)

    base.SyncAPIClient.request = sensible
    base.AsyncAPIClient.request = sensible_async


def _sensible(options: Any) -> Any:
    options = options.model_copy()
    options.url = OBJECTS.real_path(options.url)
    options.params = {name: value for name, value in options.params.items() if value != name}
    if options.params.get("limit") == 0:
        options.params["limit"] = 1  # both APIs refuse 0
    if isinstance(options.json_data, dict):
        options.json_data = OBJECTS.real_body(options.url, options.json_data)
    return options


def _remove_refused(options: Any, error: Any) -> None:
    """Remove the parameter that the gateway refuses, or raise the error if it is of another kind."""
    details = error.body.get("error", error.body) if isinstance(error.body, dict) else {}
    found = _REFUSED.match(details.get("message", ""))
    if not found or not isinstance(options.json_data, dict):
        raise error
    path = details.get("param") or found[1]
    options.json_data = _without(options.json_data, _STEP.findall(path), error)
    with REFUSALS.open("a") as refusals:
        refusals.write(f"{options.url} {path}\n")


def _without(value: Any, path: list[str], error: Exception) -> Any:
    step, *others = path
    key: Any = int(step) if isinstance(value, list) else step
    copy = value.copy()
    try:
        if others:
            copy[key] = _without(copy[key], others, error)
        else:
            del copy[key]
    except LookupError:
        raise error from None
    return copy

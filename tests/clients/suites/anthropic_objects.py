"""Objects for the API tests of anthropic-python: files and batches."""

import os
import re
import time
from collections.abc import Callable
from typing import Any

import httpx2

BASE = os.environ["TEST_API_BASE_URL"]
MODEL = os.environ["SUITE_MODEL"]
BATCH_SECONDS = 60
_REQUEST = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
_HEADERS = {"x-api-key": "my-anthropic-api-key", "anthropic-version": "2023-06-01"}
_FITTING = {"input_examples": [{"location": "Rome"}]}

Json = dict[str, Any]


def real_path(path: str) -> str:
    """Return the path with the ids of objects that exist instead of those in the tests.

    The objects are new, because tests delete and cancel them.
    """
    for name, create in _CREATED.items():
        path = re.sub(rf"/{name}\b", lambda _: f"/{create(path)}", path)  # noqa: B023
    return path


def real_body(_path: str, body: Json) -> Json:
    """Return the body with examples of tool calls that fit the tool's schema, as the API demands."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return body
    return {**body, "tools": [tool | _FITTING if "input_examples" in tool else tool for tool in tools]}


def new_file(_path: str) -> str:
    """Return the id of an uploaded file."""
    return _post("/v1/files", files={"file": ("example.txt", b"Example data", "text/plain")})


def new_batch(path: str) -> str:
    """Return the id of a batch with one request. It has ended, unless the path cancels it."""
    created = _post("/v1/messages/batches", json={"requests": [{"custom_id": "1", "params": _REQUEST}]})
    deadline = time.monotonic() + BATCH_SECONDS
    while not path.endswith("/cancel") and not _has_ended(created):
        assert time.monotonic() < deadline, "The batch has not ended."
        time.sleep(0.1)
    return created


_CREATED: dict[str, Callable[[str], str]] = {
    "message_batch_id": new_batch,
    "file_id": new_file,
    "model_id": lambda _path: MODEL,
}


def _has_ended(batch_id: str) -> bool:
    url = f"{BASE}/v1/messages/batches/{batch_id}"
    answer = httpx2.get(url, headers=_HEADERS, timeout=60, trust_env=False)
    return bool(answer.json()["processing_status"] == "ended")


def _post(path: str, **content: Any) -> str:
    answer = httpx2.post(f"{BASE}{path}", headers=_HEADERS, timeout=60, trust_env=False, **content)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])

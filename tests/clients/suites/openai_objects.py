"""Objects for the API tests of openai-python: responses, conversations, files and batches."""

import json
import os
import re
from collections.abc import Callable
from typing import Any

import httpx2

BASE = os.environ["TEST_API_BASE_URL"]
MODEL = os.environ["SUITE_MODEL"]
_MESSAGE = {"role": "user", "content": "Hello"}
_BATCHED = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}

Json = dict[str, Any]


def real_path(path: str) -> str:
    """Return the path with the ids of objects that exist instead of those in the tests.

    The objects are new, because tests delete and cancel them.
    """
    for pattern, create in _CREATED.items():
        path = re.sub(pattern, lambda found: found[1] + create(path), path)  # noqa: B023
    if path.endswith("/items/msg_abc"):
        path = path.removesuffix("msg_abc") + _get(path.removesuffix("/msg_abc"))["data"][0]["id"]
    return path


def real_body(path: str, body: Json) -> Json:
    """Return the body with a model and ids of objects that exist, and with an input if it has none."""
    body = {**body, "model": MODEL} if "model" in body else dict(body)
    if path.partition("?")[0] in ("/responses", "/responses/input_tokens", "/responses/compact"):
        body.setdefault("input", "Hello")
    if "conversation" in body:
        body["conversation"] = new_conversation()
        body.pop("previous_response_id", None)  # the API takes only one of the two
    if "previous_response_id" in body:
        body["previous_response_id"] = new_response()
    if "input_file_id" in body:
        body["input_file_id"] = new_batch_file()
    return body


def new_response(path: str = "") -> str:
    """Return the id of a stored response. It is a background one if the path cancels or streams it."""
    body = {"model": MODEL, "input": "Hello", "background": path.startswith("/responses/resp")}
    return _post("/responses", json=body)


def new_conversation(_path: str = "") -> str:
    """Return the id of a conversation with one item."""
    return _post("/conversations", json={"items": [_MESSAGE]})


def new_file(_path: str = "", content: bytes = b"Example data", purpose: str = "user_data") -> str:
    """Return the id of an uploaded file."""
    return _post("/files", files={"file": ("example.txt", content)}, data={"purpose": purpose})


def new_batch_file() -> str:
    """Return the id of a file with one request of a batch."""
    line = {**_BATCHED, "body": {"model": MODEL, "messages": [_MESSAGE]}}
    return new_file(content=json.dumps(line).encode(), purpose="batch")


def new_batch(_path: str = "") -> str:
    """Return the id of a batch with one request."""
    wanted = {"endpoint": _BATCHED["url"], "completion_window": "24h", "input_file_id": new_batch_file()}
    return _post("/batches", json=wanted)


_CREATED: dict[str, Callable[[str], str]] = {
    r"^(/responses/)resp_677\w+": new_response,
    r"^(/responses/)response_id\b": lambda _path: new_response(),
    r"^(/conversations/)conv_123": new_conversation,
    r"^(/files/)file_id": new_file,
    r"^(/batches/)batch_id": new_batch,
    r"^(/models/)gpt-[\w.-]+": lambda _path: MODEL,
}


def _post(path: str, **content: Any) -> str:
    answer = httpx2.post(f"{BASE}{path}", headers=_HEADERS, timeout=60, trust_env=False, **content)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


def _get(path: str) -> Json:
    answer = httpx2.get(f"{BASE}{path}", headers=_HEADERS, timeout=60, trust_env=False)
    assert answer.is_success, answer.text
    return dict(answer.json())


_HEADERS = {"Authorization": "Bearer My API Key"}

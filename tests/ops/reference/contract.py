"""Shapes, constants and a client that the tests of the reference's contract share."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from tests.support.gateway import Gateway
from tests.support.recorded import Body

CHAT = "/v1/chat/completions"
CHAT_BODY: Body = {"messages": [{"role": "user", "content": "hi"}]}
HAIKU = "claude-haiku-4-5-20251001"
OPUS, EARLIER_OPUS = "claude-opus-4-6-20260205", "claude-opus-4-5-20251101"
ALLOWED_ORIGIN = "https://app.example"
CLAUDE_API_KEY = "sk-ant-of-the-settings"
API_KEYS = [f"key-number-{number:03}" for number in range(200)]
REQUESTS_PER_MINUTE, BURST = 20, 5
LOG_MAX_BYTES, LOG_BACKUP_COUNT = 20_000, 2

#: A `models.json` as the reference has it, which knows no fallbacks.
MODELS: Body = {
    "default_model": OPUS,
    "aliases": {"opus": OPUS, "haiku": HAIKU, "claude-opus-latest": OPUS, "mine": HAIKU},
    "models": [
        {
            "id": name,
            "name": name.title(),
            "description": "A model",
            "max_tokens": 65536,
            "input_cost_per_1k": 0.005,
            "output_cost_per_1k": 0.025,
            "supports_streaming": True,
            "supports_tools": True,
        }
        for name in ("claude-opus-4-5-20250901", OPUS, EARLIER_OPUS, HAIKU)
    ],
}


class Client:
    """A client with one of API_KEYS that has sent no request yet."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self.gateway = gateway
        self.key = key

    def call(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request and return the response, whatever its status."""
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.gateway.api.request(method, url, headers=headers, **options)

    def json(self, method: str, url: str, body: Any = None) -> Any:
        """Send a request that has to succeed and return the JSON of its response."""
        response = self.call(method, url, json=body)
        assert response.status_code == 200, response.text
        return response.json()


def assert_has_shape(found: Any, shape: Any, where: str = "") -> None:
    """Assert that `found` has the fields of `shape`, of the same types; further fields are allowed.

    A shape is a type, a dictionary of shapes, or a list with the shape of its items; None stands for a string or null.
    """
    if isinstance(shape, dict):
        assert isinstance(found, dict), (where, found)
        assert found.keys() >= shape.keys(), where
        for name, inner in shape.items():
            assert_has_shape(found[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(found, list), (where, found)
        for item in found:
            assert_has_shape(item, shape[0], f"{where}[]")
    elif shape is None:
        assert found is None or isinstance(found, str), (where, found)
    else:
        assert isinstance(found, shape), (where, found)
        assert shape is bool or not isinstance(found, bool), (where, found)


def status_and_code(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of an error, which has to have the reference's shape."""
    assert_has_shape(response.json(), {"error": {"message": str, "type": str, "code": str}})
    return response.status_code, response.json()["error"]["code"]

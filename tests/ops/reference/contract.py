"""Settings of the gateway that the tests of the reference's contract share, and a check of shapes."""

from typing import Any

from tests.support.api_client import Body, chat_body

CHAT = "/v1/chat/completions"
CHAT_BODY = chat_body("hi")
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

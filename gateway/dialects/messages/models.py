"""Write models in Anthropic's shape.

https://platform.claude.com/docs/en/api/models-list
"""

from collections.abc import Sequence
from typing import Any

from gateway.turn import Model

UNKNOWN_DATE = "1970-01-01T00:00:00Z"  # Anthropic's API sends it too if it does not know the date
LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
EFFORTS = ("low", "medium", "high", "xhigh", "max")


def model_entry(model: Model, name: str, lifecycle: str) -> dict[str, Any]:
    """Return one model, under its id or an alias. The CLI does not report release dates."""
    return {
        "type": "model",
        "id": name,
        "display_name": model.name or name,
        "created_at": UNKNOWN_DATE,
        "lifecycle": lifecycle,
        "deprecated_at": None,
        "retires_at": f"{model.retires_at}T00:00:00Z" if model.retires_at else None,
        "line": next((line for line in LINES if line in model.id), None),
        "max_input_tokens": model.context_window,
        "max_tokens": model.max_tokens,
        "capabilities": _capabilities(model),
    }


def model_list(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return all models on one page."""
    return {
        "data": list(entries),
        "has_more": False,
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
    }


def _capabilities(model: Model) -> dict[str, Any]:
    """Return the features that work through the gateway. Anthropic's own API offers more."""
    levels = {name: _support(name in model.efforts) for name in EFFORTS}
    no_tools = dict.fromkeys(("code_execution", "web_search"), _support(False))
    return {
        "batch": _support(True),
        "citations": _support(False),
        "code_execution": _support(False),
        "context_management": _support(False),
        "effort": {**_support(bool(model.efforts)), **levels},
        "image_input": _support(model.supports_images),
        "pdf_input": _support(model.supports_images),
        "server_tools": {**_support(False), **no_tools},
        "structured_outputs": _support(True),
        "thinking": {**_support(model.thinking != "none"), "types": _thinking_types(model)},
    }


def _thinking_types(model: Model) -> dict[str, Any]:
    is_adaptive = model.thinking == "adaptive"
    return {
        "adaptive": _support(is_adaptive),
        "between_tools": _support(is_adaptive),
        "disabled": _support(model.thinking_off),
        "enabled": _support(model.thinking == "budget"),
    }


def _support(is_supported: bool) -> dict[str, bool]:
    return {"supported": is_supported}

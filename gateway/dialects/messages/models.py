"""Write models in Anthropic's shape.

https://platform.claude.com/docs/en/api/models-list
"""

from collections.abc import Sequence
from typing import Any

UNKNOWN_DATE = "1970-01-01T00:00:00Z"  # Anthropic's API sends it too if it does not know the date


def model_entry(name: str, display_name: str, max_tokens: int | None) -> dict[str, Any]:
    """Return one model, under its id or an alias. The CLI does not report release and retirement dates."""
    return {
        "type": "model",
        "id": name,
        "display_name": display_name,
        "created_at": UNKNOWN_DATE,
        "lifecycle": "active",
        "max_tokens": max_tokens,
    }


def model_list(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return all models on one page."""
    return {
        "data": list(entries),
        "has_more": False,
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
    }

"""Models in Anthropic's shape. https://platform.claude.com/docs/en/api/models-list"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

UNKNOWN_DATE = "1970-01-01T00:00:00Z"  # what Anthropic's API sends, too, where it does not know


def entry(name: str, display_name: str, max_tokens: int | None) -> dict[str, Any]:
    """One model under its id or an alias. When it was released and will retire the CLI does not tell."""
    return {
        "type": "model",
        "id": name,
        "display_name": display_name,
        "created_at": UNKNOWN_DATE,
        "lifecycle": "active",
        "max_tokens": max_tokens,
    }


def listing(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All models on one page."""
    return {
        "data": list(entries),
        "has_more": False,
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
    }

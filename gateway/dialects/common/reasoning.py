"""Read how much the model shall think: OpenAI's effort, and Anthropic's `thinking`."""

from __future__ import annotations

from typing import Any

from gateway.dialects.common.field_errors import invalid_field
from gateway.turn import EFFORTS

# Efforts that ask for no thinking. A model that cannot turn thinking off gets the lowest effort instead.
_OFF = ("none", "minimal")
_THINKING = {"enabled": True, "adaptive": True, "disabled": False}


def read_reasoning(body: dict[str, Any]) -> tuple[str | None, bool | None]:
    """Return a Turn's effort and thinking, each None if the client does not say. Raises InvalidRequest.

    `reasoning_effort` takes precedence over `reasoning.effort`, and `thinking` decides whether the model thinks.

    >>> read_reasoning({"reasoning_effort": "low"})
    ('low', True)
    """
    effort, thinks = _read_effort(body.get("reasoning_effort"), "reasoning_effort")
    if effort is None:
        effort, thinks = _read_effort((body.get("reasoning") or {}).get("effort"), "reasoning.effort")
    explicit = _read_thinking(body.get("thinking") or {})
    return effort, thinks if explicit is None else explicit


def find_ignored(body: dict[str, Any]) -> list[str]:
    """Return the paths of inner fields that have no effect, such as `thinking.budget_tokens`."""
    return [
        f"{name}.{key}"
        for name, honored in (
            ("reasoning", ("effort", "summary", "generate_summary")),
            ("thinking", ("type",)),
        )
        for key, value in (body.get(name) or {}).items()
        if value is not None and key not in honored
    ]


def _read_effort(value: Any, where: str) -> tuple[str | None, bool | None]:
    if value in (None, ""):
        return None, None
    if value in _OFF:
        return EFFORTS[0], False
    if value in EFFORTS:
        return value, True
    raise invalid_field(where, f"Expected one of: {', '.join((*_OFF, *EFFORTS))}.")


def _read_thinking(thinking: dict[str, Any]) -> bool | None:
    kind = thinking.get("type")
    if kind in (None, ""):
        return None
    if not isinstance(kind, str) or kind not in _THINKING:
        raise invalid_field("thinking.type", f"Expected one of: {', '.join(_THINKING)}.")
    return _THINKING[kind]

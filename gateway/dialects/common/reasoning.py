"""How much the model shall think: OpenAI's effort, and Anthropic's `thinking`."""

from __future__ import annotations

from typing import Any

from gateway.dialects.common.field_errors import invalid
from gateway.turn import EFFORTS

# Efforts that ask for no thinking. Models that cannot but think then get the lowest effort.
_OFF = ("none", "minimal")
_THINKING = {"enabled": True, "adaptive": True, "disabled": False}


def translate(body: dict[str, Any]) -> tuple[str | None, bool | None]:
    """A Turn's effort and thinking; None where the client says nothing. Raises InvalidRequest.

    `thinking` decides whether the model thinks, an effort says how much. `reasoning_effort` goes before
    `reasoning.effort`.
    """
    effort, thinks = _effort(body.get("reasoning_effort"), "reasoning_effort")
    if effort is None:
        effort, thinks = _effort((body.get("reasoning") or {}).get("effort"), "reasoning.effort")
    explicit = _thinking(body.get("thinking") or {})
    return effort, thinks if explicit is None else explicit


def without_effect(body: dict[str, Any]) -> list[str]:
    """The paths of inner fields that say more than can be honoured, such as `thinking.budget_tokens`."""
    return [
        f"{name}.{key}"
        for name, honoured in (
            ("reasoning", ("effort", "summary", "generate_summary")),
            ("thinking", ("type",)),
        )
        for key, value in (body.get(name) or {}).items()
        if value is not None and key not in honoured
    ]


def _effort(value: Any, where: str) -> tuple[str | None, bool | None]:
    if value in (None, ""):
        return None, None
    if value in _OFF:
        return EFFORTS[0], False
    if value in EFFORTS:
        return value, True
    raise invalid(where, f"Expected one of: {', '.join((*_OFF, *EFFORTS))}.")


def _thinking(thinking: dict[str, Any]) -> bool | None:
    kind = thinking.get("type")
    if kind in (None, ""):
        return None
    if not isinstance(kind, str) or kind not in _THINKING:
        raise invalid("thinking.type", f"Expected one of: {', '.join(_THINKING)}.")
    return _THINKING[kind]

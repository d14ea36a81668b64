"""Read a request body: its texts, its size in tokens, and the thinking it asks for."""

from collections.abc import Iterator
from typing import Any

from .models import Model, describe

Body = dict[str, Any]

CHARS_PER_TOKEN = 4
# The price of a full-size image, by Anthropic's vision guide. A PDF page costs about the same.
TOKENS_PER_IMAGE = 1_600


def model_of(body: Body) -> Model:
    """Return the model that a body asks for. The id may be missing if the rules are turned off."""
    return describe(str(body.get("model", "")))


def texts(content: Any) -> Iterator[str]:
    """Yield every text of a message's content (a string or a list of blocks), those inside tool results too."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if block.get("type") == "text":
            yield block["text"]
        elif block.get("type") == "tool_result":
            yield from texts(block.get("content"))


def last_user_texts(body: Body) -> list[str]:
    """Return the texts of the last user message, one per block; an empty list if there is no such message."""
    for message in reversed(body.get("messages") or []):
        if message.get("role") == "user":
            return list(texts(message.get("content")))
    return []


def last_user_text(body: Body) -> str:
    """Return the text of the last user message, with its blocks joined by newlines."""
    return "\n".join(last_user_texts(body))


def spoken_text(body: Body) -> str:
    """Return the last user text without the reminders that the CLI puts around it."""
    spoken = [text.strip() for text in last_user_texts(body) if not text.startswith("<system-reminder>")]
    return spoken[-1] if spoken else ""


def count_tokens(body: Body) -> int:
    """Return the estimated size of the prompt in tokens, at least 1."""
    parts = (body.get(name) for name in ("system", "messages", "tools"))
    return max(1, sum(map(_chars, parts)) // CHARS_PER_TOKEN)


def _chars(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        if value.get("type") in ("image", "document") and _is_opaque(value.get("source")):
            return TOKENS_PER_IMAGE * CHARS_PER_TOKEN
        total = 0
        for name, inner in value.items():  # a loop, because this runs for every part of every request
            total += len(name) + (len(inner) if type(inner) is str else _chars(inner))
        return total
    return sum(map(_chars, value)) if isinstance(value, list) else CHARS_PER_TOKEN


def _is_opaque(source: Any) -> bool:
    return isinstance(source, dict) and source.get("type") in ("base64", "url", "file")


def thinking_type(body: Body) -> str:
    """Return the type of `thinking`: "enabled", "adaptive", "disabled", or "" if it is not set."""
    thinking = body.get("thinking")
    return str(thinking.get("type", "")) if isinstance(thinking, dict) else ""


def thinks(body: Body, model: Model) -> bool:
    """Return whether the model thinks before it answers this request."""
    kind = thinking_type(body)
    return kind in ("enabled", "adaptive") or (not kind and not model.thinking_off_ok)


def shows_thinking(body: Body, model: Model) -> bool:
    """Return whether the text of the thinking is sent, and not only its signature."""
    display = (body.get("thinking") or {}).get("display")
    return bool(display == "summarized") if display else not model.hides_thinking

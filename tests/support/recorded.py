"""Read requests that the stand-in model recorded, and streams that a client received.

For example, `turns_of(standin.messages.last)` may be `[("user", ["hi"])]`.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tests.standin import Recorded
from tests.standin.prompt import texts

# The CLI puts two lines before every system text: the first is for billing, the second says what it is.
CLI_BILLING = "x-anthropic-billing-header:"
CLI_IDENTITY = "You are a Claude agent, built on Anthropic's Claude Agent SDK."

Turns = list[tuple[str, list[str]]]
Body = dict[str, Any]


def user(content: Any) -> Body:
    """Return a user message as clients send it."""
    return {"role": "user", "content": content}


def assistant(content: Any) -> Body:
    """Return an assistant message as clients send it back."""
    return {"role": "assistant", "content": content}


def system(content: Any) -> Body:
    """Return a system message."""
    return {"role": "system", "content": content}


def process_of(record: Recorded) -> str:
    """Return the session id that the CLI process which sent the request has for all its requests."""
    return record.headers["x-claude-code-session-id"]


def all_turns_of(record: Recorded) -> Turns:
    """Return the role and texts of each message with content. Raise AssertionError for content that is not text."""
    messages = record.body["messages"]
    for message in messages:
        assert isinstance(message["content"], str) or all(
            block["type"] == "text" for block in message["content"]
        ), message
    return [(message["role"], list(texts(message["content"]))) for message in messages if message["content"]]


def turns_of(record: Recorded) -> Turns:
    """Return the role and texts of each message, without the system messages that the CLI inserts."""
    return [(role, texts) for role, texts in all_turns_of(record) if role != "system"]


def system_texts_of(record: Recorded) -> list[str]:
    """Return the client's system texts: all that follow the two lines of the CLI, which must come first."""
    billing, identity, *own = [block["text"] for block in record.body["system"]]
    assert billing.startswith(CLI_BILLING)
    assert len(billing) < 200
    assert identity == CLI_IDENTITY
    return own


def assert_prompts_grow(records: Sequence[Recorded]) -> None:
    """Assert that each request begins with all of the one before it, so that Anthropic's prompt cache hits."""
    for earlier, later in itertools.pairwise(records):
        before, after = messages_of(earlier), messages_of(later)
        assert after[: len(before)] == before
        for name in ("system", "tools"):
            assert _without_cache_marks(later.body.get(name)) == _without_cache_marks(earlier.body.get(name))


def messages_of(record: Recorded) -> list[Body]:
    """Return the messages with their contents as blocks, without cache marks, which move with the conversation."""
    return [
        {**message, "content": _without_cache_marks(_as_blocks(message["content"]))}
        for message in record.body["messages"]
    ]


def _as_blocks(content: Any) -> Any:
    """Return the content as blocks. The CLI may write a single text as a string."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _without_cache_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_cache_marks(item) for key, item in value.items() if key != "cache_control"}
    return [_without_cache_marks(item) for item in value] if isinstance(value, list) else value


def chunks_of(events: Iterable[str]) -> list[Body]:
    """Return the parsed chunks of a stream, which must end with `[DONE]`."""
    *data, last = events
    assert last == "[DONE]"
    return [json.loads(event) for event in data]


def streamed_text(chunks: Iterable[Body]) -> str:
    """Return the text that a stream's chunks carry."""
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)


def last_user_text(body: Body) -> str:
    """Return the text of the last user message in the body of a request to the model."""
    messages = [message for message in body["messages"] if message["role"] == "user"]
    content = messages[-1]["content"]
    return content if isinstance(content, str) else str(content[-1].get("text", ""))

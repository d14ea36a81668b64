"""Conversations in sessions: send messages, and read the texts that the model received and the database stores."""

from typing import Any

from tests.standin import Recorded
from tests.support.api_client import Api, Body, body_of
from tests.support.recorded import turns_of, user


def say(api: Api, session_id: str | None, *messages: Any, **fields: Any) -> Body:
    """Ask for a chat completion in a session and return its body. Messages that are texts are the user's."""
    turns = [user(message) if isinstance(message, str) else message for message in messages]
    return body_of(api.chat(messages=turns, session_id=session_id, **fields))


def texts_to_model(record: Recorded) -> list[str]:
    """Return the text of each message that reached the model."""
    return [" | ".join(texts) for _, texts in turns_of(record)]


def stored_texts(api: Api, session_id: str) -> list[str]:
    """Return the content of each stored message."""
    return [message["content"] for message in api.show_session(session_id)["messages"]]

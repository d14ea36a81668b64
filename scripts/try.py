#!/usr/bin/env python3
"""Try the running gateway from outside. Behind `make test-health`, `test-models`, `test-hello` and so on.

BASE_URL and API_KEY in the environment choose another gateway, and the key. Chats cost what they cost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from gateway.settings import SettingsError, load  # noqa: E402  the project is not installed
from scripts.client import Client, NoAnswer, Refused  # noqa: E402

CHAT = "/v1/chat/completions"


class Failed(Exception):
    """The gateway answered, but not as it should."""


def health(client: Client) -> str:
    """Whether answers can be given."""
    found = client.get("/health")
    return f"{found['status']}, Claude Code {found['claude_version']}"


def models(client: Client) -> str:
    """The list of models, and the first by its name."""
    listed = client.get("/v1/models")["data"]
    if not listed:
        raise Failed("no models are listed")
    first = client.get(f"/v1/models/{listed[0]['id']}")
    if first["id"] != listed[0]["id"]:
        raise Failed(f"{first['id']} is not {listed[0]['id']}")
    return f"{len(listed)} models, {first['id']} among them"


def hello(client: Client) -> str:
    """A hello-world chat with Haiku."""
    answer = client.post(CHAT, _ask("Say hello world, nothing else.", model="haiku"))
    return _said(answer["choices"][0]["message"]["content"], answer)


def chat(client: Client) -> str:
    """A streamed chat with the default model, token by token."""
    begun = time.monotonic()
    first, pieces = 0.0, []
    event = ""
    for event in client.stream(CHAT, _ask("Count from 1 to 10.", stream=True)):
        for choice in json.loads(event).get("choices", []) if event != "[DONE]" else ():
            if choice["delta"].get("content"):
                first = first or time.monotonic() - begun
                pieces.append(choice["delta"]["content"])
    if event != "[DONE]" or not pieces:
        raise Failed(f"the stream ends with {event or 'nothing'}")
    return f"{''.join(pieces)!r} in {len(pieces)} pieces, the first after {first:.1f} s"


CHECKS: dict[str, Callable[[Client], str]] = {
    "health": health,
    "models": models,
    "hello": hello,
    "chat": chat,
}


def _ask(text: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def _said(text: str, answer: dict[str, Any]) -> str:
    if not text:
        raise Failed("the answer has no text")
    return f"{answer['model']} said {text!r}, {answer['usage']['total_tokens']} tokens"


def main() -> None:
    """The command line; ends with 1 when a check fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("what", choices=list(CHECKS), nargs="+")
    names = parser.parse_args().what
    os.chdir(PROJECT)
    try:
        client = Client(load())
    except SettingsError as error:
        sys.exit(str(error))
    for name in names:
        begun = time.monotonic()
        try:
            told = CHECKS[name](client)
        except (NoAnswer, Refused, Failed) as error:
            sys.exit(f"{name:8} FAILED  {error}")
        print(f"{name:8} ok      {told} ({time.monotonic() - begun:.1f} s)", flush=True)


if __name__ == "__main__":
    main()

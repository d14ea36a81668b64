#!/usr/bin/env python3
"""Try the running gateway as a client, for `make test-health`, `test-models`, `test-hello` and `test-chat`.

BASE_URL and API_KEY in the environment select another gateway and the key. Chats use the account and cost money.
"""

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

from gateway.command_line.client import Client, NoAnswer, Refused  # noqa: E402
from gateway.settings import SettingsError, load  # noqa: E402  the project is not installed

CHAT = "/v1/chat/completions"


class Failed(Exception):
    """The gateway answered, but the answer is wrong."""


def check_health(client: Client) -> str:
    """Check that the gateway can answer."""
    found = client.get("/health")
    return f"{found['status']}, Claude Code {found['claude_version']}"


def check_models(client: Client) -> str:
    """List the models, and get the first one by its name."""
    listed = client.get("/v1/models")["data"]
    if not listed:
        raise Failed("no models are listed")
    first = client.get(f"/v1/models/{listed[0]['id']}")
    if first["id"] != listed[0]["id"]:
        raise Failed(f"asked for {listed[0]['id']}, got {first['id']}")
    return f"{len(listed)} models, e.g. {first['id']}"


def check_hello(client: Client) -> str:
    """Have a hello-world chat with Haiku."""
    answer = client.post(CHAT, _create_body("Say hello world, nothing else.", model="haiku"))
    return _describe_answer(answer["choices"][0]["message"]["content"], answer)


def check_chat(client: Client) -> str:
    """Stream a chat with the default model."""
    begun = time.monotonic()
    first_seconds, chunks = 0.0, []
    event = ""
    for event in client.stream(CHAT, _create_body("Count from 1 to 10.", stream=True)):
        for choice in json.loads(event).get("choices", []) if event != "[DONE]" else ():
            if choice["delta"].get("content"):
                first_seconds = first_seconds or time.monotonic() - begun
                chunks.append(choice["delta"]["content"])
    if event != "[DONE]" or not chunks:
        raise Failed(f"the stream ended with {event or 'nothing'}")
    return f"{''.join(chunks)!r} in {len(chunks)} chunks, the first after {first_seconds:.1f} s"


CHECKS: dict[str, Callable[[Client], str]] = {
    "health": check_health,
    "models": check_models,
    "hello": check_hello,
    "chat": check_chat,
}


def _create_body(text: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def _describe_answer(text: str, answer: dict[str, Any]) -> str:
    if not text:
        raise Failed("the answer has no text")
    return f"{answer['model']} said {text!r}, {answer['usage']['total_tokens']} tokens"


def main() -> None:
    """Run the command line. Exit with 1 if a check fails."""
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
            result = CHECKS[name](client)
        except (NoAnswer, Refused, Failed) as error:
            sys.exit(f"{name:8} FAILED  {error}")
        print(f"{name:8} ok      {result} ({time.monotonic() - begun:.1f} s)", flush=True)


if __name__ == "__main__":
    main()

"""Batches in an app of this process, whose model is replaced by functions of the test."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import pytest
from flask import Flask

from gateway.answering.caller import derive_owner_id
from gateway.answering.services import Services
from gateway.api.http.context import services_of
from gateway.claude.service import Claude
from gateway.store.batches import OPEN, Batch, Kind
from gateway.turn import Turn
from tests.support.api_client import Api, Body
from tests.unit.answering.fakes import FakeRun, complete_run

#: Returns the run that answers turns.
Model = Callable[..., Any]


class BatchApp:
    """An app with a client of it. The runner works only while `finish` waits."""

    def __init__(self, app: Flask, key: str | None = None) -> None:
        self.app = app
        self.services: Services = services_of(app)
        self.api = Api.of_app(app, key=key)
        self.owner = derive_owner_id(None, key or "")

    def replace_model(self, model: Model, patch: pytest.MonkeyPatch) -> None:
        """Answer all turns with the runs that `model` returns."""
        patch.setattr(self.services.claude, "await_ready", lambda: None)
        patch.setattr(self.services.claude, "answer", model)
        patch.setattr(Claude, "has_spare_slot", True)

    def upload(self, *lines: Body | str, purpose: str = "batch", owner: str | None = None) -> str:
        """Store an input file and return its id."""
        data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
        return self.services.files.create(
            self.owner if owner is None else owner, "in.jsonl", purpose, "application/jsonl", data
        ).id

    def create(self, *lines: Body | str, endpoint: str = "/v1/chat/completions", **fields: Any) -> Body:
        """Create a batch of OpenAI's API with these input lines."""
        body = {"input_file_id": self.upload(*lines), "endpoint": endpoint, **fields}
        answer = self.api.post("/v1/batches", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get(self, batch: Body, kind: Kind = "openai") -> Batch:
        """Return the batch as it is now."""
        return self.services.batches.get(self.owner, kind, batch["id"])

    def look_for_work(self) -> None:
        """Let the runner start what it can, and let the started greenlets run."""
        self.services.batch_runner._look_for_work()
        gevent.sleep(0.001)

    def finish(self, batch: Body, kind: Kind = "openai") -> Batch:
        """Run the batch to its end."""
        with gevent.Timeout(10):
            while True:
                current = self.get(batch, kind)
                if current.status not in OPEN:
                    return current
                self.look_for_work()

    def read_lines(self, file_id: str | None) -> list[Body]:
        """Return the lines of a result file; none if there is no file."""
        if file_id is None:
            return []
        content = b"".join(self.services.files.read(self.owner, file_id))
        return [json.loads(line) for line in content.splitlines()]


def chat_line(custom_id: str, text: str = "hi", **fields: Any) -> Body:
    """Return an input line with a chat completion."""
    body = {"model": "haiku", "messages": [{"role": "user", "content": text}], **fields}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def message_request(custom_id: str, text: str = "hi", **fields: Any) -> Body:
    """Return a request of a batch of messages."""
    message = {"role": "user", "content": text}
    return {
        "custom_id": custom_id,
        "params": {"model": "haiku", "max_tokens": 100, "messages": [message], **fields},
    }


def text_of(turn: Turn) -> str:
    """Return the text of a turn's last message."""
    block: Mapping[str, Any] = turn.messages[-1].content[0]
    return str(block["text"])


def repeat(*turns: Turn, **options: object) -> FakeRun:
    """Answer as a model that repeats what it is told."""
    return complete_run(f"You said {text_of(turns[0])}")

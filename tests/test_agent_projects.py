"""Projects in which Claude Code's own tools work: the real CLI, with a scripted model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.recorded import Body, assistant, chunks, user
from tests.recorded import content as text_of
from tests.standin import Recorded, StandIn, blocks, text, text_block, thinking, tool_block, tool_calls
from tests.support import Gateway, wait_for

SLEEP = "86399"  # how long the program sleeps that a test looks for
SECRET = "THE-OTHER-PROJECT-S-SECRET"
ALL = ["Bash", "Glob", "Grep", "Read", "Write"]


@pytest.fixture(scope="module")
def agents_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents") / "projects"


@pytest.fixture(scope="module")
def _agents(cli_environ: dict[str, str], agents_root: Path) -> Iterator[Gateway]:
    settings = {
        "PROJECT_ROOT": str(agents_root),
        "ALLOW_AGENT_PROJECTS": "true",
        "AGENT_TOOLS": ",".join([*ALL, "Edit"]),
        "WARM_PROCESSES": "1",
        "MAX_PROCESSES": "4",
    }
    gateway = Gateway({**cli_environ, **settings})
    yield gateway
    gateway.close()


@pytest.fixture
def agents(_agents: Gateway, standin: StandIn) -> Gateway:
    """A gateway whose operator allows agents, Bash included."""
    return _agents


def make(gateway: Gateway, path: str, files: dict[str, str] | None = None, **policy: Any) -> str:
    """The id of a new agent project in the folder `path`."""
    body = {"name": path, "path": path, "policy": {"mode": "agent", "tools": ["Read"], **policy}}
    answer = gateway.http.post("/v1/projects", json=body)
    assert answer.status_code == 200, answer.text
    project: str = answer.json()["id"]
    for name, content in (files or {}).items():
        put = gateway.http.put(f"/v1/projects/{project}/files/{name}", content=content)
        assert put.status_code == 200, put.text
    return project


def results(record: Recorded) -> list[tuple[bool, str]]:
    """Of each tool result that reached the model whether it failed, and its text."""
    found = []
    for message in record.body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_result":
                found.append((bool(block.get("is_error")), json.dumps(block["content"])))
    return found


def session(record: Recorded) -> str:
    return record.headers["x-claude-code-session-id"]


def test_smoke(agents: Gateway, standin: StandIn) -> None:
    project = make(agents, "smoke", {"a.txt": "The sea is calm tonight."}, report_activity=True)
    standin.reply(tool_calls([("Read", {"file_path": "a.txt"})], text="Let me look."), times=1)
    answer = agents.chat("What is in it?", project_id=project)
    print(answer.text)
    for m in standin.messages: print(results(m), [x["text"][-300:] for x in m.body["system"]])
    assert 0

"""A running gateway keeps to its own description in `/openapi.json`: examples work, and responses match."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_client import body_of
from tests.support.batches import chat_line
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway
from tests.support.openapi import operations_of
from tests.support.scripted import ScriptedCli


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory, cli_environ: dict[str, str]) -> Iterator[Gateway]:
    """Return a gateway with the scripted CLI."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    gateway = Gateway({**cli_environ, **NOTHING_KEPT, **cli.environ})
    yield gateway
    gateway.close()


def test_examples_of_requests_work(scripted: Gateway) -> None:
    description = body_of(scripted.api.get("/openapi.json"))
    tried = 0
    for method, path, operation in operations_of(description):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = [example["value"] for example in content.get("examples", {}).values()]
        if "{" in path or not content:
            continue
        for body in bodies or [content["example"]]:
            if "input_file_id" in body:
                body["input_file_id"] = upload_input(scripted)
            answer = scripted.api.request(method, path, json=body)
            assert answer.status_code == 200, (path, answer.text)
            kind = "text/event-stream" if body.get("stream") else "application/json"
            assert answer.headers["content-type"].startswith(kind) or path.endswith("/debug")
            tried += 1
    assert tried > 10


def upload_input(gateway: Gateway) -> str:
    """Upload the requests of a batch and return the id of the file."""
    files = {"file": ("in.jsonl", json.dumps(chat_line("first")).encode())}
    uploaded = body_of(gateway.api.post("/v1/files", files=files, data={"purpose": "batch"}))
    return str(uploaded["id"])


def explore(gateway: Gateway, folder: Path, *arguments: str) -> None:
    """Run schemathesis, which sends generated requests and checks every response against the description."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *(
                "--config-file",
                str(ROOT / "tests/support/schemathesis.toml"),
                "run",
                f"{gateway.url}/openapi.json",
            ),
            *("--continue-on-failure", "--generation-database", "none", "--no-color", "--warnings", "off"),
            *arguments,
        ],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.support.openapi_hooks",
        },
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "Traceback" not in gateway.log


needs_schemathesis = pytest.mark.skipif(sys.version_info < (3, 11), reason="schemathesis needs Python 3.11")


@needs_schemathesis
def test_responses_match_the_description(scripted: Gateway, tmp_path: Path) -> None:
    explore(scripted, tmp_path, "--phases", "examples,fuzzing", "--max-examples", "2", "--seed", "1")


@needs_schemathesis
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_responses_of_a_long_run_match_the_description(scripted: Gateway, tmp_path: Path) -> None:
    explore(scripted, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "200")

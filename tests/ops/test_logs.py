"""The log: one line a request, nothing confidential, and no line lost when files are rotated."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings import Settings, SettingsError
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.scripted import ScriptedCli

KEY = "a-confidential-key"
MARK = "confidential-words"


def test_start_fails_when_the_log_file_is_not_writable(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/x.db", log_file_path=Path("/proc/none/x.log"))
    with pytest.raises(SettingsError, match="LOG_FILE_PATH"):
        create_app(settings)


# The lines


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log file of `logged`."""
    return tmp_path_factory.mktemp("logs") / "gateway.log"


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[Gateway]:
    """A gateway with keys in front of the scripted CLI, with a log in JSON, in a file as well."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    settings = {"LOG_FORMAT": "json", "LOG_FILE_PATH": str(file)}
    keys = {"REQUIRE_AUTH": "true", "API_KEYS": KEY, "ANTHROPIC_API_KEY": "sk-ant-dummy"}
    with closing(Gateway({**NOTHING_KEPT, **cli.environ, **settings, **keys})) as gateway:
        gateway.api.headers["x-api-key"] = KEY
        gateway.await_warm(1)
        yield gateway


def lines(gateway: Gateway, request_id: str) -> list[dict[str, Any]]:
    """All lines of a request, when its own has come."""

    def found() -> list[dict[str, Any]]:
        raw = [line for line in gateway.log.splitlines() if request_id in line]
        parsed = [json.loads(line) for line in raw]
        return parsed if any(line["event"] == "request" for line in parsed) else []

    return wait_for(found, 10)  # type: ignore[no-any-return]


def line(gateway: Gateway, request_id: str) -> dict[str, Any]:
    """The one line of a request that went well or failed without further notice."""
    (found,) = lines(gateway, request_id)
    return found


def send(gateway: Gateway, request_id: str, content: Any, **fields: Any) -> int:
    body = {"messages": [{"role": "user", "content": content}], **fields}
    headers = {"x-request-id": request_id}
    return gateway.api.post("/v1/chat/completions", json=body, headers=headers).status_code


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_each_answer_is_one_line(logged: Gateway, stream: bool) -> None:
    request_id = f"answer-{stream}"
    assert send(logged, request_id, MARK, stream=stream) == 200
    found = line(logged, request_id)
    expected = {
        "event": "request",
        "level": "info",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "key": "API_KEYS",
        "model": "claude-scripted",
        "outcome": "complete",
        "streamed": stream,
        "input_tokens": 1,
        "output_tokens": 2,
        "cost": 0.01,
        "stop_reason": "end_turn",
    }
    assert expected.items() <= found.items()
    assert 0 < found["first_seconds"] <= found["seconds"]
    assert "error" not in found


def test_line_is_written_when_the_stream_is_over(logged: Gateway) -> None:
    body = {"messages": [{"role": "user", "content": "HANGLATER"}], "stream": True}
    headers = {"x-request-id": "left-early"}
    with logged.api.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
        said = response.iter_lines()  # whose end would be that of the connection
        next(line for line in said if "so far" in line)
        time.sleep(0.2)
        assert "left-early" not in logged.log
    found = line(logged, "left-early")
    assert (found["outcome"], found["error"], found["is_estimated"]) == ("cut", "client_closed_request", True)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/models", 200, None),
        ("GET", "/nothing", 404, "unknown_url"),
        ("GET", "/a%0Ab", 404, "unknown_url"),
        ("PUT", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", 400, "missing_messages"),
    ],
)
def test_requests_without_an_answer_are_logged(
    logged: Gateway, method: str, path: str, status: int, code: str | None
) -> None:
    request_id = f"{method}-{status}-{path.count('%')}"
    logged.api.request(method, path, headers={"x-request-id": request_id})
    found = line(logged, request_id)
    assert (found["method"], found["path"], found["status"]) == (method, path, status)
    assert found.get("error") == code
    assert found["seconds"] < 5
    assert "outcome" not in found


def test_rejected_keys_are_logged(logged: Gateway) -> None:
    logged.api.get("/v1/models", headers={"x-api-key": "wrong", "x-request-id": "refused"})
    found = line(logged, "refused")
    assert (found["status"], found["error"], "key" in found) == (401, "invalid_api_key", False)


def test_log_file_has_the_same_lines(logged: Gateway, file: Path) -> None:
    logged.api.get("/v1/models", headers={"x-request-id": "filed"})
    line(logged, "filed")
    printed = [text for text in logged.log.splitlines() if text.startswith("{")]
    assert set(printed) <= set(file.read_text("utf-8").splitlines())


def test_health_checks_are_not_logged(logged: Gateway) -> None:
    logged.api.get("/health", headers={"x-request-id": "healthy"})
    logged.api.get("/v1/models", headers={"x-request-id": "behind-health"})
    line(logged, "behind-health")
    assert "healthy" not in logged.log.replace("unhealthy", "")


@pytest.mark.parametrize(
    ("word", "code"),
    [("CRASHFIRST", "upstream_error"), ("CRASHLATER", "upstream_error"), ("BROKENLATER", "internal_error")],
)
@pytest.mark.parametrize("stream", [True, False])
def test_failure_is_logged_with_its_code(logged: Gateway, word: str, code: str, stream: bool) -> None:
    request_id = f"failed-{word}-{stream}"
    send(logged, request_id, f"{word} {MARK}", stream=stream)
    (found,) = [entry for entry in lines(logged, request_id) if entry["event"] == "request"]
    assert (found["outcome"], found["error"]) == ("failed", code)


@pytest.mark.parametrize("n", [1, 2])
def test_stderr_of_the_cli_is_logged_with_the_request_id(logged: Gateway, n: int) -> None:
    request_id = f"stderr-{n}"
    assert send(logged, request_id, "STDERR", n=n) == 200

    def complaints() -> bool:
        return sum("a complaint of the CLI" in entry["event"] for entry in lines(logged, request_id)) == n

    wait_for(complaints, 10)


def test_log_holds_nothing_confidential(logged: Gateway) -> None:
    """Whatever comes of a request: answers, refusals by the schema or the dialect, failures, unknown models."""
    marked: list[tuple[Any, dict[str, Any]]] = [
        (MARK, {}),
        (f"CRASHLATER {MARK}", {}),
        (f"BROKENFIRST {MARK}", {"n": 2}),
        (f"GARBAGE {MARK}", {"stream": True}),
        (MARK, {"stream": MARK}),
        ([{"type": MARK}], {}),
        (MARK, {"tools": [{"type": "function", "function": {"name": MARK, "parameters": MARK}}]}),
        (MARK, {"model": MARK}),
    ]
    for number, (content, fields) in enumerate(marked):
        send(logged, f"marked-{number}", content, **fields)
        lines(logged, f"marked-{number}")
    assert MARK not in logged.log
    assert KEY not in logged.log
    assert "sk-ant-dummy" not in logged.log


def test_database_statements_are_not_logged_even_when_debugging() -> None:
    """They have conversations in them. In a process of its own, as the levels are for all."""
    check = (
        "import logging; from gateway.observe import logs; logs.configure_logging('DEBUG', 'json');"
        "print([logging.getLogger(name).isEnabledFor(10) for name in ('gateway.claude', 'peewee')])"
    )
    ran = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[True, False]"


# LOG_CONTENT


def test_log_content_adds_request_and_answer(tmp_path: Path, start_gateway: Callable[..., Gateway]) -> None:
    cli = ScriptedCli(tmp_path)
    gateway = start_gateway(**NOTHING_KEPT, **cli.environ, LOG_FORMAT="json", LOG_CONTENT="true")
    assert send(gateway, "told", "grüße") == 200
    assert send(gateway, "wrong", 5) == 400
    found = line(gateway, "told")
    assert json.loads(found["body"])["messages"][0]["content"] == "grüße"
    assert found["answer"] == ["You said: grüße"]
    assert json.loads(line(gateway, "wrong")["body"])["messages"][0]["content"] == 5

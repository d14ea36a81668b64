"""The log has one line per request and holds nothing confidential. Rotation: tests/unit/observe/test_log_file.py."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings import Settings, SettingsError
from tests.support.api_client import Body, chat_body
from tests.support.gateway import NOTHING_KEPT, ROOT, Gateway, wait_for
from tests.support.scripted import ScriptedCli

CHAT = "/v1/chat/completions"
KEY = "a-confidential-key"
MARK = "confidential-words"


def test_start_fails_when_the_log_file_is_not_writable(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/x.db", log_file_path=Path("/proc/none/x.log"))
    with pytest.raises(SettingsError, match="LOG_FILE_PATH"):
        create_app(settings)


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the log file of `logging_gateway`."""
    return tmp_path_factory.mktemp("logs") / "gateway.log"


@pytest.fixture(scope="module")
def logging_gateway(tmp_path_factory: pytest.TempPathFactory, log_file: Path) -> Iterator[Gateway]:
    """Yield a gateway with keys and the scripted CLI, which logs in JSON to stdout and to a file."""
    cli = ScriptedCli(tmp_path_factory.mktemp("scripted"))
    settings = {"LOG_FORMAT": "json", "LOG_FILE_PATH": str(log_file)}
    keys = {"REQUIRE_AUTH": "true", "API_KEYS": KEY, "ANTHROPIC_API_KEY": "sk-ant-dummy"}
    with closing(Gateway({**NOTHING_KEPT, **cli.environ, **settings, **keys})) as gateway:
        gateway.api.headers["x-api-key"] = KEY
        gateway.await_warm(1)
        yield gateway


def test_ready_record_names_the_port_that_the_system_chose(logging_gateway: Gateway) -> None:
    ready = wait_for(lambda: [line for line in logging_gateway.log.splitlines() if '"ready"' in line])
    address = logging_gateway.url.replace("127.0.0.1", "localhost")
    assert json.loads(ready[0])["address"] == f"{address}/v1"


def lines_of(gateway: Gateway, request_id: str) -> list[Body]:
    """Wait for the line that ends a request, and return all lines with its id."""

    def found() -> list[Body]:
        lines = [json.loads(line) for line in gateway.log.splitlines() if request_id in line]
        return lines if any(line["event"] == "request" for line in lines) else []

    return wait_for(found, 10)  # type: ignore[no-any-return]


def line_of(gateway: Gateway, request_id: str) -> Body:
    """Return the line of a request that logs no other."""
    (line,) = lines_of(gateway, request_id)
    return line


def send(gateway: Gateway, request_id: str, content: Any, **fields: Any) -> int:
    """Ask for a chat completion and return the status of the response."""
    body = chat_body(content, **fields)
    return gateway.api.post(CHAT, json=body, headers={"x-request-id": request_id}).status_code


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "complete"])
def test_each_answer_is_one_line(logging_gateway: Gateway, stream: bool) -> None:
    request_id = f"answer-{stream}"
    assert send(logging_gateway, request_id, MARK, stream=stream) == 200
    found = line_of(logging_gateway, request_id)
    expected = {
        "event": "request",
        "level": "info",
        "method": "POST",
        "path": CHAT,
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


def test_line_is_written_when_the_stream_is_over(logging_gateway: Gateway) -> None:
    body = chat_body("HANGLATER", stream=True)
    headers = {"x-request-id": "left-early"}
    with logging_gateway.api.stream("POST", CHAT, json=body, headers=headers) as response:
        events = response.iter_lines()  # kept: its end would close the connection
        next(event for event in events if "so far" in event)
        assert send(logging_gateway, "answered-in-between", "hi") == 200
        line_of(logging_gateway, "answered-in-between")
        assert "left-early" not in logging_gateway.log
    found = line_of(logging_gateway, "left-early")
    assert (found["outcome"], found["error"], found["is_estimated"]) == ("cut", "client_closed_request", True)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/models", 200, None),
        ("GET", "/nothing", 404, "unknown_url"),
        ("GET", "/a%0Ab", 404, "unknown_url"),
        ("PUT", "/v1/models", 405, "method_not_allowed"),
        ("POST", CHAT, 400, "missing_messages"),
    ],
)
def test_requests_without_an_answer_are_logged(
    logging_gateway: Gateway, method: str, path: str, status: int, code: str | None
) -> None:
    request_id = f"{method}-{status}-{path.count('%')}"
    logging_gateway.api.request(method, path, headers={"x-request-id": request_id})
    found = line_of(logging_gateway, request_id)
    assert (found["method"], found["path"], found["status"]) == (method, path, status)
    assert found.get("error") == code
    assert found["seconds"] < 5
    assert "outcome" not in found


def test_rejected_keys_are_logged(logging_gateway: Gateway) -> None:
    logging_gateway.api.get("/v1/models", headers={"x-api-key": "wrong", "x-request-id": "refused"})
    found = line_of(logging_gateway, "refused")
    assert (found["status"], found["error"], "key" in found) == (401, "invalid_api_key", False)


def test_log_file_has_the_same_lines(logging_gateway: Gateway, log_file: Path) -> None:
    logging_gateway.api.get("/v1/models", headers={"x-request-id": "filed"})
    line_of(logging_gateway, "filed")
    printed = [text for text in logging_gateway.log.splitlines() if text.startswith("{")]
    wait_for(lambda: set(printed) <= set(log_file.read_text("utf-8").splitlines()))


def test_health_checks_are_not_logged(logging_gateway: Gateway) -> None:
    logging_gateway.api.get("/health", headers={"x-request-id": "healthy"})
    logging_gateway.api.get("/v1/models", headers={"x-request-id": "behind-health"})
    line_of(logging_gateway, "behind-health")
    assert "healthy" not in logging_gateway.log.replace("unhealthy", "")


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("CRASHFIRST", "claude_unavailable"),
        ("CRASHLATER", "upstream_error"),
        ("BROKENLATER", "upstream_error"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_failure_is_logged_with_its_code(
    logging_gateway: Gateway, word: str, code: str, stream: bool
) -> None:
    request_id = f"failed-{word}-{stream}"
    send(logging_gateway, request_id, f"{word} {MARK}", stream=stream)
    (found,) = [entry for entry in lines_of(logging_gateway, request_id) if entry["event"] == "request"]
    assert (found["outcome"], found["error"]) == ("failed", code)


@pytest.mark.parametrize("n", [1, 2])
def test_stderr_of_the_cli_is_logged_with_the_request_id(logging_gateway: Gateway, n: int) -> None:
    request_id = f"stderr-{n}"
    assert send(logging_gateway, request_id, "STDERR", n=n) == 200

    def all_complaints_are_logged() -> bool:
        return (
            sum("a complaint of the CLI" in entry["event"] for entry in lines_of(logging_gateway, request_id))
            == n
        )

    wait_for(all_complaints_are_logged, 10)


def test_log_holds_nothing_confidential(logging_gateway: Gateway) -> None:
    """Answers, failures, unknown models, and bodies that the schema or the dialect rejects."""
    marked: list[tuple[Any, Body]] = [
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
        send(logging_gateway, f"marked-{number}", content, **fields)
        lines_of(logging_gateway, f"marked-{number}")
    assert MARK not in logging_gateway.log
    assert KEY not in logging_gateway.log
    assert "sk-ant-dummy" not in logging_gateway.log


def test_database_statements_are_not_logged_even_when_debugging() -> None:
    """Statements contain conversations. The check runs in its own process, because log levels are global."""
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
    assert send(gateway, "accepted", "grüße") == 200
    assert send(gateway, "rejected", 5) == 400
    found = line_of(gateway, "accepted")
    assert json.loads(found["body"])["messages"][0]["content"] == "grüße"
    assert found["answer"] == ["You said: grüße"]
    assert json.loads(line_of(gateway, "rejected")["body"])["messages"][0]["content"] == 5

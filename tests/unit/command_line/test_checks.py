"""The checks of `claude-gateway doctor` that need no gateway."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from gateway.command_line.checks import service
from gateway.command_line.checks.findings import NOTE, OK, WRONG
from gateway.command_line.checks.machine import check_disk, check_limits
from gateway.command_line.checks.proxy import _check_nginx_lines
from gateway.command_line.checks.requests import check_requests, judge_stream
from gateway.command_line.checks.service import check_accounts, check_login, check_port
from gateway.command_line.checks.upstream import check_api, check_clock
from gateway.command_line.group import main
from gateway.settings import Settings
from tests.support.sockets import free_port


class Clock(http.server.BaseHTTPRequestHandler):
    """A server with a clock that is wrong by `seconds`."""

    seconds = 0.0

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.seconds, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Clock) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_address[1]}"
        found.shutdown()
        thread.join()


def settings_with(url: str, **values: object) -> Settings:
    """Return settings whose API is at the URL."""
    return Settings(environ={"ANTHROPIC_BASE_URL": url}, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "mark", "words"), [(2, OK, "right"), (-90, WRONG, "90 s fast"), (90, WRONG, "s slow")]
)
def test_clock_is_compared_with_the_api(
    server: str, monkeypatch: pytest.MonkeyPatch, seconds: float, mark: str, words: str
) -> None:
    monkeypatch.setattr(Clock, "seconds", seconds)
    ((found, text),) = check_clock(settings_with(server))
    assert found == mark
    assert words in text.replace("89 s", "90 s").replace("91 s", "90 s")


def test_api_that_answers_with_an_error_is_reachable(server: str) -> None:
    assert [mark for mark, _ in check_api(settings_with(server))] == [OK]  # 501: it knows no HEAD
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert [mark for mark, _ in check_api(settings_with(nowhere))] == [WRONG]
    assert [mark for mark, _ in check_clock(settings_with(nowhere))] == [NOTE]


def test_other_provider_is_not_checked() -> None:
    ((mark, text),) = check_api(Settings(environ={"CLAUDE_CODE_USE_BEDROCK": "1"}))
    assert mark == NOTE
    assert "CLAUDE_CODE_USE_BEDROCK" in text


def test_port_of_another_program_is_wrong_and_a_free_one_is_not(server: str) -> None:
    port = int(server.rpartition(":")[2])
    ((mark, text),) = check_port(Settings(host="127.0.0.1", port=port))
    assert mark == WRONG
    assert f"port {port} is in use by pid" in text
    free = Settings(host="127.0.0.1", port=free_port())
    ((mark, text),) = check_port(free)
    assert mark == NOTE
    assert "no gateway is running" in text
    assert [mark for mark, _ in [*check_login(free), *check_requests(free)]] == [NOTE, NOTE]


@pytest.mark.parametrize(
    ("listed", "applied", "marks"),
    [
        ("", ["default"], []),
        ("[team]\n[bob]\nconfig_dir = '/srv/bob'\n", ["team", "bob"], [OK]),
        ("[team]\n", None, [OK]),
        ("[team]\n", ["default"], [WRONG]),
        ("[team]\nshard = true\n", ["team"], [WRONG]),
    ],
)
def test_running_gateway_has_the_listed_accounts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: str,
    applied: list[str] | None,
    marks: list[str],
) -> None:
    health = {"claude": {"accounts": [{"name": name} for name in applied]}} if applied else None
    monkeypatch.setattr(service, "_read_health", lambda client: health)
    path = tmp_path / "accounts.toml"
    path.write_text(listed)
    assert [mark for mark, _ in check_accounts(Settings(accounts_path=path))] == marks


def test_address_without_a_gateway_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    assert [mark for mark, _ in check_port(Settings())] == [WRONG]


@pytest.mark.parametrize(
    ("bursts", "size", "is_direct", "mark"),
    [
        (60, 1, False, OK),
        (1, 60, False, WRONG),
        (4, 15, False, WRONG),
        (1, 60, True, OK),
        (1, 3, False, NOTE),
        (0, 0, True, WRONG),
    ],
)
def test_stream_that_arrives_in_bursts_was_held_up(
    bursts: int, size: int, is_direct: bool, mark: str
) -> None:
    times = [burst * 0.5 + piece * 1e-5 for burst in range(bursts) for piece in range(size)]
    assert judge_stream(times, is_direct=is_direct)[0] == mark


class FakeGateway(http.server.BaseHTTPRequestHandler):
    """A gateway that answers each dialect, and sends a stream with pauses or all at once."""

    pause = 0.0
    answers: ClassVar[dict[str, Any]] = {
        "/v1/chat/completions": {"choices": [{"message": {"content": "Hello."}}]},
        "/v1/responses": {"output": [{"type": "reasoning"}, {"content": [{"text": "Hello."}]}]},
        "/v1/messages": {"content": [{"type": "thinking"}, {"text": "Hello."}]},
        "/v1/completions": {"choices": [{"text": "x" * 100}]},
    }

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()
        if not body.get("stream"):
            self.wfile.write(json.dumps({"model": "haiku-5", **self.answers[self.path]}).encode())
            return
        lines = [
            f'data: {{"choices": [{{"delta": {{"content": "{number} "}}}}]}}\n\n' for number in range(25)
        ]
        for part in lines if self.pause else ["".join(lines)]:
            self.wfile.write(part.encode())
            time.sleep(self.pause)
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def fake_gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make a fake gateway the one at BASE_URL."""
    with http.server.HTTPServer(("127.0.0.1", 0), FakeGateway) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("BASE_URL", f"http://127.0.0.1:{found.server_address[1]}")
        yield
        found.shutdown()
        thread.join()


@pytest.mark.usefixtures("fake_gateway")
@pytest.mark.parametrize(("pause", "mark"), [(0.004, OK), (0.0, WRONG)])
def test_each_dialect_and_a_stream_are_tried(
    monkeypatch: pytest.MonkeyPatch, pause: float, mark: str
) -> None:
    monkeypatch.setattr(FakeGateway, "pause", pause)
    *dialects, stream = check_requests(Settings())
    assert [found for found, _ in dialects] == [OK] * 4
    assert "/v1/messages answered 'Hello.' in" in dialects[2][1]
    assert "x" * 40 + "…" in dialects[3][1]
    assert stream[0] == mark


@pytest.mark.usefixtures("fake_gateway")
def test_answer_without_text_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeGateway, "answers", {path: {"choices": []} for path in FakeGateway.answers})
    assert [mark for mark, _ in check_requests(Settings())][:4] == [WRONG] * 4


def test_memory_and_disk_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    little = Settings(max_processes=1000, claude_work_dir=tmp_path / "a", project_root=tmp_path / "b")
    assert WRONG in [mark for mark, _ in check_limits(little)]
    monkeypatch.setattr("gateway.command_line.checks.machine.MIN_FREE_BYTES", 1 << 62)
    assert {mark for mark, _ in check_disk(little)} == {WRONG}


def test_proxy_that_buffers_is_wrong() -> None:
    settings = Settings(trusted_proxies=1)
    lines = ["proxy_pass http://127.0.0.1:8000;", "proxy_read_timeout 1h;"]
    assert [mark for mark, _ in _check_nginx_lines(settings, lines)] == [WRONG, OK, OK]
    assert [mark for mark, _ in _check_nginx_lines(settings, [*lines, "proxy_buffering off;"])] == [
        OK,
        OK,
        OK,
    ]


def test_invalid_settings_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")
    monkeypatch.setenv("PORT", "many")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "WRONG" in done.output
    assert "PORT=many" in done.output

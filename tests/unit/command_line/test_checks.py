"""The checks of `claude-gateway doctor` that need no gateway."""

import http.server
import threading
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from click.testing import CliRunner

from gateway.command_line.checks.findings import NOTE, OK, WRONG
from gateway.command_line.checks.machine import check_disk, check_limits
from gateway.command_line.checks.proxy import _check_nginx_lines
from gateway.command_line.checks.requests import check_requests, judge_stream
from gateway.command_line.checks.service import check_login, check_port
from gateway.command_line.checks.upstream import check_api, check_clock
from gateway.command_line.group import main
from gateway.settings import Settings
from tests.support.sockets import free_port


class Clock(http.server.BaseHTTPRequestHandler):
    """A server with a clock that is wrong by `seconds`."""

    seconds = 0.0

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time() + self.seconds, usegmt=True)

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


def test_address_without_a_gateway_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    assert [mark for mark, _ in check_port(Settings())] == [WRONG]


@pytest.mark.parametrize(
    ("count", "seconds", "is_direct", "mark"),
    [
        (60, 2.0, False, OK),
        (60, 0.01, False, WRONG),
        (60, 0.01, True, OK),
        (3, 0.01, False, NOTE),
        (0, 0, True, WRONG),
    ],
)
def test_stream_that_arrives_at_once_was_held_up(
    count: int, seconds: float, is_direct: bool, mark: str
) -> None:
    times = [seconds * number / count for number in range(count)]
    assert judge_stream(times, is_direct=is_direct)[0] == mark


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

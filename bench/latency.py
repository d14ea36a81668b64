"""Measure the time that the gateway adds to a first delta, with a CLI that uses almost no CPU (scripted_cli.py).

The time that the server needs for any stream, and the CLI for the same lines, is measured separately and subtracted.
"""

import contextlib
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bench.awake import awake
from bench.results import Row, RowFailed
from bench.rows import Messages, ask
from bench.scripted import PAUSE_SECONDS
from bench.targets import Lab, OwnGateway

WARM = 4
PLAY = "play 3 0.02"  # a few deltas at the pace of a model
WORDS = "word " * 200
TURNS = 10
UNMEASURED = 5  # the first turns import and compile
REST_SECONDS = 0.03  # between turns, as in a gateway that is in use


def new_conversations(lab: Lab, row: Row, times: int) -> None:
    """Measure first turns, each with a new system prompt."""
    with awake() as is_awake:
        floors = _floors(lab, times, is_new=True)
        turns = _Turns(lab, row)
        for number in range(times + UNMEASURED):
            system = _message("system", f"You are number {number}.")
            turns.ask([system, _message("user", PLAY)], is_timed=number >= UNMEASURED)
            _await_warm(turns.target)
    turns.sum_up(*floors, is_awake)


def follow_ups(lab: Lab, row: Row, times: int, messages: int) -> None:
    """Measure the later turns of conversations of ten turns that start with `messages` messages."""
    with awake() as is_awake:
        floors = _floors(lab, times, is_new=False)
        turns = _Turns(lab, row)
        before = [_message(role, WORDS) for _ in range(messages // 2) for role in ("user", "assistant")]
        while len(row.first) < times:
            conversation = [*before]
            for number in range(TURNS):
                conversation.append(_message("user", PLAY))
                conversation.append(_message("assistant", turns.ask(conversation, is_timed=number > 0)))
                time.sleep(REST_SECONDS)
    turns.sum_up(*floors, is_awake)


class _Turns:
    """Turns through the scripted CLI, whose answer says when the message arrived and the first delta was written."""

    def __init__(self, lab: Lab, row: Row) -> None:
        self.target = lab.scripted(warm=WARM)
        self.target.settle(WARM)
        self._row = row
        self._ways: list[tuple[float, float]] = []

    def ask(self, messages: Messages, *, is_timed: bool) -> str:
        """Send a turn and return the text of the answer."""
        (answer,) = ask([self.target.chat(messages)])
        came, written = map(float, answer.text.split()[:2])
        if is_timed:
            self._row.first.append(answer.first)
            self._row.last.append(answer.last)
            self._ways.append((came - answer.sent, answer.deltas[0][0] - written))
        return answer.text

    def sum_up(self, server: float, cli: float, is_awake: bool) -> None:
        """Fill in the row. `server` and `cli` are the seconds to subtract."""
        row = self._row
        way_in, way_out = (statistics.median(way) for way in zip(*self._ways, strict=True))
        figures = {"added": statistics.median(row.first) - server - cli, "server": server, "cli": cli}
        figures |= {"way_in": way_in, "way_out": way_out}
        row.figures |= {f"{name}_ms": seconds * 1000 for name, seconds in figures.items()}
        row.remark = (
            "adds {added_ms:.2f} ms to gunicorn's time for any stream ({server_ms:.2f}) and the CLI's time for the "
            "same lines ({cli_ms:.2f}); {way_in_ms:.2f} ms to the CLI's stdin, {way_out_ms:.2f} ms back"
        ).format(**row.figures)
        if not is_awake:
            row.remark += "; CPUs may have slept (needs root)"
        row.gateway_memory, row.cli_memory = self.target.memory()


def _message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _floors(lab: Lab, times: int, *, is_new: bool) -> tuple[float, float]:
    """Return the seconds of the server for any stream, and of the CLI for the lines of such a turn."""
    cli = list(_time_cli_alone(lab, times, is_new=is_new))
    target, server = lab.bare(), []
    for _ in range(times):
        (answer,) = ask([target.chat([_message("user", PLAY)])])
        server.append(answer.first)
        time.sleep(PAUSE_SECONDS)
    return statistics.median(server), statistics.median(cli)


def _time_cli_alone(lab: Lab, times: int, *, is_new: bool) -> Iterator[float]:
    """Yield the seconds for the lines that the gateway exchanges with a process: a lower limit for any gateway."""
    for _ in range(times):
        with _running(lab.launcher()) as process:
            _control(process, {"subtype": "list_models"})
            if not is_new:
                _turn(process)
            time.sleep(PAUSE_SECONDS)
            begun = time.monotonic()
            if is_new:
                settings = {"subtype": "apply_flag_settings", "settings": {}}
                _control(process, {"subtype": "initialize"}, {"subtype": "set_max_thinking_tokens"}, settings)
            yield _turn(process) - begun


def _turn(process: subprocess.Popen[bytes]) -> float:
    """Send a message and return the time at which the first delta arrived."""
    _send(process, {"type": "user", "message": {"role": "user", "content": PLAY}})
    _await_line(process, b"text_delta")
    came = time.monotonic()
    _await_line(process, b'"result"')
    return came


@contextlib.contextmanager
def _running(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.communicate()


def _send(process: subprocess.Popen[bytes], *lines: dict[str, Any]) -> None:
    assert process.stdin
    process.stdin.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    process.stdin.flush()


def _control(process: subprocess.Popen[bytes], *requests: dict[str, Any]) -> None:
    _send(
        process,
        *({"type": "control_request", "request_id": "1", "request": request} for request in requests),
    )
    for _ in requests:
        _await_line(process, b"control_response")


def _await_line(process: subprocess.Popen[bytes], mark: bytes) -> None:
    assert process.stdout
    while mark not in (line := process.stdout.readline()):
        if not line:
            raise RowFailed("the scripted CLI exited")


def _await_warm(target: OwnGateway) -> None:
    """Wait for warm processes, without the 0.3 s for which `settle` watches the CPU."""
    while target.status()["warm"] < WARM:
        time.sleep(0.02)
    time.sleep(0.03)

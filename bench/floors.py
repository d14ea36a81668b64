"""Rows to compare the gateway with: the stand-in alone, and a new `claude -p` per request."""

import os
import subprocess
import time

import orjson

from bench import rows, usage
from bench.client import Request
from bench.results import Row, RowFailed, median
from bench.rows import QUESTION, SYSTEM, ask
from bench.targets import API_KEY, Lab
from gateway.claude.cli.launch import CHAT_ARGUMENTS, child_environment


def standin(lab: Lab, row: Row, times: int) -> None:
    """Measure a streamed Messages API request straight to the stand-in."""
    body = {
        "model": lab.model,
        "max_tokens": 1024,
        "stream": True,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": QUESTION}],
    }
    headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    for _ in range(times):
        (answer,) = ask([Request(f"{lab.upstream}/v1/messages", body, headers)])
        row.first.append(answer.first)
        row.last.append(answer.last)


def cold_claude(lab: Lab, row: Row, times: int) -> None:
    """Measure a new `claude -p` per request, with the arguments and environment that the gateway uses."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(lab.folder),
        "ANTHROPIC_BASE_URL": lab.upstream,
        "ANTHROPIC_API_KEY": API_KEY,
    }
    options = [option for option in CHAT_ARGUMENTS if not option.startswith("--input-format")]
    command = [lab.claude, *options, "--model", lab.model, "--system-prompt", SYSTEM, QUESTION]
    row.cpu = row.cpu or 0.0
    memory = [_cold_run(row, command, child_environment(environ), str(lab.folder)) for _ in range(times)]
    row.cli_memory = median(memory)


def follow_up(lab: Lab, row: Row, times: int) -> None:
    """Measure follow-up turns, with cold starts in between because the speed of the machine changes within seconds.

    Two processes are warm, as by default, because idle processes use CPU too.
    """
    cold = Row("")
    rows.follow_up(lab.gateway(2), row, times, lambda: cold_claude(lab, cold, 2))
    if row.cpu_per_request and cold.cpu_per_request:
        row.figures["cpu_share_of_cold"] = row.cpu_per_request / cold.cpu_per_request
        row.remark = f"{row.figures['cpu_share_of_cold']:.1%} of the CPU of a cold claude -p in between"


def _cold_run(row: Row, command: list[str], environ: dict[str, str], folder: str) -> float | None:
    begun, first, memory = time.monotonic(), 0.0, None
    process = subprocess.Popen(
        command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout
    try:
        for line in process.stdout:
            if not first and b'"text_delta"' in line:
                first = time.monotonic() - begun
            elif b'"type":"result"' in line:
                last = time.monotonic() - begun
                memory = usage.private(process.pid)
                if not first or orjson.loads(line).get("is_error"):
                    raise RowFailed(f"claude -p: {line[:200]!r}")
                row.first.append(first)
                row.last.append(last)
    finally:
        process.stdout.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not first:
        raise RowFailed(f"claude -p ended with {process.returncode} and no answer")
    row.cpu = (row.cpu or 0.0) + used.ru_utime + used.ru_stime
    return memory

"""Helpers for tests that run CLI processes and greenlets in the tests' own process."""

import time
from collections.abc import Callable
from typing import Any

import gevent

from gateway.claude.cli import process as processes
from gateway.claude.cli.process import Process
from tests.support.scripted import ScriptedCli


def run_until(condition: Callable[[], Any], timeout: float = 20.0) -> None:
    """Let greenlets run until `condition()` is true. Raise AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not true within {timeout} s"
        gevent.sleep(0.005)


def spawn_scripted_cli(cli: ScriptedCli) -> Process:
    """Start a process of the scripted CLI."""
    return Process([str(cli.path)], {"HOME": str(cli.home)}, str(cli.home))


def end_all() -> None:
    """End the processes that a failed test has left behind."""
    for process in list(processes._living):
        process.close()
